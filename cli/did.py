"""`cityid did`: create and resolve."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from . import talk
from .options import Force, Json, Out, PassphraseFd, Record, Replay
from .state import STATE


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Decentralised identifiers.", no_args_is_help=True, rich_markup_mode=None)
    group.command("create")(create)
    group.command("resolve")(resolve)
    app.add_typer(group, name="did")


def create(
    method: Annotated[Literal["key", "jwk", "web"], typer.Argument(metavar="key|jwk|web", help="The DID method.")],
    label: Annotated[list[str], typer.Option("--key", metavar="LABEL", help="A key of the city's keyring.")],
    host: Annotated[str, typer.Option("--host", help="For web: host, optional port and path, as in did:web.")] = "",
    output: Out = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Make a DID of keys in the city's keyring; for web also its document, to be published."""
    from cityid.did import jwk, key, web
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.errors import Misuse

    from . import home, keys

    ring = keys.opened(home.find(STATE.home, "city"), passphrase_fd)
    found = {name: ring.find(name).key for name in label}
    if method != "web":
        if len(found) != 1:
            raise Misuse("did.one_key", method=method)
        (only,) = found.values()
        made = key.create(only) if method == "key" else jwk.create(only)
        if json_:
            talk.give({"did": made})
        else:
            talk.out(made)
        return
    did = f"did:web:{host}"
    whole = web.document(did, found)
    document = json.write(whole) + b"\n"
    if output is not None:
        files.write(output, document, force=force)
    if json_:
        talk.give({"did": did, "url": web.url(did), "document": whole})
    elif output is None:
        talk.out(document.decode("utf-8").rstrip("\n"))
    else:
        talk.out(did)
    talk.say(f"Publish it at {web.url(did)}.")


def resolve(
    did: Annotated[str | None, typer.Argument(metavar="DID", help="The DID, or a DID URL with a fragment.")] = None,
    record: Record = None,
    replay: Replay = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Resolve a DID to its document. With --json, the whole resolution result."""
    from cityid import did as dids
    from cityid.edge import clock, files
    from cityid.edge.recorded import SIZE, Recorder, read_record
    from cityid.edge.recorded import Replay as Again
    from cityid.encoding import json
    from cityid.errors import CityIdError, Misuse, Unavailable

    from . import service

    if replay is not None:
        if did is not None or record is not None:
            raise Misuse("verify.replay_alone")
        kept = read_record(files.read(replay, SIZE))
        did = json.Fields(dict(kept.context), "$.context").text("did")
        exchange: object = Again(kept)
        at = kept.at
    elif did is None:
        raise Misuse("did.none_given")
    else:
        exchange, at = Recorder(service.network()), clock.now()
    base = did.partition("#")[0]
    try:
        document = dids.resolve(base).run(exchange)  # type: ignore[arg-type]  # Recorder and Replay are exchanges both
        if "#" in did:
            document.method(did.partition("#")[2])
        result = dids.resolution_result(base, document)
    except CityIdError as error:
        if not json_:
            raise
        talk.give(dids.resolution_result(base, error))
        talk.problem(error.problem)
        raise talk.Stop(talk.NO_ANSWER if isinstance(error, Unavailable) else talk.NO) from None
    finally:
        if record is not None and isinstance(exchange, Recorder):
            files.write(record, exchange.record(at, {"did": did}).write(), force=force, private=True)
            talk.say(f"Kept in {talk.clean(record)}. It may hold personal data.")
    talk.give(result if json_ else result["didDocument"])
