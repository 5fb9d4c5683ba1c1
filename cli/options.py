"""The spelling of options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def named(path: Path | None) -> Path | None:
    """A file to write has a name."""
    from cityid.errors import Misuse

    if path is not None and str(path) == "-":
        raise Misuse("file.dash")
    return path


Json = Annotated[bool, typer.Option("--json", help="Give the result as JSON.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Write the result to FILE.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree beforehand.")]
PassphraseFd = Annotated[
    int | None,
    typer.Option("--passphrase-fd", metavar="N", help="Read the passphrase from file descriptor N instead of asking."),
]
Record = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="Keep what was judged, and what was fetched.")
]
Replay = Annotated[Path | None, typer.Option("--replay", metavar="FILE", help="Judge a record again, without network.")]
