"""`cityid register copy` and `changed`: into another database, and beside a newer file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Json
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.credential import CredentialType

    from .home import Home


def copy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An empty database: postgresql://HOST/DB.")],
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Copy the register and the open offers from this home's SQLite files into an empty PostgreSQL database."""
    from cityid.clerks import Right
    from cityid.edge import clock, register_copy
    from cityid.edge.database import PostgresRegister, PostgresSessions
    from cityid.edge.postgres import is_postgres
    from cityid.errors import Misuse

    from . import registers
    from .state import STATE

    here = registers.home_of()
    if not is_postgres(name):
        raise Misuse("store.name")
    if registers.where(here):
        raise Misuse("register.copied_already", file=str(here.file))
    opened = registers.register_of(here)
    clerk = registers.acting(opened, Right.ADMINISTER, by, clerk_fd)

    def password() -> str:
        return registers.password(name)

    target = STATE.opened.enter_context(PostgresRegister(name, password=password))
    offers = registers.sessions_of(here), STATE.opened.enter_context(PostgresSessions(name, password=password))
    counts = register_copy.copy(opened, target, offers, by=clerk.name, at=clock.now())
    talk.say(
        f"Copied {counts['cards']} rows, {counts['entries']} entries and {counts['events']} actions. From now on this "
        f"home must use them; write into {talk.clean(here.file)}, and put the SQLite files away:"
    )
    if json_:
        talk.give(counts)
    else:
        talk.out(f'register = "{talk.clean(name)}"')


def changed(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="Claims as they are now, as CSV or JSON Lines.")],
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="The credential type.")],
    person: Annotated[
        str, typer.Option("--person", metavar="COLUMN", help="The column that says who it is, as `issue --person` did.")
    ],
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Compare a file with what was issued: whose card says something else by now, and who has none."""
    from cityid.clerks import Right
    from cityid.register import Filter, State, Status

    from . import kinds, registers

    here = registers.home_of()
    kind = kinds.one(here, type_)
    opened = registers.register_of(here)
    registers.acting(opened, Right.READ, by, clerk_fd, type_=type_)
    secret = registers.secret_of(here)
    found: dict[str, list[tuple[int, str]]] = {"changed": [], "none": [], "same": []}
    for line, who, claims in _people(here, kind, table, person):
        rows = [
            row
            for row in opened.rows(where=Filter(type=type_, subject=secret.pseudonym(who)))
            if row.state in (State.ISSUED, State.OFFERED, State.PENDING) and row.standing != Status.INVALID
        ]
        if not rows:
            found["none"].append((line, ""))
        else:
            same = rows[-1].digest == secret.digest(claims)
            found["same" if same else "changed"].append((line, rows[-1].number))
    if json_:
        talk.give({
            "changed": [{"line": line, "number": number} for line, number in found["changed"]],
            "none": [line for line, _ in found["none"]], "same": len(found["same"]),
        })  # fmt: skip
    else:
        for line, number in found["changed"]:
            talk.out(f"line {line}: {number}, update available")
        for line, _ in found["none"]:
            talk.out(f"line {line}: no card")
    talk.say(f"{len(found['changed'])} changed, {len(found['none'])} without a card, {len(found['same'])} as issued.")


def _people(here: Home, kind: CredentialType, table: Path, person: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Line, person and claims of each row; a table may also have the columns of other types.

    Raises:
        Malformed: `register.nobody`, `table.*`, `claim.*`.
    """
    from cityid.credential_type import columns, from_row
    from cityid.errors import Malformed

    from . import kinds
    from .issue import _rows

    others = {name for other in kinds.known(here)[0].values() for name in columns(other)}
    for line, row in _rows(table):
        who = row.get(person)
        if not isinstance(who, str) or not who:
            raise Malformed("register.nobody", where=f"line {line}", column=person)
        if table.suffix == ".jsonl":
            yield line, who, {name: value for name, value in row.items() if name != person or name in columns(kind)}
        else:
            yield line, who, from_row(kind, row, ignore={*others, person})
