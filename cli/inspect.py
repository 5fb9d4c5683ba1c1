"""`cityid inspect`: read any credential, request, answer or key, believing nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import category, normalize

import typer

from . import talk
from .options import Force, Json, Record, Replay

if TYPE_CHECKING:
    from cityid.credential import Credential


def register(app: typer.Typer) -> None:
    app.command("inspect")(inspect)


def inspect(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="What to read; - reads standard input.")] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", metavar="FILE", help="Another showing: what could an observer of both compare?"),
    ] = None,
    record: Record = None,
    replay: Replay = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Read a credential, presentation, request, answer, offer, key or DID document, and believe nothing of it.

    Exit status 0 says that it could be read, not that it is true. With --beside: what several showings have in common,
    and so who could tell that they are of one person.
    """
    from base64 import b64encode

    from cityid import limits
    from cityid.edge import clock, files
    from cityid.edge.recorded import Record as Kept
    from cityid.errors import Misuse

    from . import compare

    if beside:
        if file is None or record is not None or replay is not None:
            raise Misuse("inspect.beside_alone")
        compare.show([file, *beside], json_=json_)
        return
    if replay is not None:
        if file is not None or record is not None:
            raise Misuse("verify.replay_alone")
        raw = _kept(replay)
    elif file is None:
        raise Misuse("inspect.nothing")
    else:
        if record is not None:
            files.check_free(record, force=force)
        raw = files.read(file, limits.DOCUMENT)
        if record is not None:
            context = {"inspected": b64encode(raw).decode("ascii")}
            files.write(record, Kept(clock.now(), (), context).write(), force=force, private=True)
            talk.say(f"Kept in {talk.clean(record)}. It may hold personal data.")
    found = _look(raw.strip())
    if replay is not None:
        found["replayed"] = True
    if json_:
        talk.give(found)
        return
    talk.out(f"{found.pop('kind')}, not verified")
    for name, value in found.items():
        _tell(name, value, 1)


def _kept(path: Path) -> bytes:
    from cityid.edge import files
    from cityid.edge.recorded import SIZE, read_record
    from cityid.encoding import base64url, json

    from . import papers

    data = files.read(path, SIZE)
    with papers.expected(data, "record"):
        context = json.Fields(dict(read_record(data).context), "$.context")
    return base64url.decode_standard(context.text("inspected"))


def _look(raw: bytes) -> dict[str, Any]:
    from cityid.errors import Malformed

    if raw.startswith((b"{", b"[")):
        from cityid.encoding import json

        return _object(json.read_object(raw))
    if raw.startswith(b"did:"):
        from cityid import did

        return {"kind": "DID", "did": str(did.parse(raw.decode("utf-8", "backslashreplace")))}
    if raw.count(b".") < 2 or b" " in raw:
        raise Malformed("inspect.not_known")
    return _card(raw)


def _card(raw: bytes) -> dict[str, Any]:
    from cityid.formats import FORMATS, wire

    form = FORMATS[wire.recognise(raw)]
    if raw.endswith(b"~"):
        return {"kind": "credential", **_facts(form.read(raw))}
    shown = form.read_presentation(raw)
    if len(shown) != 1:
        return {"kind": "presentation", "credentials": [_facts(one.credential) for one in shown]}
    credential = shown[0].credential
    bare = credential.raw == raw and "sd-jwt" not in form.NAME
    return {"kind": "credential" if bare else "presentation", **_facts(credential)}


