"""`cityid register audit`, `prove` and `erase-salts`, and how the log of actions is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import talk
from .options import Json, Yes, one_line
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cityid.clerks import Clerk
    from cityid.edge.database import StoredRegister
    from cityid.errors import Problem
    from cityid.keys import Signer
    from cityid.log import Verifier, Witness

    from .home import Home

T = TypeVar("T")
FOLDER = "log"
"""Where the log lies in the folder that is published."""
KEY = "log.key"
FORMER = "log-former.key"
"""Files of a home: the log's public keys, the newest first, and those that it had before, so that nobody is asked for a
passphrase to check."""

Tiles = Annotated[
    Path | None, typer.Option("--tiles", metavar="DIR", help="The published log: the folder with `checkpoint` in it.")
]
LogKey = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        callback=one_line,
        help="The log's key (name+hash+key), or a file with it. Further ones are keys that it had before, for --since.",
    ),
]


def origin_of(here: Home) -> str:
    """What the log calls itself: `log` in the home's file, else where it is published."""
    from . import registers

    if "log" in here.config:
        return here.text("log")
    return f"{registers.status_base(here).removeprefix('https://').rstrip('/')}/{FOLDER}"


def signers_of(
    here: Home, register: StoredRegister, clerk: Clerk, passphrase_fd: int | None, at: datetime
) -> tuple[list[Signer], list[Verifier]]:
    """The log's keys that sign, the newest first, and those that signed before; made where there is none yet. The files
    beside the home's hold the public halves."""
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.keys import Algorithm
    from cityid.log import Verifier

    from . import key_log, keys

    ring, origin = keys.opened(here, passphrase_fd), origin_of(here)
    if not key_log.records(ring):
        ring.create(Algorithm.EDDSA, label="log", uses=(Use.LOG,), created=at)
        keys.recorded(register, clerk, ring.find("log"), at)
    found = key_log.records(ring)[::-1]
    signers = [ring.signer_for(one.key, Use.LOG, at) for one in found if one.not_after is None]
    former = [Verifier(origin, one.key) for one in found if one.not_after is not None]
    # Keys that lie in no keyring any more, because the city's keys moved, opened older checkpoints all the same.
    here_now = {one.public_key for one in signers} | {one.key for one in former}
    former += [one for one in known_keys(here) if one.key not in here_now and one.name == origin]
    for name, listed in ((KEY, [Verifier(origin, one.public_key) for one in signers]), (FORMER, former)):
        text = "".join(f"{one.write()}\n" for one in listed)
        there = files.read_home_file(here.path(name)).decode("utf-8") if here.path(name).exists() else ""
        if there != text:
            files.write(here.path(name), text.encode("utf-8"), force=True)
    return list(signers), former


def known_keys(here: Home) -> list[Verifier]:
    """The log's keys by the files of the home: the newest first."""
    from cityid.log import Verifier

    files = [here.path(name) for name in (KEY, FORMER)]
    given = [str(file) for file in files if file.exists() and file.stat().st_size]
    return list(dict.fromkeys(keys_given(given, Verifier.read, KEY)))


def publish_log(
    here: Home, register: StoredRegister, folder: Path, clerk: Clerk, passphrase_fd: int | None, at: datetime
) -> dict[str, Any]:
    """Sign the log of actions and publish it beside the status lists; what `--json` says of it."""
    from cityid.edge import log_files
    from cityid.log import Verifier

    (signer, *also), former = signers_of(here, register, clerk, passphrase_fd, at)
    origin = origin_of(here)
    signed = log_files.publish(
        register, signer, origin, folder / FOLDER, clerk.name, at, also=also, former=former
    )  # fmt: skip
    key = Verifier(origin, signer.public_key).write()
    talk.say(f"The log of actions has {signed.size} entries; its key is {talk.clean(key)}")
    return {"origin": origin, "size": signed.size, "key": key}


def take_over_log(
    here: Home, register: StoredRegister, folder: Path, clerk: Clerk, passphrase_fd: int | None, at: datetime
) -> int:
    """After a restore: the entries that the log had since."""
    from cityid.edge import log_files
    from cityid.errors import Refused
    from cityid.log import Verifier

    signers, former = signers_of(here, register, clerk, passphrase_fd, at)
    own = [*(Verifier(origin_of(here), one.public_key) for one in signers), *former]
    if log_files.published(folder / FOLDER, *own) is None:
        return 0
    for log in own:
        # what was published last may be signed with a key from before a change
        try:
            return log_files.take_over(register, folder / FOLDER, log, clerk.name, at)
        except Refused as error:
            if error.code != "note.unsigned":
                raise
    raise AssertionError  # one of them signed it


