"""The spelling of options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def named(path: Path | None) -> Path | None:
    """A file to write has a name."""
    from cityid.errors import Misuse

    if path is not None and str(path) == "-":
        raise Misuse("file.dash")
    return path


def plain(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """A name, a purpose or another short text that is stored, sent or shown."""
    from cityid import limits

    return _checked(param, value, limits.LABEL)


def one_line(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """An identifier or another text that may be long, and is one line."""
    from cityid import limits

    return _checked(param, value, limits.DID_JWK)


def _checked(param: typer.CallbackParam, value: Any, limit: int) -> Any:
    from cityid.encoding import texts
    from cityid.errors import Malformed, Misuse

    name = param.opts[0] if param.opts[0].startswith("-") else str(param.metavar)
    try:
        for text in value if isinstance(value, list | tuple) else [value] if value else []:
            if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):  # bytes that are no text here
                raise Misuse("text.locale", name=name, encoding=sys.getfilesystemencoding())
            texts.label(text, name, limit)
    except Malformed as error:
        raise Misuse(error.problem) from None
    return value


Json = Annotated[bool, typer.Option("--json", help="Give the result as JSON.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Write the result to FILE.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree beforehand.")]
For = Annotated[str, typer.Option("--for", metavar="NAME", callback=plain, help="For whom: a person of this wallet.")]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        callback=plain,
        help="How city hall will know this device, such as phone or laptop; so its cards can be revoked if it is lost.",
    ),
]
PassphraseFd = Annotated[
    int | None,
    typer.Option("--passphrase-fd", metavar="N", help="Read the passphrase from file descriptor N instead of asking."),
]
PinFd = Annotated[
    int | None,
    typer.Option("--pin-fd", metavar="N", help="Read the PIN of the token with the keys from file descriptor N."),
]
Record = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="Keep what was judged, and what was fetched.")
]
Replay = Annotated[Path | None, typer.Option("--replay", metavar="FILE", help="Judge a record again, without network.")]
