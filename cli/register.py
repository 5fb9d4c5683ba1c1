"""`cityid register`: what was issued, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import register_devices, register_files, register_log, register_move, register_witness, talk
from .options import Force, Json, named, plain
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from datetime import datetime

    from cityid.clerks import Clerk
    from cityid.edge.database import StoredRegister
    from cityid.register import Filter, Issued

    from .home import Home

Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", callback=plain, help="Only this type.")]
StateOf = Annotated[
    str | None,
    typer.Option("--state", metavar="STATE", help="Only pending, offered, issued or withdrawn rows."),
]
Standing = Annotated[
    str | None, typer.Option("--status", metavar="STATUS", help="Only valid, revoked or suspended ones.")
]
ByWhom = Annotated[str | None, typer.Option("--clerk", metavar="NAME", callback=plain, help="Only what NAME prepared.")]
Department = Annotated[
    str | None, typer.Option("--department", metavar="NAME", callback=plain, help="Only this department's records.")
]
Since = Annotated[str | None, typer.Option("--since", metavar="DATE", help="Only rows made on this day or later.")]
Until = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Only rows made before this day.")]
Person = Annotated[str | None, typer.Option("--person", metavar="ID", callback=plain, help="Only this person's cards.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many rows.")]

STANDINGS = {"valid": 0, "revoked": 1, "suspended": 2}
COLUMNS = (
    "number", "type", "format", "state", "status", "valid_from", "valid_until", "copies", "made", "clerk",
    "approved_by", "department", "device", "batch", "why",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What was issued, and what became of it.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("search")(search)
    group.command("devices")(register_devices.devices)
    group.command("export")(export)
    group.command("statistics")(statistics)
    group.command("publish")(register_files.publish)
    group.command("reconcile")(register_files.reconcile)
    group.command("changed")(register_move.changed)
    group.command("copy")(register_move.copy)
    group.command("audit")(register_log.audit)
    group.command("witness")(register_witness.witness)
    group.command("prove")(register_log.prove)
    group.command("erase-salts")(register_log.erase_salts)
    app.add_typer(group, name="register")


def list_(
    type_: Type = None,
    state: StateOf = None,
    status: Standing = None,
    clerk: ByWhom = None,
    department: Department = None,
    person: Person = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """List rows of the register, oldest first."""
    here, opened, reader = _reading(by, clerk_fd)
    where = _filter(here, reader, type_, state, status, clerk, department, person, since, until)
    _give(opened, where, limit, json_=json_)


def search(
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", callback=plain, help="A part of a number, or how a key's thumbprint begins."),
    ],
    limit: Limit = 50,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Find rows by a part of their number, or by a key."""
    from dataclasses import replace

    here, opened, reader = _reading(by, clerk_fd)
    where = _filter(here, reader)
    _give(opened, replace(where, text=text), limit, json_=json_)


def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Such as R-2026-004711.")],
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Show one row: its copies, its keys, and what was done to it by whom and why."""
    from cityid.clerks import Right
    from cityid.encoding import json

    from . import registers

    _, opened, reader = _reading(by, clerk_fd)
    row = opened.find(number)
    registers.allowed(opened, reader, Right.READ, type_=row.type, department=row.department)
    changes = [(ref, change) for ref in row.status for change in opened.history(ref)]
    claims = opened.claims(number) if registers.flag(registers.home_of(), "keep_claims") else b""
    if json_:
        talk.give({
            **_as_json(row),
            "holders": list(row.holders),
            "entries": [{"list": ref.uri, "index": ref.index, "value": value}
                        for ref, value in zip(row.status, row.values, strict=True)],
            "changes": [{"list": ref.uri, "index": ref.index, "value": one.value, "why": one.why, "by": one.by,
                         "at": one.at} for ref, one in changes],
            **({"claims": json.read(claims)} if claims else {}),
        })  # fmt: skip
        return
    rows = [(f"  {name}", talk.clean(str(value))) for name, value in _as_json(row).items() if value not in ("", None)]
    rows += [("  key", talk.clean(holder)) for holder in row.holders]
    rows += [
        ("  entry", f"{ref.index} of {talk.clean(ref.uri)} is {_word(value)}")
        for ref, value in zip(row.status, row.values, strict=True)
    ]
    for line in talk.columns(rows):
        talk.out(line)
    order = {(one.at, n, one.value, one.by, one.why): None for ref in row.status
             for n, one in enumerate(opened.history(ref))}  # fmt: skip
    for at, _, value, who, why in sorted(order):
        talk.out(f"  {at:%d %b %Y %H:%M} {_word(value)} by {talk.clean(who)}: {talk.clean(why)}")
    if claims:
        for name, value in json.read_object(claims).items():
            talk.out(f"  {talk.clean(name)} = {talk.value(value)}")


def export(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Write to FILE.")
    ] = None,
    as_: Annotated[str, typer.Option("--as", metavar="FORM", help="csv or jsonl.")] = "csv",
    type_: Type = None,
    state: StateOf = None,
    status: Standing = None,
    clerk: ByWhom = None,
    department: Department = None,
    person: Person = None,
    since: Since = None,
    until: Until = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Export rows as CSV or JSON Lines, however many there are."""
    from cityid.edge import files
    from cityid.errors import Misuse

    if as_ not in ("csv", "jsonl"):
        raise Misuse("register.export_form", form=as_)
    if output is not None:
        files.check_free(output, force=force)
    here, opened, reader = _reading(by, clerk_fd)
    where = _filter(here, reader, type_, state, status, clerk, department, person, since, until)
    count = 0
    if output is None:
        for line in _lines(opened.rows(where=where), as_):
            talk.out(line)
        return
    with files.writing(output, force=force, private=True) as stream:
        for line in _lines(opened.rows(where=where), as_):
            stream.write(line.encode("utf-8") + b"\n")
            count += 1
    count -= as_ == "csv"
    if json_:
        talk.give({"rows": count, "file": str(output)})
    talk.say(
        f"{count} {'row' if count == 1 else 'rows'} written to {talk.clean(output)}, which tells who was issued what"
    )


