"""Answers of the VC-API as Responses: JSON always, a *no* as a problem document (RFC 9457) with the problem types of
VCDM 2.0 §7.2, Data Integrity 1.0 §4.7, Controlled Identifiers 1.0 §3.3 and Bitstring Status List 1.0 §3.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid import status
from cityid.encoding import json
from cityid.errors import Problem
from cityid.formats import _vcdm
from cityid.plan import Response

Explain: TypeAlias = Callable[[Problem], str]
"""The sentence of a problem, for a developer."""

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_VCDM: Final = "https://www.w3.org/TR/vc-data-model#"
_SECURITY: Final = "https://w3id.org/security#"
_STATUS: Final = "https://www.w3.org/ns/credentials/status-list#STATUS_VERIFICATION_ERROR"
"""Also where the list was believed, and says no."""
_OF_STATUS: Final = ("status.", "bitstring.")
_BLANK: Final = "about:blank"
"""What HTTP itself says no to has no type but its status (RFC 9457 §4.2.1)."""

_BY_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "di.domain": _SECURITY + "INVALID_DOMAIN_ERROR",
        "di.challenge": _SECURITY + "INVALID_CHALLENGE_ERROR",
        "binding.audience": _SECURITY + "INVALID_DOMAIN_ERROR",
        "binding.nonce": _SECURITY + "INVALID_CHALLENGE_ERROR",
        "did.url_not_plain": _SECURITY + "INVALID_VERIFICATION_METHOD_URL",
        "did.url_fragment": _SECURITY + "INVALID_VERIFICATION_METHOD_URL",
        "did.document_id": _SECURITY + "INVALID_CONTROLLED_IDENTIFIER_DOCUMENT_ID",
        "did.no_such_key": _SECURITY + "INVALID_VERIFICATION_METHOD",
        "did.foreign_controller": _SECURITY + "INVALID_VERIFICATION_METHOD",
        "did.wrong_purpose": _SECURITY + "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD",
    }
)  # fmt: skip
_BY_AREA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "validity": _VCDM + "RANGE_ERROR",
        "di": _SECURITY + "PROOF_VERIFICATION_ERROR",
        "rdfc": _SECURITY + "PROOF_TRANSFORMATION_ERROR",
    }
)
_IN_PROOF: Final = re.compile(r".*\.proof(?:\[[0-9]+\])?\..+")
_OF_PROOF: Final = frozenset({"json.missing", "multibase.base", "multibase.alphabet", "multibase.too_long"})
"""What is PROOF_VERIFICATION_ERROR where a member of a proof is missing or cannot be decoded."""
_HTTP: Final[Mapping[str, int]] = MappingProxyType(
    {
        "vc_api.not_found": 404,
        "vc_api.method": 405,
        "vc_api.media_type": 415,
        "vc_api.not_acceptable": 406,
        "vc_api.too_large": 413,
        "install.extra": 501,
    }
)


def type_of(code: str, where: str = "", *, about_status: bool = False) -> str:
    """The problem type of a code: that of the code itself, else that of its area, else what VCDM 2.0 calls it. `where`
    is the place in the document; `about_status` says that it came up while a status was looked up."""
    if code in _HTTP:
        return _BLANK
    if about_status or code.startswith(_OF_STATUS):
        # A list without a proof is a list that cannot be verified.
        found = _STATUS if code == "json.missing" and where.endswith(".proof") else status.problem_type(code)
        return found or _STATUS
    if code in _OF_PROOF and _IN_PROOF.fullmatch(where):
        return _SECURITY + "PROOF_VERIFICATION_ERROR"
    return _BY_CODE.get(code) or _BY_AREA.get(code.partition(".")[0]) or _vcdm.problem_type(code)


def status_of(code: str) -> int:
    """The HTTP status of a code. Whatever is wrong with a document is 400, as the API has it: never a 500."""
    return _HTTP.get(code, 400)


def document(problem: Problem, explain: Explain, *, about_status: bool = False) -> dict[str, Any]:
    """A problem as a problem document. `code` and `where` are ours."""
    kind = type_of(problem.code, problem.where, about_status=about_status)
    made: dict[str, Any] = {
        "type": kind,
        "title": kind.rpartition("#")[2] if kind != _BLANK else problem.code,
        "status": status_of(problem.code),
        "detail": explain(problem),
        "code": problem.code,
    }
    if problem.where:
        made["where"] = problem.where
    return made


def no(
    found: Sequence[Problem],
    at: datetime,
    explain: Explain,
    more: Mapping[str, Any] = MappingProxyType({}),
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    about_status: Sequence[Problem] = (),
) -> Response:
    """The answer *no*: the first problem as the problem document, all of them in its `errors` (VCDM 2.0 §7.1)
    and `problemDetails` (VC-API)."""
    details = [document(one, explain, about_status=one in about_status) for one in found]
    body = {**details[0], **more, "errors": details, "problemDetails": details}
    return answer(details[0]["status"], body, at, PROBLEM, headers)


def answer(
    code: int,
    body: Any,
    at: datetime,
    kind: str = JSON,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """An answer with a JSON body of content type `kind`."""
    return Response(code, {"content-type": kind, **headers}, json.write(body), at)
