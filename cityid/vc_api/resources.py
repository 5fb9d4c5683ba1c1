"""`relatedResource` of a credential (VCDM 2.0 §5.3): where it names a context that is known here, its digest must be
that of the published bytes. Other resources are not used here, and are for whoever uses them to check."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid import contexts
from cityid.encoding import base64url, multibase
from cityid.errors import Refused

_TABLE: Final = """
https://www.w3.org/2018/credentials/v1
    gsOz6rhjdUu/0rnxfY1tufYRafMBy/CwXh/EvrX1xR3U0uiIwnT0nD+7JAj2H67R
https://www.w3.org/ns/credentials/v2
    l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU
https://www.w3.org/ns/credentials/examples/v2
    zNNbQTWCSUSi0bbz7dbua+RcENv7C6FvlmYJ1Y+I727HsPOHdzwELMYO9Mz68M26
https://www.w3.org/2018/credentials/examples/v1
    KAEVVL+ub5UqO9KKkhQFtmwaTQWecNIM2yQkyl+KURpXaWDVanBnC+NiYzIlEi8o
https://www.w3.org/ns/credentials/undefined-terms/v2
    sqZszdunC6Z62Zwv9S5gVY3wBjzqUcTKiG4l2epzz6u4eLr5LcKtK9omwxORhQ1o
https://w3id.org/security/v1
    VgCmSRydJZ6z+mBaRx0Jb1H4gh8CXjrEBodDo9Adx7aHh3GGIMbPrKCj6cYU1tJC
https://w3id.org/security/v2
    MVz7/A5t9LEesqXAGgKlclB3YdJBE5mWHyyP35hxs3oTpb3HWkg9JDlT2wMMYfwh
https://w3id.org/security/data-integrity/v1
    H3tRFUwstZa4BNPu3qu3Z4x+pNNvUgFJamgdvYaNXcDLkKiDn1FCzNyR/bksWtzy
https://w3id.org/security/data-integrity/v2
    DuLXYmcX+LB81Em1JdXitx/icgn8meUwieAWndKUTXk/7qRSb8YLucyhzZZRI5H2
https://w3id.org/security/multikey/v1
    D6UWQdEvuMcBsuapSSVW8l0yu0r4SpbxGAjwpiO5ckNN0YqPHxhlvGjY7gRsTlo+
https://w3id.org/security/jwk/v1
    di3FXOefNh47vrfTyw3bPkS44ohSYfgoMYOVnRqqM5BK9qgAUFntlkFQDqt9jdrl
https://www.w3.org/ns/cid/v1
    Mn2STUpIUY61Ql6KlDCj8g2WeLsREc3b8P8qZ7hU7khcLvFJ381FFt/Br35zO+wY
https://www.w3.org/ns/did/v1
    dfTez4F0pvLUDA3b2M37QwDq0kZttJMiWaSDpuEXdJMvFYgHhuH7wWxLOZ+Ykbkr
https://www.w3.org/ns/did/v1.1
    Mn2STUpIUY61Ql6KlDCj8g2WeLsREc3b8P8qZ7hU7khcLvFJ381FFt/Br35zO+wY
https://w3id.org/security/suites/ed25519-2020/v1
    Zwd1xhc44pO8ZLsrxFlVfhDhodOXLfy5uViv2iiR2rzmT3KzpFJXlaDn3IWc4hME
https://w3id.org/security/bbs/v1
    PunxrgeI7RnEXwVKjFeLW9SrVcjC857ghYTDVsY9WcKFJibwIQ9tqLSqRXl/pqLA
https://www.w3.org/ns/credentials/status/v1
    rA74E4M+vWZrYXCmHFrazG19L1oEDRbCko6EFNT6B/ZNcDEwIeAr9Pl73RI+2ahO
https://w3id.org/vc/status-list/2021/v1
    Oc9AfsrrWHpZ4uNnOEIZ0U5S1Zl2JM5hu8mvSn5OP2IF5dEAtMTm/R4ZvDcEbFGU
https://w3id.org/vc-barcodes/v1
    ++vj//puuC4ScpbF8kQzYJYH+xwe+LjhK24g9CM6ZIWC/z8p/HMX3b6ccDh7I1tI
https://w3id.org/citizenship/v1
    hh1mQJBc548bpspOOhHRuNajJfWAbxzYnwyxDyHscWbAu44PGBFSZ93pmu1lNWkX
https://w3id.org/citizenship/v4rc1
    aU0RkDrVW+6FUdXP+zJJIRDyMWTs8prYKKZCYJY0g8ye3pXrtzm/1Uz3cuWyohEz
https://w3id.org/vdl/v1
    YGBygy8gMlZVtko6habqXdL+M1vOsvgjUxa8f01wWPtm4dH1K6ffmlPN5+DWLu24
https://w3id.org/vdl/v2
    gRx568owZf1s/VUjFVvn9cR2lgTNmkybU+JeRfQOSQj+D5slzTObgSpTIEbhahiE
https://w3id.org/vdl/aamva/v1
    WF9JkiuD4NTPXtkXnsuNfZjP6NKj0KIGj26OspEp/ZBRKvYII/AsEcCUy+VxHKur
"""
SHA384: Final[Mapping[str, str]] = MappingProxyType(dict(zip(*[iter(_TABLE.split())] * 2, strict=True)))
"""SHA-384 of the published bytes, in base64; SHA-256 is recorded with the contexts themselves."""
_SHA256: Final = b"\x12\x20"
_SHA384: Final = b"\x20\x30"


def check(resources: Iterable[Mapping[str, Any]], where: str) -> None:
    """Are the digests those of the published contexts? One by another hash than SHA-256 and SHA-384 cannot be compared;
    of several in `digestSRI` those by the strongest hash count, as Subresource Integrity §3.3.3 has it.

    Raises:
        Refused: `vc_api.resource_digest`.
    """
    for index, one in enumerate(resources):
        known = contexts.digest(one["id"])
        if known is None:
            continue
        place = f"{where}.relatedResource[{index}]"
        digest = bytes.fromhex(known)
        if "digestSRI" in one and not _integrity(one["id"], digest).intersection(_strongest(one["digestSRI"])):
            raise Refused("vc_api.resource_digest", where=f"{place}.digestSRI", spec="VCDM 2.0 §5.3", id=one["id"])
        if "digestMultibase" in one and one["digestMultibase"] not in _multibase(one["id"], digest):
            raise Refused(
                "vc_api.resource_digest", where=f"{place}.digestMultibase", spec="VCDM 2.0 §5.3", id=one["id"]
            )


def _strongest(text: str) -> list[str]:
    """The hash-expressions by the strongest hash, without their options."""
    found = [one.partition("?")[0] for one in text.split()]
    best = max(one[:6] for one in found)
    return [one for one in found if one.startswith(best)]


def _integrity(url: str, digest: bytes) -> frozenset[str]:
    return frozenset((f"sha256-{base64.b64encode(digest).decode('ascii')}", f"sha384-{SHA384[url]}"))


def _multibase(url: str, digest: bytes) -> list[str]:
    hashes = (_SHA256 + digest, _SHA384 + base64.b64decode(SHA384[url]))
    return [form for made in hashes for form in ("u" + base64url.encode(made), multibase.encode(made))]