def statistics(by: By = None, clerk_fd: ClerkFd = None, json_: Json = False) -> None:
    """Count what was issued, by type, state, status and clerk."""
    _, opened, reader = _reading(by, clerk_fd)
    counted: dict[str, dict[str, int]] = {name: dict(found) for name, found in opened.statistics().items()}
    counted["status"] = {_word(int(value)): count for value, count in counted["status"].items()}
    if reader.department:
        from cityid.errors import Refused

        raise Refused("clerk.other_department", clerk=reader.name, department="all departments")
    if json_:
        talk.give(counted)
        return
    rows = [(name, talk.clean(value), str(count)) for name, found in counted.items() for value, count in found.items()]
    for line in talk.columns(rows):
        talk.out(line)


# -- what they share --


def _reading(by: str | None, clerk_fd: int | None) -> tuple[Home, StoredRegister, Clerk]:
    from cityid.clerks import Right

    from . import registers

    here = registers.home_of()
    opened = registers.register_of(here)
    return here, opened, registers.acting(opened, Right.READ, by, clerk_fd)


def _filter(
    here: Home,
    reader: Clerk,
    type_: str | None = None,
    state: str | None = None,
    status: str | None = None,
    clerk: str | None = None,
    department: str | None = None,
    person: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Filter:
    """What is asked for, within what the reader may see."""
    from cityid import clerks
    from cityid.edge import clock
    from cityid.errors import Misuse
    from cityid.register import Filter, State

    from . import registers

    if state is not None and state not in {one.value for one in State}:
        raise Misuse("register.filter", option="--state", known=", ".join(one.value for one in State))
    if status is not None and status not in STANDINGS:
        raise Misuse("register.filter", option="--status", known=", ".join(STANDINGS))
    clerks.check(reader, clerks.Right.READ, clock.now(), type=type_, department=department)
    return Filter(
        type=type_,
        types=reader.types,
        state=State(state) if state else None,
        standing=STANDINGS[status] if status else None,
        clerk=clerk,
        department=department if department is not None else reader.department or None,
        subject=registers.secret_of(here).pseudonym(person) if person else None,
        since=_day(since),
        until=_day(until),
    )


def _day(text: str | None) -> datetime | None:
    from datetime import UTC, datetime, time

    from cityid.encoding import times
    from cityid.errors import Malformed, Misuse

    try:
        return datetime.combine(times.read_date(text), time(), UTC) if text else None
    except Malformed as error:
        raise Misuse(error.problem) from None


def _give(opened: StoredRegister, where: Filter, limit: int, *, json_: bool) -> None:
    from itertools import islice

    rows = list(islice(opened.rows(where=where), limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    if json_:
        talk.give({"rows": [_as_json(row) for row in rows], "more": more})
        return
    for line in talk.columns([
        (row.number, talk.clean(row.type), _standing(row), f"{row.at:%d %b %Y}", talk.clean(row.clerk, 40))
        for row in rows
    ]):  # fmt: skip
        talk.out(line)
    if more:
        talk.say(f"There are more; this is the first {limit}. Narrow it down, or: cityid register export")
    elif not rows:
        talk.say("No row answers this.")


def _word(value: int) -> str:
    return next((word for word, known in STANDINGS.items() if known == value), f"status {value}")


def _standing(row: Issued) -> str:
    return _word(row.standing) if row.state.value == "issued" and row.status else row.state.value


def _as_json(row: Issued) -> dict[str, Any]:
    def stamp(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "number": row.number, "type": row.type, "format": row.format, "state": row.state.value,
        "status": _word(row.standing) if row.status else "none",
        "valid_from": stamp(row.window.start), "valid_until": stamp(row.window.end), "copies": len(row.copies),
        "made": stamp(row.at), "clerk": row.clerk, "approved_by": row.approved_by, "department": row.department,
        "device": row.device, "batch": row.batch, "why": row.why,
    }  # fmt: skip


def _lines(rows: Iterator[Issued], form: str) -> Iterator[str]:
    import csv
    import io
    import json

    if form == "jsonl":
        yield from (json.dumps({**_as_json(row), "holders": list(row.holders)}, ensure_ascii=False) for row in rows)
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="")
    for cells in _table(rows):
        writer.writerow(cells)
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _table(rows: Iterator[Issued]) -> Iterator[tuple[str, ...]]:
    from .issue import safe

    yield COLUMNS
    for row in rows:
        shown = _as_json(row)
        yield tuple(safe("" if shown[name] is None else str(shown[name])) for name in COLUMNS)
