"""The configuration of `cityid serve vc-api`: TOML with the server's options and, for each issuer, a suite and a key
as a Multikey. Everything wrong in it is Misuse: it is a file of whoever runs the server.
"""

from __future__ import annotations

import re
import secrets
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from cityid import limits
from cityid.did import key as did_key
from cityid.did import parse_url
from cityid.edge.key_import import read_multikey, write_multikey
from cityid.edge.messages import Audience, explain
from cityid.edge.signers import Entropy, SoftwareBbsSigner, SoftwareSigner, load, new_secret
from cityid.encoding import texts
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import Malformed, Misuse, Problem
from cityid.json_schemas import Schemas
from cityid.keys import Algorithm, multikey
from cityid.vc_api import HIDING, SUITES, IssuerOf, Options, Service, StatusList

_TOP: Final = ("url", "network", "options", "schemas", "issuer")
_OPTIONS: Final = (
    "controller", "contexts", "answer", "unknown_status", "validity", "revealed", "schemas", "unsecured_presentations",
)  # fmt: skip
_ISSUER: Final = ("name", "suite", "secret", "public", "id", "method", "status")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~-]+)*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WORDS: Final = {
    "network": ("none", "public"),
    "controller": ("issuer", "any"),
    "contexts": ("known", "inline"),
    "answer": ("wrapped", "bare"),
    "unknown_status": ("refuse", "ignore"),
    "validity": ("checked", "ignored"),
    "revealed": ("whole", "part"),
    "schemas": ("warn", "refuse"),
}
STATUS: Final = "bitstring"
CONFORMANCE: Final = (
    ("eddsa-rdfc-2022", "eddsa-rdfc-2022", Algorithm.EDDSA),
    ("eddsa-jcs-2022", "eddsa-jcs-2022", Algorithm.EDDSA),
    ("ecdsa-rdfc-2019-p256", "ecdsa-rdfc-2019", Algorithm.ES256),
    ("ecdsa-rdfc-2019-p384", "ecdsa-rdfc-2019", Algorithm.ES384),
    ("ecdsa-jcs-2019-p256", "ecdsa-jcs-2019", Algorithm.ES256),
    ("ecdsa-jcs-2019-p384", "ecdsa-jcs-2019", Algorithm.ES384),
    ("ecdsa-sd-2023", "ecdsa-sd-2023", Algorithm.ES256),
    ("bbs-2023", "bbs-2023", Algorithm.BBS),
    (STATUS, "eddsa-rdfc-2022", Algorithm.EDDSA),
    ("jwt", "vc+jwt", Algorithm.ES256),
)
"""The issuers that the public suites need: name, suite, and algorithm of the key."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A server, and whether it may fetch what it does not have."""

    service: Service
    network: Literal["none", "public"]


def _nothing(name: str) -> bytes:
    raise Misuse("file.not_found", file=name)


def read(data: bytes, contexts: Loader, *, beside: Callable[[str], bytes] = _nothing) -> Configuration:
    """The configuration in a TOML file, for a server that knows `contexts`. `beside` reads the files that it names.

    Raises:
        Misuse: `vc_api_file.*`; and what is wrong with a member or a key, at its place; what `beside` raises.
    """
    if len(data) > limits.DOCUMENT:
        raise Misuse("vc_api_file.too_large", limit=limits.DOCUMENT)
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        # Without the parser's own words: they quote the file, and there are secrets in it.
        raise Misuse("vc_api_file.syntax") from None
    try:
        return _read(Fields(found), contexts, beside)
    except Malformed as error:
        raise Misuse(error.problem) from None


def _read(top: Fields, contexts: Loader, beside: Callable[[str], bytes]) -> Configuration:
    top.only(_TOP)
    url = top.text("url").removesuffix("/")
    if len(url) > limits.LABEL or _URL.fullmatch(url) is None:
        raise Misuse("vc_api_file.url", where=top.at("url"), found=url)
    issuers: dict[str, IssuerOf] = {}
    for index, item in enumerate(top.array("issuer")):
        one = _issuer(Fields(item, f"$.issuer[{index}]"))
        if one.name in issuers:
            raise Misuse("vc_api_file.twice", where=f"$.issuer[{index}].name", name=one.name)
        issuers[one.name] = one
    lists = {name: StatusList(f"{url}/status/{name}") for name, one in issuers.items() if one.status}
    named = Fields(top.value.get("schemas", {}), top.at("schemas"))
    schemas = Schemas({one: beside(named.text(one)) for one in named.value})
    service = Service(url, issuers, _options(top), sentence, contexts, lists, schemas)
    return Configuration(service, cast("Literal['none', 'public']", _word(top, "network")))


