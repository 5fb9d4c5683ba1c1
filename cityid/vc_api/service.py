"""From a request to an answer: paths, methods, bodies; and every *no* as a problem document."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import unquote

from cityid.did.resolution import negotiate
from cityid.encoding import json
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import CityIdError, Problem, Refused
from cityid.json_schemas import Schemas
from cityid.plan import Request, Response, Steps, plan
from cityid.status.bitstring_status_list import read_entry
from cityid.vc_api import deriving, enveloped, identifiers, issuing, problems, verifying
from cityid.vc_api.lists import StatusList
from cityid.vc_api.model import Entropy, IssuerOf, Options
from cityid.vc_api.problems import Explain

_JSON: Final = re.compile(r"application/(?:[a-z0-9.+-]*\+)?json|application/vc|application/vp")
_LIST_TYPES: Final = ("application/json", "application/vc", "application/ld+json", "application/vc+ld+json")
_IDENTIFIERS: Final = "/1.0/identifiers/"


@dataclass(frozen=True, slots=True)
class Service:
    """The server's answers. `url` is where it is reached, without a slash at the end; `explain` makes the sentences."""

    url: str
    issuers: Mapping[str, IssuerOf]
    options: Options
    explain: Explain = field(repr=False)
    load: Loader = field(repr=False)
    lists: Mapping[str, StatusList] = field(default_factory=dict, repr=False)
    """By the name of the issuer."""
    schemas: Schemas = field(default_factory=Schemas, repr=False)

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
            return (yield from self._with_own(self._routed(path, request, at, entropy), at, entropy))
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
                return self._issue(self.issuers[name], _body(request), at, entropy)
            case ["issuers"]:
                _only("GET", request)
                return problems.answer(200, self._told(), at)
            case ["status", name] if name in self.lists:
                _only("GET", request)
                return self._list(name, request.headers.get("accept", ""), at, entropy)
            case ["credentials", "status"]:
                _only("POST", request)
                return self._set_status(_body(request), at)
            case ["credentials", "derive"]:
                _only("POST", request)
                return (yield from self._derive(_body(request), at, entropy))
            case ["credentials", "verify"]:
                _only("POST", request)
                return (yield from self._verify(_body(request), at))
            case ["presentations", "verify"]:
                _only("POST", request)
                return (yield from self._verify_presentation(_body(request), at))
        raise Refused("vc_api.not_found", path=path)

    def _issue(self, issuer: IssuerOf, body: Fields, at: datetime, entropy: Entropy) -> Response:
        pointers = _options_of(body).optional_texts("mandatoryPointers") or []
        secured = issuing.issue(
            body.object("credential"), pointers, issuer, self.lists.get(issuer.name), self.options,
            load=self.load, at=at, entropy=entropy,
        )  # fmt: skip
        return self._made(secured, at)

    def _derive(self, body: Fields, at: datetime, entropy: Entropy) -> Steps[Response]:
        name = "verifiableCredential"
        pointers = _options_of(body).optional_texts("selectivePointers") or []
        derived = yield from deriving.derive(
            body.object(name), pointers, self.options, load=self.load, at=at, entropy=entropy, where=body.at(name)
        )
        return self._made(derived, at)

    def _made(self, secured: dict[str, Any], at: datetime) -> Response:
        bare = self.options.answer == "bare"
        return problems.answer(201, secured if bare else {"verifiableCredential": secured}, at)

    def _list(self, name: str, accept: str, at: datetime, entropy: Entropy) -> Response:
        """An issuer's status list, signed now."""
        issuer = self.issuers[name]
        document = self.lists[name].credential(issuer.id, at)
        secured = issuing.secure(document, issuer, load=self.load, at=at, entropy=entropy)
        try:
            kind = negotiate(accept or "*/*", _LIST_TYPES)
        except Refused:
            raise Refused("vc_api.not_acceptable", accept=accept, offered=", ".join(_LIST_TYPES)) from None
        return problems.answer(200, secured, at, kind, {"cache-control": "no-store", "vary": "accept"})

    def _set_status(self, body: Fields, at: datetime) -> Response:
        """Revoke what this server issued, or take that back."""
        entry = read_entry(body.object("credentialStatus"), body.at("credentialStatus"))
        for found in self.lists.values():
            if found.uri == entry.uri:
                found.set(entry, revoked=body.boolean("status"))
                return problems.answer(200, {}, at)
        raise Refused("vc_api.no_such_entry", list=entry.uri, index=entry.index)

    def _with_own(self, steps: Steps[Response], at: datetime, entropy: Entropy) -> Steps[Response]:
        """`steps`, in which this server's own status lists are not fetched over the network."""
        own = {found.uri: name for name, found in self.lists.items()}
        try:
            request = next(steps)
            while True:
                if request.url in own:
                    answer = self._list(own[request.url], "application/vc", at, entropy)
                else:
                    try:
                        answer = yield request
                    except CityIdError as error:
                        request = steps.throw(error)
                        continue
                request = steps.send(answer)
        except StopIteration as end:
            return cast("Response", end.value)

    def _verify(self, body: Fields, at: datetime) -> Steps[Response]:
        occasion = verifying.occasion_of(_options_of(body))
        name = "verifiableCredential"
        document = body.object(name)
        judged = yield from verifying.credential(document, self._judge(), at, body.at(name), occasion)
        return self._judged(judged, document, "credential", "application/vc", at)

    def _verify_presentation(self, body: Fields, at: datetime) -> Steps[Response]:
        occasion = verifying.occasion_of(_options_of(body))
        name = "verifiablePresentation"
        document = body.object(name)
        judged = yield from verifying.presentation(document, occasion, self._judge(), at, body.at(name))
        return self._judged(judged, document, "presentation", "application/vp", at)

    def _judge(self) -> verifying.Judge:
        return verifying.Judge(self.options, self.load, self.schemas)

    def _judged(
        self, judged: verifying.Judged, document: dict[str, Any], name: str, kind: str, at: datetime
    ) -> Response:
        """The result of VCDM 2.0 §7.1."""
        warnings = [problems.document(one, self.explain) for one in judged.warnings]
        if judged.problems:
            more = {"verified": False, "warnings": warnings}
            return problems.no(judged.problems, at, self.explain, more, about_status=judged.about_status)
        told = {
            "verified": True,
            name: enveloped.bare(document),
            "mediaType": kind,
            "controller": judged.controller,
            "warnings": warnings,
            "errors": [],
            "problemDetails": warnings,
        }
        return problems.answer(200, told, at)

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