def audit(
    tiles: Tiles = None,
    key: LogKey = None,
    since: Annotated[
        Path | None, typer.Option("--since", metavar="FILE", help="A checkpoint that was kept: is it still true?")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="Check one action, as `register prove` wrote it.")
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            "--witness",
            metavar="KEY",
            callback=one_line,
            help="Somebody who must have cosigned the log (name+hash+key), or a file with it; may be repeated.",
        ),
    ] = None,
    quorum: Annotated[
        int | None,
        typer.Option("--quorum", metavar="K", min=1, help="So many of the witnesses are enough, instead of all."),
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Recheck everything: each row against the actions, the actions against the log, the log against its signatures.

    With --key, nothing but the published log is needed (--tiles), or one action's proof (--proof).
    """
    from cityid.errors import Misuse
    from cityid.log import Verifier, Witness

    logs = keys_given(key or [], Verifier.read, "--key")
    witnesses = keys_given(witness or [], Witness.read, "--witness")
    if logs and proof is not None:
        _shown(logs[0], proof, witnesses, quorum, json_=json_)
    elif logs and tiles is not None:
        _outside(logs, tiles, since, witnesses, quorum, json_=json_)
    elif logs or proof is not None or since is not None or witnesses or quorum is not None:
        raise Misuse("audit.options")
    else:
        _inside(tiles, by, clerk_fd, json_=json_)


def keys_given(given: list[str], read: Callable[[str, str], T], option: str) -> list[T]:
    """Keys as an option gives them: each a vkey, or a file with some, one a line."""
    from cityid.edge import files
    from cityid.errors import Malformed, Misuse

    found = []
    for one in given:
        text = one
        if "+" not in one:
            try:
                text = files.read_home_file(one).decode("utf-8").strip()
            except UnicodeDecodeError:
                raise Misuse("note.vkey", spec="C2SP signed-note") from None
        try:
            found += [read(line, option) for line in text.split("\n")]
        except Malformed as error:
            raise Misuse(error.problem) from None
    return found


def _outside(
    logs: list[Verifier], folder: Path, since: Path | None, witnesses: list[Witness], quorum: int | None, *, json_: bool
) -> None:
    from cityid import limits
    from cityid.edge import files, log_files

    log, *former = logs
    kept = files.read(since, limits.NOTE) if since else None
    found = log_files.audit_files(folder, log, kept, former=former, witnesses=witnesses, quorum=quorum)
    facts: dict[str, Any] = {"origin": found.checkpoint.origin, "size": found.checkpoint.size}
    facts |= {"witnesses": {name: at.isoformat() for name, at in found.seen}} if found.seen else {}
    told = f"The log {talk.clean(log.name)} is whole: {found.checkpoint.size} entries, all under one signed checkpoint."
    told += "".join(f"\n  seen by {talk.clean(name)}, {at:%d %b %Y %H:%M} UTC" for name, at in found.seen)
    _give(told, found.findings, facts, json_=json_)


def _shown(log: Verifier, file: Path, witnesses: list[Witness], quorum: int | None, *, json_: bool) -> None:
    """One action that a city showed: what it was, and that the log has it."""
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.log import Proof, cosignature, leaf_hash, note
    from cityid.register.leaves import read_opening

    proof = Proof.read(files.read(file))
    entry, event = read_opening(proof.extra)
    checkpoint = proof.verify(leaf_hash(entry), log)
    cosignature.seen(note.read(proof.checkpoint), witnesses, quorum)
    if json_:
        talk.give({"event": event, "index": proof.index, "size": checkpoint.size, "origin": checkpoint.origin})
        return
    talk.out(f"Entry {proof.index} of {checkpoint.size} in {talk.clean(checkpoint.origin)} is this action:")
    talk.out(f"  {talk.clean(json.write(event).decode('utf-8'), 2_000)}")


def _inside(tiles: Path | None, by: str | None, clerk_fd: int | None, *, json_: bool) -> None:
    from cityid.clerks import Right
    from cityid.edge import log_files
    from cityid.edge.register_audit import audit as audited

    from . import registers

    here = registers.home_of()
    opened = registers.register_of(here)
    registers.acting(opened, Right.READ, by, clerk_fd)
    logs = known_keys(here)
    log = logs[0] if logs else None
    found = audited(opened, log, *logs[1:])
    findings = found.findings
    if tiles is not None and log is not None:
        findings += log_files.audit_files(tiles, log).findings
        findings += tuple(log_files.differences(opened, tiles, log))
    facts = {
        "actions": found.actions, "size": found.size, "waiting": found.waiting, "erased": found.erased,
        "checkpoints": found.checkpoints, "unremembered": found.unremembered, "signatures": log is not None,
    }  # fmt: skip
    told = (
        f"The register is as its actions left it: {found.actions} actions, {found.size} of them in the log, "
        f"{found.checkpoints} checkpoints{'' if log else ' (signatures not checked: nothing was published yet)'}."
    )
    if found.unremembered:
        told += (
            f"\n{found.unremembered} rows have no action that remembers them: it was erased, or is from before the log."
        )
    _give(told, findings, facts, json_=json_)


def _give(good: str, findings: tuple[Problem, ...], facts: dict[str, Any], *, json_: bool) -> None:
    from cityid.edge.messages import Audience, explain

    if json_:
        talk.give({**facts, "content": not findings, "findings": [talk.as_json(problem) for problem in findings]})
    else:
        for problem in findings:
            talk.out(
                f"{talk.bad('NO')}  {talk.clean(explain(problem, audience=Audience.OFFICER).text)}  ({problem.code})"
            )
        if not findings:
            talk.out(good)
    if findings:
        raise talk.Stop(talk.NO)


def prove(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The row whose actions are to be shown.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="The folder for the proofs, one a file.")
    ],
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Write what shows an auditor the actions about one row, without the names of clerks: each with its proof."""
    from cityid.clerks import Right
    from cityid.edge import files
    from cityid.errors import Misuse
    from cityid.log import Proof, merkle
    from cityid.log.tiles import nodes_of
    from cityid.register.leaves import opening

    from . import registers

    here = registers.home_of()
    opened = registers.register_of(here)
    row = opened.find(number)
    registers.acting(opened, Right.READ, by, clerk_fd, type_=row.type)
    signed = opened.checkpoint()
    if signed is None:
        raise Misuse("audit.unsigned")
    if not output.is_dir():
        raise Misuse("file.not_found", file=str(output))
    nodes = nodes_of(opened.tile, signed.size)
    written = []
    for event in opened.actions(number):
        if event.position is None or event.position >= signed.size:
            continue
        path = merkle.inclusion(nodes, event.position, signed.size)
        data = Proof(event.position, path, signed.note.encode("utf-8"), opening(event)).write()
        file = output / f"{number}-{event.id}.tlog-proof"
        files.write(file, data)
        written.append({"file": str(file), "kind": event.kind, "index": event.position})
    if json_:
        talk.give({"number": number, "proofs": written})
    for one in written:
        talk.say(f"{one['kind']}: written to {talk.clean(one['file'])}")
    if not written:
        talk.say("No action about it is in the log as it was signed last.")


def erase_salts(
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="Forget what was done before this day, but for its leaf.")
    ],
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Forget old actions: their entries stay in the log and say nothing any more.

    The last action about a card stays until the card is over, because it remembers the card.
    """
    from datetime import UTC, datetime, time

    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.encoding import times
    from cityid.errors import Malformed, Misuse

    from . import registers

    try:
        day = datetime.combine(times.read_date(before), time(), UTC)
    except Malformed as error:
        raise Misuse(error.problem) from None
    at = clock.now()
    if day > at:
        raise Misuse("audit.not_yet", date=before)
    here = registers.home_of()
    opened = registers.register_of(here)
    clerk = registers.acting(opened, Right.ADMINISTER, by, clerk_fd)
    if not yes:
        talk.agree(f"Forget who did what before {day:%d %b %Y}, for ever?", flag="--yes")
    with opened.batch(clerk.name, f"erase {at.isoformat()}", at) as batch:
        count = 0 if batch.repeats else batch.erase_salts(day)
    talk.say(f"{count} actions forgotten; their entries stay in the log.")
    if json_:
        talk.give({"forgotten": count, "before": before})
