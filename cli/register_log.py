"""`cityid register audit`, `prove` and `erase-salts`, and how the log of actions is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Json, Yes, one_line
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from datetime import datetime

    from cityid.edge.database import StoredRegister
    from cityid.errors import Problem
    from cityid.keys import Signer
    from cityid.log import Verifier

    from .home import Home

FOLDER = "log"
"""Where the log lies in the folder that is published."""
KEY = "log.key"
"""The file of a home that holds the log's public key, so that nobody is asked for a passphrase to check."""

Tiles = Annotated[
    Path | None, typer.Option("--tiles", metavar="DIR", help="The published log: the folder with `checkpoint` in it.")
]
LogKey = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", callback=one_line, help="The log's key (name+hash+key), or a file with it."),
]


def origin_of(here: Home) -> str:
    """What the log calls itself: `log` in the home's file, else where it is published."""
    from . import registers

    if "log" in here.config:
        return here.text("log")
    return f"{registers.status_base(here).removeprefix('https://').rstrip('/')}/{FOLDER}"


def signer_of(here: Home, register: StoredRegister, clerk: str, passphrase_fd: int | None, at: datetime) -> Signer:
    """The log's key; made where there is none yet."""
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.keys import Algorithm
    from cityid.log import Verifier
    from cityid.register import Key

    from . import keys

    ring = keys.opened(here, passphrase_fd)
    found = [record.key for record in ring.records() if Use.LOG in record.uses]
    if not found:
        found = [ring.create(Algorithm.EDDSA, label="log", uses=(Use.LOG,), created=at)]
        with register.batch(clerk, f"key {found[0].thumbprint}", at) as batch:
            batch.key(Key(found[0].thumbprint, "log", Algorithm.EDDSA.value, at))
    text = Verifier(origin_of(here), found[-1]).write()
    if not here.path(KEY).exists() or files.read_home_file(here.path(KEY)).decode("utf-8").strip() != text:
        files.write(here.path(KEY), f"{text}\n".encode(), force=True)
    return ring.signer_for(found[-1], Use.LOG, at)


def publish_log(
    here: Home, register: StoredRegister, folder: Path, clerk: str, passphrase_fd: int | None, at: datetime
) -> dict[str, Any]:
    """Sign the log of actions and publish it beside the status lists; what `--json` says of it."""
    from cityid.edge import log_files
    from cityid.log import Verifier

    signer = signer_of(here, register, clerk, passphrase_fd, at)
    origin = origin_of(here)
    signed = log_files.publish(register, signer, origin, folder / FOLDER, clerk, at)
    key = Verifier(origin, signer.public_key).write()
    talk.say(f"The log of actions has {signed.size} entries; its key is {talk.clean(key)}")
    return {"origin": origin, "size": signed.size, "key": key}


def take_over_log(
    here: Home, register: StoredRegister, folder: Path, clerk: str, passphrase_fd: int | None, at: datetime
) -> int:
    """After a restore: the entries that the log had since."""
    from cityid.edge import log_files
    from cityid.log import Verifier

    signer = signer_of(here, register, clerk, passphrase_fd, at)
    log = Verifier(origin_of(here), signer.public_key)
    if log_files.published(folder / FOLDER, log) is None:
        return 0
    return log_files.take_over(register, folder / FOLDER, log, clerk, at)


def audit(
    tiles: Tiles = None,
    key: LogKey = None,
    since: Annotated[
        Path | None, typer.Option("--since", metavar="FILE", help="A checkpoint that was kept: is it still true?")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="Check one action, as `register prove` wrote it.")
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Recheck everything: each row against the actions, the actions against the log, the log against its signatures.

    With --key, nothing but the published log is needed (--tiles), or one action's proof (--proof).
    """
    from cityid.errors import Misuse

    if key is not None and proof is not None:
        _shown(_verifier(key), proof, json_=json_)
    elif key is not None and tiles is not None:
        _outside(_verifier(key), tiles, since, json_=json_)
    elif key is not None or proof is not None or since is not None:
        raise Misuse("audit.options")
    else:
        _inside(tiles, by, clerk_fd, json_=json_)


def _verifier(text: str) -> Verifier:
    from cityid.edge import files
    from cityid.errors import Malformed, Misuse
    from cityid.log import Verifier

    if "+" not in text:
        try:
            text = files.read_home_file(text).decode("utf-8").strip()
        except UnicodeDecodeError:
            raise Misuse("note.vkey", spec="C2SP signed-note") from None
    try:
        return Verifier.read(text, "--key")
    except Malformed as error:
        raise Misuse(error.problem) from None


def _outside(log: Verifier, folder: Path, since: Path | None, *, json_: bool) -> None:
    from cityid import limits
    from cityid.edge import files, log_files

    found = log_files.audit_files(folder, log, files.read(since, limits.NOTE) if since else None)
    facts = {"origin": found.checkpoint.origin, "size": found.checkpoint.size}
    _give(
        f"The log {talk.clean(log.name)} is whole: {found.checkpoint.size} entries, all under one signed checkpoint.",
        found.findings, facts, json_=json_,
    )  # fmt: skip


def _shown(log: Verifier, file: Path, *, json_: bool) -> None:
    """One action that a city showed: what it was, and that the log has it."""
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.log import Proof, leaf_hash
    from cityid.register.leaves import read_opening

    proof = Proof.read(files.read(file))
    entry, event = read_opening(proof.extra)
    checkpoint = proof.verify(leaf_hash(entry), log)
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
    log = _verifier(str(here.path(KEY))) if here.path(KEY).exists() else None
    found = audited(opened, log)
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
