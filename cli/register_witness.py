"""`cityid register witness`: others cosign the log of actions, so that nobody can be shown another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json, one_line
from .register_log import FOLDER, keys_given, known_keys
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.errors import Problem

MANY = 16


def witness(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that was published.")],
    witnesses: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="KEY", callback=one_line, help="A witness (name+hash+key), or a file."),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="URL", callback=one_line, help="Where that witness is asked, for each one."),
    ] = None,
    take: Annotated[
        list[Path] | None,
        typer.Option("--take", metavar="FILE", help="Instead of --url: what that witness sent, for each one."),
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Have witnesses cosign the published log: a neighbouring city, or the court of auditors.

    Whoever audits the log asks for their cosignatures: register audit --witness KEY --quorum K.
    """
    from cityid import limits
    from cityid.clerks import Right
    from cityid.edge import files, log_files
    from cityid.edge.http import Http
    from cityid.errors import CityIdError, Misuse
    from cityid.log import Witness

    from . import registers

    known = keys_given(witnesses or [], Witness.read, "--witness")
    ways: list[str | Path] = [*(url or []), *(take or [])]
    if not known or len(known) > MANY or len(ways) != len(known) or (url and take):
        raise Misuse("witness.pairs", limit=MANY)
    here = registers.home_of()
    registers.acting(registers.register_of(here), Right.PUBLISH, by, clerk_fd)
    logs = known_keys(here)
    if not logs:
        raise Misuse("audit.unsigned")
    log, place = logs[0], folder / FOLDER
    refused: dict[str, Problem] = {}
    cosigned: list[str] = []
    for one, way in zip(known, ways, strict=True):
        try:
            if isinstance(way, Path):
                answer = files.read(way, limits.NOTE)
            else:
                answer = log_files.ask_witness(place, log, way, one, Http())
            log_files.add_cosignature(place, log, answer, one)
        except Misuse:
            raise
        except CityIdError as error:
            # The other witnesses are asked all the same.
            refused[one.name] = error.problem
        else:
            cosigned.append(one.name)
    if json_:
        talk.give({
            "cosigned": cosigned,
            "refused": [{"witness": name, **talk.as_json(problem)} for name, problem in refused.items()],
        })  # fmt: skip
    else:
        _tell(cosigned, refused)
    if refused:
        raise talk.Stop(talk.NO)


def _tell(cosigned: list[str], refused: dict[str, Problem]) -> None:
    from cityid.edge.messages import Audience, explain

    for name in cosigned:
        talk.out(f"{talk.clean(name)} cosigned; published.")
    for problem in refused.values():
        talk.out(f"{talk.bad('NO')}  {talk.clean(explain(problem, audience=Audience.OFFICER).text)}  ({problem.code})")
