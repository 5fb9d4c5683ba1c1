"""`cityid did resolve`: from a DID to its document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Force, Json, Record, Replay, plain

if TYPE_CHECKING:
    from cityid.plan import Exchange, Request


def resolve(
    did: Annotated[str | None, typer.Argument(metavar="DID", help="The DID, or a DID URL with a fragment.")] = None,
    time: Annotated[
        str, typer.Option("--version-time", metavar="TIME", callback=plain, help="As it was at 2026-05-01T09:00:00Z.")
    ] = "",
    number: Annotated[int | None, typer.Option("--version-number", metavar="N", help="As its entry N made it.")] = None,
    version: Annotated[
        str, typer.Option("--version-id", metavar="ID", callback=plain, help="As the entry with this id made it.")
    ] = "",
    seen: Annotated[
        str,
        typer.Option(
            "--seen",
            metavar="ID",
            callback=plain,
            help="The versionId that was seen last: refuse a history without it.",
        ),
    ] = "",
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Read its did.jsonl here, without network.")
    ] = None,
    proofs: Annotated[
        Path | None, typer.Option("--witness-proofs", metavar="FILE", help="With --log: its did-witness.json.")
    ] = None,
    record: Record = None,
    replay: Replay = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Resolve a DID to its document: the one of now, or for a did:webvh an earlier one. With --json, the whole
    resolution result."""
    from cityid import did as dids
    from cityid.did import document, resolution
    from cityid.edge import clock, files
    from cityid.edge.recorded import SIZE, Recorder, read_record
    from cityid.edge.recorded import Replay as Again
    from cityid.encoding import json
    from cityid.errors import CityIdError, Misuse, Refused, Unavailable

    from . import service

    if replay is not None:
        if did is not None or record is not None or log is not None:
            raise Misuse("verify.replay_alone")
        kept = read_record(files.read(replay, SIZE))
        did = json.Fields(dict(kept.context), "$.context").text("did")
        exchange: object = Again(kept)
        at = kept.at
    elif did is None:
        raise Misuse("did.none_given")
    elif log is not None:
        exchange, at = _from_files(did.partition("#")[0].partition("?")[0], log, proofs), clock.now()
    else:
        exchange, at = Recorder(service.network()), clock.now()
    plain_did, mark, fragment = did.partition("#")
    asked = (("versionTime", time), ("versionNumber", "" if number is None else str(number)), ("versionId", version))
    query = "&".join(f"{name}={value}" for name, value in asked if value)
    base = plain_did + (f"{'&' if '?' in plain_did else '?'}{query}" if query else "")
    try:
        found = dids.look_up(base, at, seen).run(exchange)  # type: ignore[arg-type]  # all three are exchanges
        if mark and found.document is not None:
            document.from_json(found.document, str(found.document.get("id"))).method(fragment)
        result = resolution.of(base, found).write()
    except CityIdError as error:
        if not json_:
            raise
        talk.give(resolution.of(base, error).write())
        talk.problem(error.problem)
        raise talk.Stop(talk.NO_ANSWER if isinstance(error, Unavailable) else talk.NO) from None
    finally:
        if record is not None and isinstance(exchange, Recorder):
            context = {"did": base + mark + fragment}
            files.write(record, exchange.record(at, context).write(), force=force, private=True)
            talk.say(f"Kept in {talk.clean(record)}. It may hold personal data.")
    if found.document is None and not json_:
        raise Refused("did.deactivated", spec="did:webvh 1.0, Deactivate (Revoke)", did=base)
    talk.give(result if json_ else result["didDocument"])


def _from_files(did: str, log: Path, proofs: Path | None) -> Exchange:
    """What would be fetched, out of files."""
    from cityid import limits
    from cityid.did.webvh import identifier
    from cityid.edge import clock, files
    from cityid.plan import Response

    place = identifier.read(did)
    found = {place.log: files.read(log, limits.WEBVH_LOG)}
    if proofs is not None:
        found[place.proofs] = files.read(proofs, limits.WEBVH_LOG)

    def exchange(request: Request) -> Response:
        body = found.get(request.url)
        return Response(404 if body is None else 200, {}, body or b"", clock.now())

    return exchange
