"""A city's did:webvh on disk: `did/did.jsonl` and `did/did-witness.json`, as they are to be published, and beside them
`did/proposed.jsonl`, a change that waits for its witnesses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .home import Home

if TYPE_CHECKING:
    from cityid.clerks import Clerk
    from cityid.did import DidDocument
    from cityid.did.webvh import Log
    from cityid.edge.database import StoredRegister
    from cityid.edge.software_keys import Record
    from cityid.keys import PublicKey

    from .keys import CityKeyring

DidFd = Annotated[
    int | None,
    typer.Option(
        "--did-passphrase-fd",
        metavar="N",
        help="Where the keys of the DID's history lie in a keyring of their own: its passphrase, from descriptor N.",
    ),
]
LINGER = timedelta(days=2)
"""How long a rotated issuer key stays in the document: until nobody relies on a status list that it signed."""
_LABEL = re.compile(r"did-([0-9]{1,9})")


def is_webvh(here: Home) -> bool:
    return str(here.config.get("did", "")).startswith("did:webvh:")


@dataclass(frozen=True, slots=True)
class History:
    """What is published, as it was judged `at`."""

    here: Home
    at: datetime
    log: bytes
    proofs: bytes
    judged: Log

    @property
    def did(self) -> str:
        return self.judged.last.did

    @property
    def folder(self) -> Path:
        return self.here.path("did")

    def proposed(self) -> bytes | None:
        """The log with the change that waits for its witnesses."""
        from cityid import limits
        from cityid.edge import files

        file = self.folder / "proposed.jsonl"
        return files.read_home_file(file, limits.WEBVH_LOG) if file.exists() else None


def read(here: Home, at: datetime) -> History:
    """The history of this home's DID.

    Raises:
        Misuse: `did.no_history`, `issue.no_document`, `issue.document`, `file.*`.
    """
    from cityid import limits
    from cityid.did import webvh
    from cityid.did.webvh import identifier
    from cityid.edge import files
    from cityid.errors import CityIdError, Misuse

    from . import home

    file, beside = here.path("did", "did.jsonl"), here.path("did", "did-witness.json")
    if not is_webvh(here):
        raise Misuse("did.no_history", did=str(here.config.get("did", "")))
    if not file.exists():
        raise Misuse("issue.no_document", file=str(file))
    log = files.read_home_file(file, limits.WEBVH_LOG)
    proofs = files.read_home_file(beside, limits.WEBVH_LOG) if beside.exists() else b""
    try:
        judged = webvh.judge(log, proofs or None, identifier.read(here.text("did")), at).whole()
    except CityIdError as error:
        raise Misuse("issue.document", file=str(file), reason=error.code) from None
    if judged.last.did != here.text("did"):  # it was moved, and something came between
        home.set_members(here, {"did": judged.last.did})
        here = replace(here, config={**here.config, "did": judged.last.did})
    return History(here, at, log, proofs, judged)


def document(here: Home, at: datetime) -> DidDocument:
    """The document that this home publishes.

    Raises:
        Misuse: as `read`.
    """
    from cityid.did import webvh
    from cityid.errors import CityIdError, Misuse

    found = read(here, at)
    try:
        return webvh.current(found.judged)
    except CityIdError as error:
        raise Misuse("issue.document", file=str(found.folder / "did.jsonl"), reason=error.code) from None


@dataclass(frozen=True, slots=True)
class Pen:
    """Who writes the next entry: the keyring with the keys of the DID, the clerk who acts, and the register that is to
    know of keys."""

    ring: CityKeyring
    register: StoredRegister
    clerk: Clerk
    at: datetime

    def writer(self, log: Log) -> Record:
        """The key that may write the next entry.

        Raises:
            Misuse: `did.no_writer`.
        """
        from cityid.did import webvh
        from cityid.errors import Misuse
        from cityid.keys import multikey

        in_force = log.last.parameters
        for record in self._kept():
            if in_force.next_key_hashes:
                fits = webvh.key_hash(record.key) in in_force.next_key_hashes
            else:
                fits = multikey.write(record.key) in in_force.update_keys
            if fits:
                return record
        raise Misuse("did.no_writer", did=log.last.did)

    def spare(self, log: Log | None, taken: tuple[Record, ...] = ()) -> Record:
        """A key that no entry names yet, such as one made for a change that was withdrawn; a new one where there is
        none."""
        from cityid.did import webvh
        from cityid.keys import multikey

        named = {name for version in (log.versions if log else ()) for name in version.parameters.update_keys}
        hashed = {one for version in (log.versions if log else ()) for one in version.parameters.next_key_hashes}
        for record in self._kept():
            if record in taken or multikey.write(record.key) in named or webvh.key_hash(record.key) in hashed:
                continue
            return record
        numbers = [int(found[1]) for one in self.ring.records() if (found := _LABEL.fullmatch(one.label))]
        return self._made(f"did-{max(numbers, default=0) + 1}")

    def end_former(self, log: Log) -> None:
        """Keys that were written with and are no longer sign no more."""
        from cityid.did import webvh
        from cityid.keys import multikey

        last = log.last.parameters
        former = {name for version in log.versions for name in version.parameters.update_keys} - set(last.update_keys)
        for record in self._kept():
            if multikey.write(record.key) in former and webvh.key_hash(record.key) not in last.next_key_hashes:
                self.ring.end(record.key, self.at)

    def _kept(self) -> list[Record]:
        from cityid.edge.software_keys import Use

        return [one for one in self.ring.records() if Use.DID_UPDATE in one.uses and one.not_after is None]

    def _made(self, label: str) -> Record:
        from cityid.edge.software_keys import Use
        from cityid.keys import Algorithm

        from . import keys

        self.ring.create(Algorithm.EDDSA, label=label, uses=(Use.DID_UPDATE,), created=self.at)
        found = self.ring.find(label)
        keys.recorded(self.register, self.clerk, found, self.at)
        return found


def pen(
    here: Home,
    register: StoredRegister,
    clerk: Clerk,
    at: datetime,
    passphrase_fd: int | None = None,
    did_fd: int | None = None,
) -> Pen:
    """Raises as `keys.opened`."""
    from . import keys

    if "did_keys" in here.config:
        return Pen(keys.opened(here, did_fd, "did_keys"), register, clerk, at)
    return Pen(keys.opened(here, passphrase_fd), register, clerk, at)


def moment(log: Log, at: datetime) -> datetime:
    """When the next entry is made: now, or a second after the last one."""
    return max(at, log.last.time + timedelta(seconds=1))


def change(history: History, pen_: Pen, **more: Any) -> bytes:
    """The log with one more entry; `more` as for `webvh.append`, or `place` for a move. Where keys were committed to,
    they come now, and others are committed to, unless `next_keys` says which.

    Raises:
        Misuse: `did.waits`, `did.no_writer`. Malformed, Refused: as `webvh.append`.
    """
    from cityid.did import webvh
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse

    if history.proposed() is not None:
        raise Misuse("did.waits", file=str(history.folder / "proposed.jsonl"))
    log = history.judged
    pen_.end_former(log)
    record = pen_.writer(log)
    if log.last.parameters.next_key_hashes:
        more.setdefault("update_keys", (record.key,))
        if "next_keys" not in more:
            more["next_keys"] = (pen_.spare(log, (record,)).key,)
    signer = pen_.ring.signer_for(record.key, Use.DID_UPDATE, pen_.at)
    at = moment(log, pen_.at)
    place = more.pop("place", None)
    if place is not None:
        return webvh.move(history.log, place, signer, at, **more)
    return webvh.append(history.log, signer, at, **more)


def settle(here: Home, log: bytes, proofs: bytes, at: datetime, output: Path | None = None) -> bool:
    """Make `log` the one to be published, or where its last entry needs the word of witnesses, a proposal, which is
    also written to `output`. True for the former.

    Raises:
        Misuse, Unavailable: `file.*`.
    """
    from cityid.did.webvh import history, identifier
    from cityid.did.webvh.log import read as read_log
    from cityid.edge import files
    from cityid.errors import Malformed, Refused

    whole = read_log(log, at + timedelta(minutes=1)).whole()
    folder = here.path("did")
    folder.mkdir(mode=0o755, exist_ok=True)
    did = identifier.read(whole.last.did)
    try:
        history.belonging(history.approved(whole, proofs or None).whole(), did)
    except (Malformed, Refused) as error:
        if error.code != "did.webvh_unwitnessed":
            raise
        files.write(folder / "proposed.jsonl", log, force=True)
        if output is not None:
            files.write(output, log, force=True)
        asked = whole.last.witnesses
        count = asked.threshold if asked else 0
        talk.say(
            f"Not in force yet: {count} of its witnesses must sign {talk.clean(output or folder / 'proposed.jsonl')} "
            "(cityid did witness FILE -o PROOF). Take what they give with: cityid did witness --take PROOF"
        )
        return False
    publish(here, folder, log, proofs)
    (folder / "proposed.jsonl").unlink(missing_ok=True)
    served = here.config.get("did_folder")
    if served:
        serve(log, proofs, Path(str(served)), at)
        talk.say(f"Published in {talk.clean(served)}.")
    if not served or did.text != here.config.get("did"):
        names = "did-witness.json, then did.jsonl," if proofs else "did.jsonl"
        talk.say(f"Publish {names} in {talk.clean(folder)} under {did.folder}/")
    return True


def publish(here: Home, folder: Path, log: bytes, proofs: bytes) -> None:
    """Witnesses first: an entry must never be seen without them."""
    from cityid.did.webvh.log import judged
    from cityid.edge import files

    from . import home

    if proofs:
        files.write(folder / "did-witness.json", proofs, force=True)
    files.write(folder / "did.jsonl", log, force=True)
    did = judged(log).last.did
    if did != here.config.get("did"):
        home.set_members(here, {"did": did})


def serve(log: bytes, proofs: bytes, folder: Path, at: datetime) -> None:
    """Put both files into a folder that a web server serves. What lies there may not be newer, nor another history.

    Raises:
        Malformed, Refused: `did.webvh_truncated`, `did.webvh_forked`, `did.webvh_other_scid`.
    """
    from cityid import limits
    from cityid.did.webvh.log import read as read_log
    from cityid.edge import files
    from cityid.errors import Refused

    target = folder / "did.jsonl"
    ours = read_log(log, at + timedelta(minutes=1)).whole()
    if target.exists():
        there = read_log(files.read(target, limits.WEBVH_LOG), at + timedelta(minutes=1))
        if there.scid != ours.scid:
            raise Refused("did.webvh_other_scid", expected=ours.scid, found=there.scid)
        ours.continues(there.last.id)
    if proofs:
        files.write(folder / "did-witness.json", proofs, force=True)
    files.write(target, log, force=True)


def update_issuer_keys(
    here: Home,
    pen_: Callable[[], Pen],
    at: datetime,
    live: Mapping[str, PublicKey],
    former: frozenset[str],
    output: Path | None = None,
) -> str:
    """See to it that the document has the issuer keys `live`, by label, and of `former` no other; what to publish. No
    key is asked for where nothing changes.

    Raises:
        As `change` and `settle`.
    """
    from cityid.credential import Purpose
    from cityid.did import webvh
    from cityid.errors import CityIdError

    history = read(here, at)
    found = webvh.current(history.judged)
    missing = {}
    for label, key in live.items():
        try:
            there = found.key(label, Purpose.ASSERTION)
        except CityIdError:
            there = None
        if there != key:
            missing[label] = key
    held = {method.partition("#")[2] for method in found.methods}
    gone = sorted((former & held) - live.keys())
    if missing or gone:
        state = webvh.with_keys(history.judged.last.state, missing, gone)
        settle(history.here, change(history, pen_(), state=state), history.proofs, at, output)
    return "did.jsonl"


def check_published(here: Home, record: Record, at: datetime) -> None:
    """Is the key in the document that is published?

    Raises:
        Misuse: `did.key_not_published`.
    """
    from cityid.credential import Purpose
    from cityid.errors import Malformed, Misuse, Refused

    try:
        found = document(here, at).key(record.label, Purpose.ASSERTION)
    except (Malformed, Refused):
        found = None
    if found != record.key:
        raise Misuse("did.key_not_published", label=record.label)
