"""The log of a did:webvh, judged entry by entry (did:webvh 1.0, Read (Resolve), steps 1 to 8).

Every entry's hash and proof are checked, whatever version is asked for. What stands before the first wrong entry holds;
what the log is now, nobody can say once one is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from cityid import limits
from cityid.did.webvh import identifier, parameters
from cityid.did.webvh.parameters import Parameters, Witnesses
from cityid.encoding import jcs, json, multibase, multihash, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused
from cityid.keys import PublicKey
from cityid.proofs import jcs as suite
from cityid.proofs import members

_READ: Final = "did:webvh 1.0, Read (Resolve)"
_MEMBERS: Final = frozenset({"versionId", "versionTime", "parameters", "state", "proof"})
_VERSION: Final = re.compile(r"([1-9][0-9]{0,8})-([1-9A-HJ-NP-Za-km-z]{1,100})")
_METHOD: Final = re.compile(r"did:key:([1-9A-HJ-NP-Za-km-z]+)#([1-9A-HJ-NP-Za-km-z]+)")
_SHORT: Final = 64 << 10
"""Bytes of the longest log that is remembered."""
_KIND_OF_PROOF: Final = (suite.TYPE, suite.EDDSA, "assertionMethod")
_MEMBERS_OF_PROOF: Final = frozenset(
    {"type", "cryptosuite", "verificationMethod", "created", "proofPurpose", "proofValue"}
)
_OPTIONS: Final = (
    b'{"created":"%b","cryptosuite":"eddsa-jcs-2022","proofPurpose":"assertionMethod",'
    b'"type":"DataIntegrityProof","verificationMethod":"%b"}'
)


@dataclass(frozen=True, slots=True)
class Version:
    """One entry that holds. `written` is its time as written, `parameters` are those in force after it, `witnesses` had
    to approve of it; `did` is the id of its document `state`."""

    number: int
    id: str
    time: datetime
    written: str
    did: str
    parameters: Parameters
    witnesses: Witnesses | None
    state: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Log:
    """The versions that hold, oldest first, at least one; and what is wrong with the entry after them."""

    versions: tuple[Version, ...]
    broken: Malformed | Refused | None = None

    @property
    def scid(self) -> str:
        return self.versions[0].parameters.scid

    @property
    def last(self) -> Version:
        return self.versions[-1]

    def whole(self) -> Log:
        """This log, if all of it holds.

        Raises:
            Malformed, Refused: what is wrong with it.
        """
        if self.broken is not None:
            raise type(self.broken)(self.broken.problem)
        return self

    def continues(self, seen: str) -> None:
        """Is this a later state of the log whose last entry was `seen` (a versionId)?

        Raises:
            Malformed: `did.webvh_version_id`, for a `seen` that is none.
            Refused: `did.webvh_truncated`, `did.webvh_forked`.
        """
        number = version_number(seen)
        if number > len(self.versions):
            raise Refused("did.webvh_truncated", seen=number, count=len(self.versions))
        if self.versions[number - 1].id != seen:
            raise Refused("did.webvh_forked", number=number, seen=seen, found=self.versions[number - 1].id)


def read(data: bytes, at: datetime) -> Log:
    """The log in `data` as of `at`; witnesses are not asked yet.

    A log that holds is remembered by its bytes, and judged again only for the time: a city's log is the same for each
    of its cards. One that does not hold is never remembered, so that it can be put right.

    Raises:
        Malformed, Refused: `did.webvh_*`, `json.*`, `di.*`, `signature.invalid`, where not even the first entry
            holds; `did.webvh_log_size`, `did.webvh_too_many`, `did.webvh_empty`.
    """
    if len(data) > limits.WEBVH_LOG:
        raise Malformed("did.webvh_log_size", limit=limits.WEBVH_LOG, size=len(data))
    try:
        log = _remembered(data) if len(data) <= _SHORT else judged(data)
    except _Broken as broken:
        log = broken.log
    return as_of(log, at)


def as_of(log: Log, at: datetime) -> Log:
    """`log`, which ends before the first entry that is of a later time than `at`.

    Raises:
        Refused: `did.webvh_future`, where that is the first entry.
    """
    latest = at + limits.WEBVH_AHEAD
    for index, version in enumerate(log.versions):
        if version.time > latest:
            where = f"$[{index}].versionTime"
            problem = Refused("did.webvh_future", where=where, spec=_READ, found=version.written)
            if not index:
                raise problem
            return Log(log.versions[:index], problem)
    return log


class _Broken(Exception):  # keeps a log out of what is remembered; it never leaves this module
    def __init__(self, log: Log) -> None:
        self.log = log


@lru_cache(maxsize=64)
def _remembered(data: bytes) -> Log:
    log = judged(data)
    if log.broken is not None:
        raise _Broken(log)
    return log


def judged(data: bytes) -> Log:
    """The log in `data`, whatever the time.

    Raises:
        Malformed, Refused: as `read`.
    """
    lines = data.removesuffix(b"\n")
    if lines.count(b"\n") >= limits.WEBVH_ENTRIES:
        raise Malformed("did.webvh_too_many", limit=limits.WEBVH_ENTRIES)
    if not lines:
        raise Malformed("did.webvh_empty", spec="did:webvh 1.0, The DID Log File")
    reader = _Reader()
    versions: list[Version] = []
    for line in lines.split(b"\n"):
        try:
            versions.append(reader.entry(line))
        except (Malformed, Refused) as error:
            if not versions:
                raise
            return Log(tuple(versions), error)
    return Log(tuple(versions))


def key_of(fields: Fields) -> str:
    """The Multikey of a proof's `verificationMethod`, which must be a did:key that names its only key.

    Raises:
        Malformed: `did.webvh_proof_method`.
    """
    found = fields.text("verificationMethod")
    parts = _METHOD.fullmatch(found)
    if parts is None or parts[1] != parts[2]:
        raise Malformed(
            "did.webvh_proof_method",
            where=fields.at("verificationMethod"),
            spec="did:webvh 1.0, Witness DIDs and Reputation",
            found=found,
        )
    return parts[1]


def version_number(text: str) -> int:
    """The number in a versionId.

    Raises:
        Malformed: `did.webvh_version_id`.
    """
    return int(_version(text, "")[1])


def _version(text: str, where: str) -> re.Match[str]:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise Malformed("did.webvh_version_id", where=where, spec=_READ, found=text)
    return found


class _Reader:
    """Reads one entry after the other."""

    __slots__ = ("before", "keys", "proofs")

    def __init__(self) -> None:
        self.before: Version | None = None
        self.keys: dict[str, tuple[str, PublicKey]] = {}
        self.proofs = 0

    def entry(self, line: bytes) -> Version:
        number = 1 if self.before is None else self.before.number + 1
        where = f"$[{number - 1}]"
        value, plain = json.read_plain(line, where)
        fields = Fields(value, where)
        fields.only(_MEMBERS)
        given, state, id_ = fields.object("parameters"), fields.object("state"), fields.text("versionId")
        written = fields.text("versionTime")
        before, in_force = self.before, self._in_force(given, fields.at("parameters"))
        parts = _version(id_, fields.at("versionId"))
        if int(parts[1]) != number:
            raise Refused(
                "did.webvh_version_number", where=fields.at("versionId"), spec=_READ, expected=number, found=id_
            )
        time = self._time(written, fields.at("versionTime"))
        # The names of its members sort an entry as they stand here; a time has nothing to escape.
        inside = {"parameters": given, "state": state}
        head = (jcs.plain(inside) if plain else jcs.canonical(inside))[:-1] + b',"versionId":"'
        tail = b'","versionTime":"%b"}' % written.encode("ascii")
        if before is None:
            _check_scid(head, tail, in_force.scid, fields.at("parameters"))
        previous = in_force.scid if before is None else before.id
        if not multihash.is_sha256(parts[2], head + previous.encode("ascii") + tail):
            raise Refused(
                "did.webvh_entry_hash", where=fields.at("versionId"), spec="did:webvh 1.0, Verify The Entry Hash"
            )
        did = self._did(state, in_force, fields.where)
        pre_rotated = before is not None and bool(before.parameters.next_key_hashes)
        active = in_force if before is None or pre_rotated else before.parameters
        self._proofs(fields, active.update_keys, head + id_.encode("ascii") + tail)
        witnesses = (before.parameters.witness if before is not None else None) or in_force.witness
        self.before = Version(number, id_, time, written, did, in_force, witnesses, state)
        return self.before

    def _in_force(self, given: Mapping[str, Any], where: str) -> Parameters:
        if self.before is None:
            return parameters.first(given, where)
        before = self.before.parameters
        if before.deactivated:
            raise Refused("did.webvh_after_deactivation", where=where, spec="did:webvh 1.0, Deactivate (Revoke)")
        made = parameters.after(before, given, where)
        if before.next_key_hashes:
            for index, key in enumerate(made.update_keys):
                if multihash.sha256(key.encode("utf-8")) not in before.next_key_hashes:
                    raise Refused(
                        "did.webvh_key_not_committed",
                        where=f"{where}.updateKeys[{index}]",
                        spec="did:webvh 1.0, Pre-Rotation Key Hash Generation and Verification",
                        key=key,
                    )
        return made

    def _time(self, written: str, where: str) -> datetime:
        time = times.read_stamp(written, where)
        if not written.endswith(("Z", "+00:00")):
            raise Malformed("did.webvh_zone", where=where, spec=_READ, found=written)
        if self.before is not None and time <= self.before.time:
            raise Refused("did.webvh_time_order", where=where, spec=_READ, previous=self.before.written, found=written)
        return time

    def _did(self, state: Mapping[str, Any], in_force: Parameters, entry: str) -> str:
        before = self.before
        text = state.get("id")
        if before is not None and text == before.did:
            return before.did
        fields = Fields(state, f"{entry}.state")
        found = identifier.read(fields.text("id"))
        if found.scid != in_force.scid:
            raise Refused(
                "did.webvh_other_scid", where=fields.at("id"), spec=_READ, expected=in_force.scid, found=found.scid
            )
        if before is not None:
            spec = "did:webvh 1.0, DID Portability"
            if not in_force.portable:
                raise Refused(
                    "did.webvh_moved", where=fields.at("id"), spec=spec, previous=before.did, found=found.text
                )
            if before.did not in (fields.optional_texts("alsoKnownAs") or ()):
                raise Refused("did.webvh_also_known_as", where=fields.where, spec=spec, previous=before.did)
        return found.text

    def _proofs(self, fields: Fields, active: tuple[str, ...], signed: bytes) -> None:
        found = fields.value.get("proof")
        listed = found if isinstance(found, list) else [found]
        if not listed or found is None:
            raise Malformed("did.webvh_no_proof", where=fields.at("proof"), spec="did:webvh 1.0, Authorized Keys")
        self.proofs += len(listed)
        if self.proofs > limits.WEBVH_ENTRIES:
            raise Malformed("did.webvh_too_many", where=fields.at("proof"), limit=limits.WEBVH_ENTRIES)
        for index, item in enumerate(listed):
            proof = Fields(item, f"{fields.where}.proof[{index}]")
            name, key = self._key(proof)
            if name not in active:
                raise Refused(
                    "did.webvh_key_not_authorised",
                    where=proof.at("verificationMethod"),
                    spec="did:webvh 1.0, Authorized Keys",
                    key=name,
                )
            options = _usual(proof)
            if options is None:
                suite.check(signed, proof.value, key, suites=(suite.EDDSA,), where=proof.where)
            else:
                signature = multibase.decode(item["proofValue"], f"{proof.where}.proofValue", limit=members.VALUE)
                key.verify(signature, suite.hash_data(signed, options))

    def _key(self, proof: Fields) -> tuple[str, PublicKey]:
        method = proof.text("verificationMethod")
        found = self.keys.get(method)
        if found is None:
            name = key_of(proof)
            found = self.keys[method] = name, parameters.update_key(name, proof.at("verificationMethod"))
        return found


def _usual(proof: Fields) -> bytes | None:
    """The canonical options of a proof as nearly everybody writes it, whose verification method has been read; None for
    any other, which `suite.check` judges.

    Raises:
        Malformed: `time.not_a_stamp`.
    """
    found = proof.value
    if found.keys() != _MEMBERS_OF_PROOF:
        return None
    created, value, method = found["created"], found["proofValue"], found["verificationMethod"]
    if (found["type"], found["cryptosuite"], found["proofPurpose"]) != _KIND_OF_PROOF:
        return None
    if type(created) is not str or type(value) is not str:
        return None
    times.read_stamp(created, f"{proof.where}.created")
    # Neither a stamp nor such a method has anything to escape.
    return _OPTIONS % (created.encode("ascii"), method.encode("ascii"))


def scid_of(head: bytes, tail: bytes) -> str:
    """The SCID of a first entry whose canonical text, with placeholders, is `head` + versionId + `tail`."""
    return multihash.sha256(head + identifier.PLACEHOLDER.encode("ascii") + tail)


def _check_scid(head: bytes, tail: bytes, scid: str, where: str) -> None:
    if not identifier.is_scid(scid):
        raise Malformed("did.webvh_scid_form", where=f"{where}.scid", spec=_READ, found=scid)
    name, placeholder = scid.encode("ascii"), identifier.PLACEHOLDER.encode("ascii")
    preliminary = head.replace(name, placeholder)
    # Members sort otherwise once their names change: then the text is written anew.
    tail = tail.replace(name, placeholder)
    if b"\\" in head or _in_a_name(head, name):
        whole = jcs.canonical(json.read(preliminary + placeholder + tail))
    else:
        whole = preliminary + placeholder + tail
    if not multihash.is_sha256(scid, whole):
        raise Refused(
            "did.webvh_scid",
            where=f"{where}.scid",
            spec="did:webvh 1.0, Verify SCID",
            expected=multihash.sha256(whole),
            found=scid,
        )


def _in_a_name(text: bytes, part: bytes) -> bool:
    """Whether any member's name in canonical JSON without backslashes has `part` in it."""
    at = text.find(part)
    while at >= 0:
        end = text.find(b'"', at + len(part))
        if text[end + 1 : end + 2] == b":":
            return True
        at = text.find(part, end)
    return False
