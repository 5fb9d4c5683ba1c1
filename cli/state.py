"""What every command shares: the options that stand before the verb, and the spelling of those that stand after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(slots=True)
class State:
    """The options before the verb."""

    home: Path | None = None
    debug: bool = False


STATE = State()

Json = Annotated[bool, typer.Option("--json", help="Give the result as JSON.")]
Out = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the result to FILE.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree beforehand.")]
PassphraseFd = Annotated[
    int | None,
    typer.Option("--passphrase-fd", metavar="N", help="Read the passphrase from file descriptor N instead of asking."),
]
Record = Annotated[Path | None, typer.Option("--record", metavar="FILE", help="Keep what was judged, and what was fetched.")]
Replay = Annotated[Path | None, typer.Option("--replay", metavar="FILE", help="Judge a record again, without network.")]