def _facts(credential: Credential) -> dict[str, Any]:
    from cityid.encoding import paths

    window = credential.window
    return {
        "format": credential.format,
        "types": list(credential.types),
        "issuer": credential.issuer,
        "signed_by": [str(ref.at) for ref in credential.signed_by],
        "holder_key": credential.holder.thumbprint if credential.holder is not None else None,
        "valid_from": window.start.isoformat() if window.start else None,
        "valid_until": window.end.isoformat() if window.end else None,
        "status": [{"kind": ref.kind, "uri": ref.uri, "index": ref.index} for ref in credential.status],
        "claims": {name: _plain(value) for name, value in credential.claims.items() if name != "@context"},
        "hideable": sorted(paths.write(path) for path in credential.hidden),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _object(value: dict[str, Any]) -> dict[str, Any]:
    if "dcql_query" in value:
        return _request(value)
    if "vp_token" in value:
        return _answer(value)
    if "kty" in value:
        from cityid.keys import jwk

        key = jwk.read(value)
        return {"kind": "key", "algorithm": key.algorithm.value, "thumbprint": key.thumbprint}
    if "credential_configuration_ids" in value:
        return {"kind": "offer", **value}
    if "proofs" in value:
        return {"kind": "request for cards", **value}
    if "credentials" in value and isinstance(value["credentials"], list):
        cards = [one.get("credential") for one in value["credentials"] if isinstance(one, dict)]
        found = [raw for card in cards if (raw := _raw(card)) is not None]
        return {"kind": "cards", "count": len(found), "first": _card(found[0]) if found else None}
    if "@context" in value and "type" in value:
        from cityid.encoding import json

        return _card(json.write(value))
    if "verificationMethod" in value or str(value.get("id", "")).startswith("did:"):
        return {"kind": "DID document", **value}
    if "payload" in value and ("signature" in value or "signatures" in value):
        from cityid.encoding import json

        return _card(json.write(value))
    return {"kind": "JSON document", **value}


def _request(value: dict[str, Any]) -> dict[str, Any]:
    from cityid import query
    from cityid.edge.messages import explain
    from cityid.encoding import paths

    asked = query.read(value["dcql_query"], answering=True)
    return {
        "kind": "request",
        "asked_by": value.get("client_id"),
        "nonce": value.get("nonce"),
        "asks": {
            item.id: {"format": item.format, "claims": [paths.write(claim.path) for claim in item.claims]}
            for item in asked.credentials
        },
        "over_asking": [explain(problem).text for problem in query.lint(asked)],
    }


def _answer(value: dict[str, Any]) -> dict[str, Any]:
    token = value["vp_token"]
    cards: dict[str, Any] = {}
    if isinstance(token, dict):
        for name, group in token.items():
            raws = [_raw(one) for one in group] if isinstance(group, list) else []
            cards[name] = [_card(raw) for raw in raws if raw is not None]
    return {"kind": "answer", "presentations": cards}


def _raw(value: Any) -> bytes | None:
    """A credential or presentation in a message: text, an object, or bytes as base64url."""
    from cityid.encoding import base64url, json

    if isinstance(value, dict):
        return json.write(value)
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "surrogatepass") if "." in value else base64url.decode(value)


def _tell(name: str, value: Any, depth: int) -> None:
    pad = "  " * depth
    if isinstance(value, Mapping):
        talk.out(f"{pad}{talk.clean(name, 80)}")
        alike = _alike(value)
        for inner, below in value.items():
            _tell(str(inner), below, depth + 1)
            if inner in alike:
                talk.out(f"{pad}    this name looks like another one beside it")
    elif isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        for index, one in enumerate(value):
            _tell(f"{name} {index + 1}", one, depth)
    elif isinstance(value, list):
        talk.out(f"{pad}{talk.clean(name, 80)}  {', '.join(_text(one) for one in value) or 'none'}")
    elif value is not None:
        talk.out(f"{pad}{talk.clean(name, 80)}  {_text(value)}")


def _alike(names: Iterable[str]) -> set[str]:
    """Those of `names` that a reader cannot tell from another of them. They stay distinct: nothing is normalised."""
    if all(name.isascii() and name.isprintable() for name in names):
        return set()
    seen: dict[str, list[str]] = {}
    for name in names:
        plain = "".join(char for char in normalize("NFKC", name) if category(char) not in ("Cc", "Cf"))
        seen.setdefault(plain, []).append(name)
    return {name for group in seen.values() if len(group) > 1 for name in group}


def _text(value: Any) -> str:
    return "true" if value is True else "false" if value is False else talk.clean(value)