def sentence(problem: Problem) -> str:
    """What a developer is told."""
    said = explain(problem, audience=Audience.DEVELOPER, private=False)
    return said.text


def _options(top: Fields) -> Options:
    given = Fields(top.value.get("options", {}), top.at("options"))
    given.only(_OPTIONS)
    words: dict[str, Any] = {name: _word(given, name) for name in _WORDS if name != "network"}
    return Options(**words, unsecured_presentations=bool(given.optional_boolean("unsecured_presentations")))


def _word(fields: Fields, name: str) -> str:
    """One of the words that `name` may be; the first of them where it is not given."""
    found = fields.optional_text(name)
    words = _WORDS[name]
    if found is not None and found not in words:
        raise Misuse("vc_api_file.word", where=fields.at(name), name=name, found=found, words=", ".join(words))
    return words[0] if found is None else found


def _issuer(fields: Fields) -> IssuerOf:
    fields.only(_ISSUER)
    name, suite = fields.text("name"), fields.text("suite")
    if _NAME.fullmatch(name) is None:
        raise Misuse("vc_api_file.name", where=fields.at("name"), found=name)
    if suite not in SUITES:
        raise Misuse("vc_api_file.suite", where=fields.at("suite"), found=suite, suites=", ".join(SUITES))
    algorithm, secret = read_multikey(fields.text("secret"), fields.at("secret"))
    signer = cast("SoftwareSigner | SoftwareBbsSigner", load(algorithm, secret))
    if algorithm not in SUITES[suite]:
        raise Misuse("vc_api_file.key", where=fields.at("secret"), suite=suite, algorithm=algorithm.value)
    public = fields.optional_text("public")
    if public is not None and multikey.read(public, fields.at("public")) != signer.public_key:
        raise Misuse("key.halves_differ", where=fields.at("public"), algorithm=algorithm.value)
    did = did_key.create(signer.public_key)
    method = fields.optional_text("method") or f"{did}#{did.removeprefix('did:key:')}"
    if not parse_url(method)[1]:
        raise Misuse("did.url_fragment", where=fields.at("method"), spec="DID Core §3.2", found="")
    subject = texts.label(fields.optional_text("id") or did, "id", limits.DID, where=fields.at("id"))
    status = bool(fields.optional_boolean("status"))
    if status and suite in HIDING:
        raise Misuse("vc_api_file.status", where=fields.at("status"), suite=suite)
    return IssuerOf(name, suite, subject, method, signer, status)


def new(url: str, *, entropy: Entropy = secrets.token_bytes) -> str:
    """A configuration with a fresh key for each of `CONFORMANCE`, for a server that is reached at `url`. It holds
    secrets: for a file that its owner alone may read."""
    return "\n".join(_lines(url, entropy)) + "\n"


def _lines(url: str, entropy: Entropy) -> Iterable[str]:
    yield "# For `cityid serve vc-api`. Below are private keys: for conformance runs, and for nothing else."
    yield f'url = "{url}"'
    yield 'network = "none"'
    yield ""
    yield "[options]"
    for name, words in _WORDS.items():
        if name != "network":
            yield f'{name} = "{words[0]}"  # or "{words[1]}"'
    yield "unsecured_presentations = false"
    for name, suite, algorithm in CONFORMANCE:
        secret = new_secret(algorithm, entropy)
        yield ""
        yield "[[issuer]]"
        yield f'name = "{name}"'
        yield f'suite = "{suite}"'
        yield f'public = "{multikey.write(load(algorithm, secret).public_key)}"'
        yield f'secret = "{write_multikey(algorithm, secret)}"'
        if name == STATUS:
            yield "status = true"
