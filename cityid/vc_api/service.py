"""From a request to an answer: paths, methods, bodies; and every *no* as a problem document."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from cityid.encoding import json
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import CityIdError, Problem, Refused
from cityid.plan import Request, Response, Steps, plan
from cityid.vc_api import identifiers, issuing, problems
from cityid.vc_api.model import Entropy, IssuerOf, Options
from cityid.vc_api.problems import Explain

Step: TypeAlias = Callable[[], Steps[Response]]
_JSON: Final = re.compile(r"application/(?:[a-z0-9.+-]*\+)?json|application/vc|application/vp")
_IDENTIFIERS: Final = "/1.0/identifiers/"


@dataclass(frozen=True, slots=True)
class Service:
    """The server's answers. `url` is where it is reached, without a slash at the end; `explain` makes the sentences."""

    url: str
    issuers: Mapping[str, IssuerOf]
    options: Options
    explain: Explain = field(repr=False)
    load: Loader = field(repr=False)

    @plan
    def handle(self, request: Request, at: datetime, *, entropy: Entropy = secrets.token_bytes) -> Steps[Response]:
        """The answer to `request`, whose URL is the path and query that the client asked for, as they came. Whatever
        was sent, there is one."""
        path, _, query = request.url.partition("?")
        try:
            if path.startswith(_IDENTIFIERS):
                _only("GET", request)
                text = path.removeprefix(_IDENTIFIERS)
                return (yield from identifiers.resolve(text, query, request.headers.get("accept", ""), at))
            return (yield from self._routed(path, request, at, entropy))
        except CityIdError as error:
            return self.no(error.problem, at)

    def no(self, problem: Problem, at: datetime) -> Response:
        """A problem as the answer."""
        headers = {"allow": str(problem.facts["allowed"])} if problem.code == "vc_api.method" else {}
        return problems.no((problem,), at, self.explain, headers=headers)

    def _routed(self, path: str, request: Request, at: datetime, entropy: Entropy) -> Steps[Response]:
        parts = [unquote(part) for part in path.split("/")[1:]]
        match parts:
            case ["issuers", name, "credentials", "issue"] if name in self.issuers:
                _only("POST", request)
                return self._issue(self.issuers[name], _body(request), at)
            case ["issuers"]:
                _only("GET", request)
                return problems.answer(200, self._told(), at)
        yield from ()  # a plan, like all the answers
        raise Refused("vc_api.not_found", path=path)

    def _issue(self, issuer: IssuerOf, body: Fields, at: datetime) -> Response:
        _options_of(body)
        secured = issuing.secure(body.object("credential"), issuer, self.options, load=self.load, at=at)
        bare = self.options.answer == "bare"
        return problems.answer(201, secured if bare else {"verifiableCredential": secured}, at)

    def _told(self) -> list[dict[str, Any]]:
        """What a harness needs to know of each issuer."""
        return [
            {
                "name": one.name,
                "id": one.id,
                "cryptosuite": one.suite,
                "verificationMethod": one.method,
                "url": f"{self.url}/issuers/{one.name}/credentials/issue",
            }
            for one in self.issuers.values()
        ]


def _only(method: str, request: Request) -> None:
    """Raises Refused `vc_api.method`."""
    if request.method not in ((method, "HEAD") if method == "GET" else (method,)):
        raise Refused("vc_api.method", method=request.method, allowed=method)


def _options_of(body: Fields) -> Fields:
    """`options`, which may be absent. What is not known there is passed over, as the API has it."""
    return Fields(body.value.get("options", {}), body.at("options"))


def _body(request: Request) -> Fields:
    """The JSON object in the body.

    Raises:
        Malformed: `json.*`. Refused: `vc_api.media_type`: a page in somebody's browser can send text without asking.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _JSON.fullmatch(kind) is None:
        raise Refused("vc_api.media_type", found=kind)
    return Fields(json.read_object(request.body, where="$"), "$")
