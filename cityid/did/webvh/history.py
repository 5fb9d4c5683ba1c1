"""What a log answers: which version is meant, what is told of it, and which key was there when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from cityid.did import document
from cityid.did.document import DidDocument
from cityid.did.webvh import witness
from cityid.did.webvh.identifier import WebvhDid
from cityid.did.webvh.log import Log, Version
from cityid.did.webvh.log import read as read_log
from cityid.encoding import times
from cityid.errors import Malformed, Refused
from cityid.keys import PublicKey

_SPEC: Final = "did:webvh 1.0, Reading did:webvh DID URLs"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which version is asked for: all that is given must fit. Nothing given asks for the current one."""

    version_id: str | None = None
    time: datetime | None = None
    number: int | None = None

    @property
    def current(self) -> bool:
        return self.version_id is None and self.time is None and self.number is None


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolved version: `document` as written, None for a DID that is closed; `metadata` as DID Resolution and
    did:webvh name it."""

    document: Mapping[str, Any] | None = field(repr=False)
    metadata: Mapping[str, Any]


def asked(query: str) -> Asked:
    """The version that the query of a DID URL asks for: `versionId`, `versionTime` (with its zone), `versionNumber`.

    Raises:
        Malformed: `did.url_query`, for other parameters, for one given twice, and for a number that is none;
            `time.not_a_stamp`.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("versionId", "versionTime", "versionNumber") or name in given:
            raise Malformed("did.url_query", spec=_SPEC, found=query)
        given[name] = value
    number = given.get("versionNumber")
    if number is not None and not _NUMBER.fullmatch(number):
        raise Malformed("did.url_query", spec=_SPEC, found=query)
    # In a query, + is a space.
    time = given["versionTime"].replace(" ", "+") if "versionTime" in given else None
    return Asked(
        given.get("versionId"),
        None if time is None else times.read_stamp(time),
        None if number is None else int(number),
    )


def judge(data: bytes, proofs: bytes | None, did: WebvhDid, at: datetime) -> Log:
    """The log of `did` in `data`, with the proofs of its witnesses (None: there are none), as of `at`.

    Raises:
        Malformed, Refused: as `log.read` and `witness.judge`; `did.webvh_other_scid`, `did.webvh_not_this_did`.
    """
    return belonging(approved(read_log(data, at), proofs), did)


def belonging(log: Log, did: WebvhDid) -> Log:
    """`log`, which must be that of `did`.

    Raises:
        Refused: `did.webvh_other_scid`, `did.webvh_not_this_did`; what is wrong with the log, where an entry that does
            not hold might have been the one with this name.
    """
    if log.scid != did.scid:
        raise Refused("did.webvh_other_scid", spec=_SPEC, expected=did.scid, found=log.scid)
    if all(version.did != did.text for version in log.versions):
        raise Refused("did.webvh_not_this_did", spec=_SPEC, did=did.text, found=log.whole().last.did)
    return log


def approved(log: Log, proofs: bytes | None) -> Log:
    """`log`, judged by its witnesses where it names any.

    Raises:
        Malformed, Refused: as `witness.judge`.
    """
    return witness.judge(log, b"[]" if proofs is None else proofs) if witness.is_needed(log) else log


def find(log: Log, which: Asked) -> Version:
    """The version that `which` asks for.

    Raises:
        Refused: `did.version_not_found`.
        Malformed, Refused: what is wrong with the log, where its answer would lie behind what is wrong.
    """
    if which.current:
        return log.whole().last
    for index, version in enumerate(log.versions):
        if which.version_id is not None and version.id != which.version_id:
            continue
        if which.number is not None and version.number != which.number:
            continue
        if which.time is not None:
            after = log.versions[index + 1] if version is not log.last else None
            if which.time < version.time or (after is not None and after.time <= which.time):
                continue
            if after is None:  # then what comes after it counts, and must hold
                log.whole()
        return version
    log.whole()
    raise Refused("did.version_not_found", spec=_SPEC)


def resolution(log: Log, which: Asked) -> Resolution:
    """The version that `which` asks for, and what is told of it. The current document of a closed DID is not given; an
    earlier one is.

    Raises:
        Malformed, Refused: as `find`.
    """
    version = find(log, which)
    last = log.last
    in_force = last.parameters
    closed = in_force.deactivated
    told: dict[str, Any] = {
        "versionId": version.id,
        "versionNumber": version.number,
        "versionTime": version.written,
        "created": log.versions[0].written,
        "updated": last.written,
        "scid": log.scid,
        "portable": in_force.portable,
        "deactivated": closed,
        "ttl": str(in_force.ttl),
        "witness": _witness(last),
        "watchers": list(in_force.watchers),
    }
    if version is not last:
        following = log.versions[version.number]
        told |= {"nextUpdate": following.written, "nextVersionId": following.id}
    gone = closed and which.current
    return Resolution(None if gone else _copy(version.state), told)  # a log that is remembered stays as it is


def _copy(value: Any) -> Any:
    """JSON again, in a fifth of the time of `copy.deepcopy`."""
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _witness(version: Version) -> dict[str, Any]:
    witnesses = version.parameters.witness
    if witnesses is None:
        return {}
    return {**witnesses.write(), "threshold": str(witnesses.threshold)}


def current(log: Log) -> DidDocument:
    """The document in force.

    Raises:
        Refused: `did.deactivated`; what is wrong with the log.
        Malformed, Refused: as `document.from_json`.
    """
    return _document(_open(log).last)


def key(log: Log, fragment: str, purpose: str, signed: datetime | None) -> PublicKey:
    """The key `#fragment` for `purpose`: of the current document, or, for what says that it was signed at `signed`, of
    the document in force then or of a later one, the oldest first. (Dates are coarse: what was signed after a
    rotation at noon may be dated the midnight before.)

    The date is the signer's own: a key that was taken out still speaks for what is dated before. Only closing the DID
    ends that.

    Raises:
        Refused: `did.deactivated`; what is wrong with the log.
        Malformed, Refused: as `DidDocument.key`, told of the current document.
    """
    versions = _open(log).versions
    if signed is not None:
        start = max((index for index, version in enumerate(versions) if version.time <= signed), default=0)
        for version in versions[start:-1]:
            with suppress(Malformed, Refused):
                return _document(version).key(fragment, purpose)
    return _document(log.last).key(fragment, purpose)


def _open(log: Log) -> Log:
    if log.whole().last.parameters.deactivated:
        raise Refused("did.deactivated", spec="did:webvh 1.0, Deactivate (Revoke)", did=log.last.did)
    return log


def _document(version: Version) -> DidDocument:
    return document.from_json(version.state, version.did)
