"""`cityid did log`: the history of a DID."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json, one_line
from .state import STATE

if TYPE_CHECKING:
    from cityid.did.webvh import Log


def log(
    did: Annotated[
        str, typer.Argument(metavar="[DID]", callback=one_line, help="A did:webvh; by default the one of this home.")
    ] = "",
    file: Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Read its did.jsonl here.")] = None,
    proofs: Annotated[
        Path | None, typer.Option("--witness-proofs", metavar="FILE", help="With --log: its did-witness.json.")
    ] = None,
    publish: Annotated[
        Path | None,
        typer.Option(
            "--publish", metavar="DIR", help="Put the history of this home's DID into DIR, now and after each change."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Show the history of a DID: who could sign for it when. It is judged first: what does not hold is not shown."""
    from cityid.edge import clock
    from cityid.errors import Misuse

    from . import did_words

    at = clock.now()
    if publish is not None:
        if did or file is not None:
            raise Misuse("did.publish_own")
        _publish(publish, at)
        return
    whole = _found(did, file, proofs, at)
    pairs = [(version, before) for version, before in zip(whole.versions, (None, *whole.versions), strict=False)]
    if json_:
        talk.give({
            "did": whole.last.did,
            "scid": whole.scid,
            "deactivated": whole.last.parameters.deactivated,
            "versions": [
                {"versionId": one.id, "versionTime": one.written, "changes": did_words.changes(one, before)}
                for one, before in pairs
            ],
        })  # fmt: skip
        return
    for line in talk.columns([
        (str(one.number), f"{one.time:%d %b %Y %H:%M}", "; ".join(did_words.changes(one, before)))
        for one, before in pairs
    ]):  # fmt: skip
        talk.out(line)
    talk.say(f"{talk.clean(whole.last.did)}, whole; its last entry is {talk.clean(whole.last.id)}")


def _found(did: str, file: Path | None, proofs: Path | None, at: datetime) -> Log:
    from cityid import did as dids
    from cityid import limits
    from cityid.did import webvh
    from cityid.did.webvh import identifier
    from cityid.edge import files

    from . import did_history, home, papers, service

    if file is not None:
        data = files.read(file, limits.WEBVH_LOG)
        beside = None if proofs is None else files.read(proofs, limits.WEBVH_LOG)
        with papers.expected(data, "history"):
            did = did or webvh.read_log(data, at).last.did
        return webvh.judge(data, beside, identifier.read(did), at).whole()
    if did:
        return dids.history(did, at).run(service.network()).whole()
    return did_history.read(home.find(STATE.home, "city"), at).judged


def _publish(folder: Path, at: datetime) -> None:
    from . import did_history, home

    history = did_history.read(home.find(STATE.home, "city"), at)
    did_history.serve(history.log, history.proofs, folder, at + timedelta(minutes=1))
    home.set_members(history.here, {"did_folder": str(folder.resolve())})
    talk.say(f"{talk.clean(history.did)}: {history.judged.last.number} entries are in {talk.clean(folder)}.")
