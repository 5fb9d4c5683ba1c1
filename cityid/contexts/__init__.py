"""JSON-LD contexts that are known here, and no others: nothing is fetched, and a name means what it meant yesterday.

The tables are written by us from the published definitions and say the same as those do; the digests are those of the
published bytes. Our own types bring their contexts inside the credential (`own`), in a form that leaves no choice.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final

from cityid.contexts.own import is_own as is_own
from cityid.contexts.own import of_claims as of_claims
from cityid.errors import Malformed

V1: Final = "https://www.w3.org/2018/credentials/v1"
V2: Final = "https://www.w3.org/ns/credentials/v2"
DATA_INTEGRITY: Final = "https://w3id.org/security/data-integrity/v2"

_DIGESTS: Final = """
ab4ddd9a531758807a79a5b450510d61ae8d147eab966cc9a200c07095b0cdcc https://www.w3.org/2018/credentials/v1
59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734 https://www.w3.org/ns/credentials/v2
57393fbc69d6efb9b9b5dc9cb6b9880b0944360abfe2eaf459c9e58cf2279d7c https://www.w3.org/ns/credentials/examples/v2
2070ae4e75bc3b4c2cfe2b8b6e86ec45119672bbb5da283f0399ea96c60a0104 https://www.w3.org/2018/credentials/examples/v1
82dab514ba44eb18f5d1b0f638c5e140c6a556fbfb5089601bdc0fa5eb8b2581 https://www.w3.org/ns/credentials/undefined-terms/v2
abaf97e107d1925503c433dcaf3ffd2831697cacc1ed2a293e1bc8030d5bcb47 https://w3id.org/security/v1
2cd63364c0963dd5c206ee179207dc895ed26415f2f38a71298c1d279e0799ea https://w3id.org/security/v2
b5d829bd09aa7c42abc6efa0c8ed7635313b5487f37ccfce3ecd149ca9418554 https://w3id.org/security/data-integrity/v1
67f21e6e33a6c14e5ccfd2fc7865f7474fb71a04af7e94136cb399dfac8ae8f4 https://w3id.org/security/data-integrity/v2
ba2c182de2d92f7e47184bcca8fcf0beaee6d3986c527bf664c195bbc7c58597 https://w3id.org/security/multikey/v1
0f14b62f6071aafe00df265770ea0c7508e118247d79b7d861a406d2aa00bece https://w3id.org/security/jwk/v1
ea216ecc1cb02cd39b693dba2250141e270ba0bf95890be107dd9a9e8e43de85 https://www.w3.org/ns/cid/v1
4f3eae5568c9c5f036a082088f9e192019ee06faa78973c87ff91d5421b88dad https://www.w3.org/ns/did/v1
ea216ecc1cb02cd39b693dba2250141e270ba0bf95890be107dd9a9e8e43de85 https://www.w3.org/ns/did/v1.1
3db5c19efb0047a6edfd3b36e24346a8a3caad369d749e3c2d69e862696403e5 https://w3id.org/security/suites/ed25519-2020/v1
65f03b15242ee97861039faec7a73297da4dd6880257fe4fd18edf1fc363a58d https://w3id.org/security/bbs/v1
fda5add353231e6a6884a46b12e6c75464281900cb348284d9c360f62381d9f7 https://www.w3.org/ns/credentials/status/v1
6dd06a52bedb771e059c1083ba8ba7848dce22f6b4a8cfa0b98ba3fc188870e4 https://w3id.org/vc/status-list/2021/v1
23b78119d880e5462417e0c0eb4e9f60ac280c47ed676fff60369bbb1cc6a2c9 https://w3id.org/vc-barcodes/v1
9ffdc9e92801959e8f7416744aca720d06e0a4702dd83043c02c74700c161d93 https://w3id.org/citizenship/v1
5038c7383afd7ab2158f1b997913a8f60978a0abcf96e0b0d08e29f146d2db1e https://w3id.org/citizenship/v4rc1
b069d7ad1fab36cdc811d6bfa46d8d897277635258b9b9ccb130e3ed76df28d6 https://w3id.org/vdl/v1
4840b9b17608b05693abdd5f40bbacc2d39726129f62ccf18242b6838c9c9335 https://w3id.org/vdl/v2
7a6060ae97a4b780d9b71af5a1bb2a5a3f9b7b189208544c375a89d7d28460eb https://w3id.org/vdl/aamva/v1
"""
DIGESTS: Final = {url: digest for digest, url in map(str.split, _DIGESTS.strip().splitlines())}
"""SHA-256 of the published bytes, in hex, by URL."""
_MODULES: Final = ("credentials", "security", "identifiers", "status", "vocabularies")
_SAME: Final = {"https://www.w3.org/ns/did/v1.1": "https://www.w3.org/ns/cid/v1"}
"""Contexts of two names."""


def load(url: str) -> dict[str, Any]:
    """The context document behind `url`, for `cityid.encoding.jsonld`. It is shared: nobody may change it.

    Raises:
        Malformed: `context.unknown`.
    """
    if url not in DIGESTS:
        raise Malformed("context.unknown", spec="VCDM 2.0 §5.3", url=url[:200])
    return _rendered(_SAME.get(url, url))


def digest(url: str) -> str | None:
    """The recorded SHA-256 (hex) of the published bytes; None for a URL that is not known here."""
    return DIGESTS.get(url)


@cache  # as many as there are tables
def _rendered(url: str) -> dict[str, Any]:
    from cityid.contexts.rendering import render

    for name in _MODULES:
        tables: dict[str, str] = import_module(f"cityid.contexts.{name}").TABLES
        if url in tables:
            return {"@context": render(tables[url])}
    raise KeyError(url)


def check(contexts: Any, where: str = "$['@context']") -> None:
    """Are all entries of a document's `@context` known: by their URLs, or as the own context of a type of ours? Any
    other could give a signed statement another name (Data Integrity 1.0 §4.6).

    Raises:
        Malformed: `context.unknown`, `context.inline`.
    """
    for entry in contexts if type(contexts) is list else [contexts]:
        if type(entry) is str:
            if entry not in DIGESTS:
                raise Malformed("context.unknown", where=where, spec="VCDM 2.0 §5.3", url=entry[:200])
        elif not is_own(entry):
            raise Malformed("context.inline", where=where, spec="Data Integrity 1.0 §4.6")


def check_nested(value: Any, where: str = "$") -> None:
    """No `@context` stands deeper than at the top of a document.

    Raises:
        Malformed: `context.nested`.
    """
    waiting = [(value, where, True)]
    while waiting:
        found, place, top = waiting.pop()
        if type(found) is dict:
            if "@context" in found and not top:
                raise Malformed("context.nested", where=place, spec="Data Integrity 1.0 §4.6")
            inner = ((name, each) for name, each in found.items() if name != "@context")
            waiting += [(each, f"{place}.{name}", False) for name, each in inner]
        elif type(found) is list:
            waiting += [(each, f"{place}[{index}]", False) for index, each in enumerate(found)]
