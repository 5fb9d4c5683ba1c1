"""The word of witnesses, who approve of new entries before they are published (did:webvh 1.0, DID Witnesses)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from cityid import limits
from cityid.did.webvh import parameters
from cityid.did.webvh.log import Log, key_of
from cityid.encoding import jcs, json
from cityid.encoding.json import Fields, kind
from cityid.errors import Malformed, Refused
from cityid.proofs import jcs as suite

_SPEC: Final = "did:webvh 1.0, Verifying Witness Proofs During Resolution"


def is_needed(log: Log) -> bool:
    """Whether any entry of the log needs the word of witnesses."""
    return any(version.witnesses is not None for version in log.versions)


def judge(log: Log, proofs: bytes) -> Log:
    """`log` with the word of its witnesses, from the file `did-witness.json`; it ends before the first entry that too
    few have approved of.

    A proof speaks for its entry and all before it. One that is wrong, for an entry that the log does not have, or by
    somebody who was not asked, counts for nothing.

    Raises:
        Malformed: `did.webvh_log_size`, `did.webvh_too_many`, `json.*` for the file.
        Refused: `did.webvh_unwitnessed`, where it is the first entry; or what is wrong with a later one.
    """
    latest = spoken(log, read(proofs))
    for index, version in enumerate(log.versions):
        asked = version.witnesses
        if asked is None:
            continue
        count = sum(1 for key in asked.keys if latest.get(key, 0) >= version.number)
        if count < asked.threshold:
            problem = Refused(
                "did.webvh_unwitnessed",
                where=f"$[{index}]",
                spec=_SPEC,
                number=version.number,
                threshold=asked.threshold,
                count=count,
            )
            if not index:
                log.whole()  # an entry that is wrong takes with it the proofs that spoke for all before it
                raise problem
            return replace(log, versions=log.versions[:index], broken=problem)
    return log


def read(proofs: bytes) -> list[tuple[str, list[Any], bool]]:
    """What is in a `did-witness.json`: versionId, proofs, and whether `jcs.is_plain` holds for the file.

    Raises:
        Malformed: `did.webvh_log_size`, `did.webvh_too_many`, `json.*`.
    """
    if len(proofs) > limits.WEBVH_LOG:
        raise Malformed("did.webvh_log_size", limit=limits.WEBVH_LOG, size=len(proofs))
    found = json.read(proofs, limit=limits.WEBVH_LOG)
    if not isinstance(found, list):
        raise Malformed("json.wrong_type", where="$", expected="array", found=kind(found))
    plain = jcs.is_plain(proofs.decode("utf-8"))
    made = []
    count = 0
    for index, item in enumerate(found):
        fields = Fields(item, f"$[{index}]")
        listed = fields.optional_array("proof") or []
        count += len(listed)
        if count > limits.WEBVH_PROOFS:
            raise Malformed("did.webvh_too_many", where=fields.at("proof"), limit=limits.WEBVH_PROOFS)
        made.append((fields.text("versionId"), listed, plain))
    return made


def spoken(log: Log, proofs: list[tuple[str, list[Any], bool]]) -> dict[str, int]:
    """By key of a witness, the number of the latest entry that it has approved of."""
    numbers = {version.id: version.number for version in log.versions}
    asked = {key for version in log.versions if version.witnesses is not None for key in version.witnesses.keys}
    latest: dict[str, int] = {}
    for id_, listed, plain in proofs:
        number = numbers.get(id_, 0)
        signed = statement(id_) if number else b""
        for proof in listed if number else ():
            try:
                fields = Fields(proof, "$.proof")
                name = key_of(fields)
                if name not in asked or latest.get(name, 0) >= number:
                    continue
                key = parameters.update_key(name, "$.proof.verificationMethod")
                suite.check(signed, proof, key, suites=(suite.EDDSA,), plain=plain)
            except (Malformed, Refused):
                continue
            latest[name] = number
    return latest


def statement(version_id: str) -> bytes:
    """What a witness signs."""
    return jcs.canonical({"versionId": version_id})
