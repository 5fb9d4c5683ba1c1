"""The trust file: TOML that people read, write and review; and the two changes that `cityid trust` makes to it.

Everything wrong in it is Misuse: it is a file of this home. `schemas/trust.schema.json` describes the same form.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any, Final, cast

from cityid import limits
from cityid.did import parse, read_document, webvh
from cityid.encoding import base64url, json
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.keys import PublicKey, jwk, x509
from cityid.trust.entries import Mechanism, StatusRule, TrustEntry, TrustList
from cityid.trust.keys import metadata_url

Load = Callable[[str], bytes]
"""Reads a file that the trust file names."""

_NO_NAMES: Final[Mapping[str, Collection[str]]] = {}
_MEMBERS: Final = frozenset(
    {
        "did", "root", "web", "mechanism", "types", "since", "until", "status", "name", "document", "keys", "issuer",
        "status_issuer", "status_eku", "status_lists", "log", "witness_proofs", "seen",
    }
)  # fmt: skip
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_URL: Final = re.compile(r"https://[!-~]+")
_HEADER: Final = re.compile(r"^[ \t]*\[\[[ \t]*issuer[ \t]*\]\]", re.MULTILINE)


def read(
    text: bytes | str, load: Load, names: Mapping[str, Collection[str]] = _NO_NAMES, *, title: str = ""
) -> TrustList:
    """The list in a trust file. `names` maps type ids to wire names; `title` is how verdicts call the list.

    Raises:
        Misuse: `trust_file.*`, with the place (`issuer[0].mechanism`); what `load` raises.
    """
    entries = [_entry(item, f"issuer[{index}]", load) for index, item in enumerate(_items(_parse(text)))]
    return TrustList(tuple(entries), names, title)


def _parse(text: bytes | str) -> dict[str, Any]:
    if len(text) > limits.DOCUMENT:
        raise Misuse("trust_file.too_large", limit=limits.DOCUMENT, size=len(text))
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Misuse("trust_file.not_utf8", offset=error.start) from None
    except tomllib.TOMLDecodeError as error:
        raise Misuse("trust_file.syntax", reason=str(error)) from None
    except RecursionError:
        raise Misuse("trust_file.syntax", reason="nested too deeply") from None


def _items(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    for name in data:
        if name != "issuer":
            raise Misuse("trust_file.unknown_member", where=name, name=name)
    items = data.get("issuer", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Misuse("trust_file.wrong_type", where="issuer", name="issuer", expected="array of tables")
    return items


def _entry(item: Mapping[str, Any], where: str, load: Load) -> TrustEntry:
    for name in item:
        if name not in _MEMBERS:
            raise Misuse("trust_file.unknown_member", where=f"{where}.{name}", name=name)
    did, web, root = (_text(item, name, where) for name in ("did", "web", "root"))
    mechanism = _one_of(item, "mechanism", where, ("did", "x5c", "web"), None)
    status = _one_of(item, "status", where, ("required", "none"), "required")
    types = item.get("types")
    if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
        raise Misuse("trust_file.wrong_type", where=f"{where}.types", name="types", expected="array of strings")
    if len(set(types)) != len(types):
        raise Misuse("trust_file.repeated_type", where=f"{where}.types")
    _check_names(did, web, where)
    status_issuer = _text(item, "status_issuer", where)
    by_did = status_issuer.startswith("did:")
    _check_names(status_issuer if by_did else "", "" if by_did else status_issuer, where, "status_issuer")
    document, keys = _text(item, "document", where), _text(item, "keys", where)
    log, proofs = _text(item, "log", where), _text(item, "witness_proofs", where)
    if proofs and not log:
        raise Misuse("trust_file.wrong_type", where=f"{where}.log", name="log", expected="string")
    try:
        return TrustEntry(
            mechanism=cast("Mechanism", mechanism),
            types=tuple(types),
            did=did,
            web=web,
            roots=_roots(load(root), f"{where}.root", root) if root else (),
            issuer=_text(item, "issuer", where),
            since=_moment(item, "since", where),
            until=_moment(item, "until", where),
            status=cast("StatusRule", status),
            name=_text(item, "name", where),
            source=root,
            document=_pin(lambda: read_document(load(document), did), f"{where}.document", document),
            keys=_pin(lambda: _keys(load(keys)), f"{where}.keys", keys),
            history=_pin(lambda: _history(load(log), load(proofs) if proofs else None, did), f"{where}.log", log),
            seen=_version(item, where),
            status_issuer=status_issuer,
            status_eku=_oid(item, "status_eku", where),
            status_lists=_urls(item, "status_lists", where),
        )
    except Misuse as error:
        if error.problem.where or not error.code.startswith("trust_file."):
            raise
        raise Misuse(Problem(error.code, error.problem.facts, where)) from None


def _check_names(did: str, web: str, where: str, member: str = "") -> None:
    try:
        if did:
            parse(did)
        if web:
            metadata_url(web)
    except Malformed:
        raise Misuse("trust_file.did", where=f"{where}.{member or 'did'}", spec="DID Core §3.1", found=did) from None
    except Refused:
        raise Misuse("trust_file.web", where=f"{where}.{member or 'web'}", spec="SD-JWT VC §4.1", found=web) from None


def _urls(item: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = item.get(name, [])
    if not isinstance(value, list) or not all(isinstance(url, str) and _URL.fullmatch(url) for url in value):
        raise Misuse("trust_file.wrong_type", where=f"{where}.{name}", name=name, expected="array of https URLs")
    return tuple(dict.fromkeys(value))


def _text(item: Mapping[str, Any], name: str, where: str) -> str:
    value = item.get(name, "")
    if not isinstance(value, str) or (name in item and not value):
        raise Misuse("trust_file.wrong_type", where=f"{where}.{name}", name=name, expected="string")
    return value


def _oid(item: Mapping[str, Any], name: str, where: str) -> str:
    value = _text(item, name, where)
    if value and not x509.OID.fullmatch(value):
        raise Misuse("trust_file.wrong_type", where=f"{where}.{name}", name=name, expected="object identifier")
    return value


def _one_of(item: Mapping[str, Any], name: str, where: str, allowed: tuple[str, ...], default: str | None) -> str:
    value = item.get(name, default)
    if value not in allowed:
        raise Misuse("trust_file.choice", where=f"{where}.{name}", name=name, allowed=", ".join(allowed))
    return cast("str", value)


def _moment(item: Mapping[str, Any], name: str, where: str) -> datetime | None:
    """A date is its first moment in UTC; a time needs its zone."""
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    elif isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise Misuse("trust_file.wrong_type", where=f"{where}.{name}", name=name, expected="date")


def _pin(read_it: Callable[[], Any], where: str, file: str) -> Any:
    if not file:
        return None
    try:
        return read_it()
    except (Malformed, Refused) as error:
        raise Misuse("trust_file.pinned", where=where, file=file, reason=error.code) from None


def _history(log: bytes, proofs: bytes | None, did: str) -> webvh.Log:
    """A log that holds, at whatever time it is asked."""
    from cityid.did.webvh import history, identifier

    return history.belonging(history.approved(webvh.judged(log), proofs), identifier.read(did)).whole()


def _version(item: Mapping[str, Any], where: str) -> str:
    value = _text(item, "seen", where)
    if value:
        try:
            webvh.version_number(value)
        except Malformed:
            raise Misuse(
                "trust_file.wrong_type", where=f"{where}.seen", name="seen", expected="versionId of a log"
            ) from None
    return value


def _keys(data: bytes) -> Mapping[str, PublicKey]:
    return jwk.read_set(json.read_object(data))


def _roots(data: bytes, where: str, file: str) -> tuple[bytes, ...]:
    """The certificates of a PEM or DER file: certificate authorities, all of them."""
    found = _PEM.findall(data)
    try:
        roots = [base64url.decode_standard(b"".join(text.split()).decode("ascii"), where) for text in found] or [data]
        for root in roots:
            if not x509.read(root).is_ca:
                raise Misuse("trust_file.not_a_root", where=where, file=file)
    except Malformed as error:
        raise Misuse("trust_file.pinned", where=where, file=file, reason=error.code) from None
    return tuple(dict.fromkeys(roots))


# -- changes that keep the rest of the file as its people wrote it --


def write_entry(entry: Mapping[str, Any]) -> str:
    """One `[[issuer]]` table as text, from its members (`did`, `root` or `web` first, as a reader expects).

    Raises:
        Misuse: `trust_file.unknown_member`, `trust_file.wrong_type`.
    """
    for name in entry:
        if name not in _MEMBERS:
            raise Misuse("trust_file.unknown_member", where=name, name=name)
    order = (
        "did", "root", "web", "issuer", "mechanism", "types", "since", "until", "status", "status_issuer",
        "status_eku", "status_lists", "name", "document", "keys", "log", "witness_proofs", "seen",
    )  # fmt: skip
    return "".join(["[[issuer]]\n", *(f"{name} = {_toml(name, entry[name])}\n" for name in order if name in entry)])


def _toml(name: str, value: Any) -> str:
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.write(value).decode("utf-8").replace("\x7f", "\\u007f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(name, item) for item in value) + "]"
    raise Misuse("trust_file.wrong_type", where=name, name=name, expected="string, date or array")


def add(text: str, entry: Mapping[str, Any]) -> str:
    """`text` with one more entry at its end; all else stays as it is. The new file must still be read by the caller."""
    _items(_parse(text))
    written = write_entry(entry)
    return f"{text.rstrip()}\n\n{written}" if text.strip() else written


def remove(text: str, issuer: str) -> str:
    """`text` without the entries about `issuer` (its DID, https issuer, name in certificates, or root file) and the
    comments right above them.

    Raises:
        Misuse: `trust_file.no_such_issuer`; `trust_file.not_editable`, when the file is written in a form that only a
            person can change safely (inline tables, headers inside strings).
    """
    items = _items(_parse(text))
    kept = [item for item in items if issuer not in (item.get(name) for name in ("did", "web", "issuer", "root"))]
    if len(kept) == len(items):
        raise Misuse("trust_file.no_such_issuer", issuer=issuer)
    starts = [_with_comments(text, found.start()) for found in _HEADER.finditer(text)]
    if len(starts) == len(items):
        bounds = [*starts, len(text)]
        pieces = [text[: bounds[0]]] + [
            text[bounds[index] : bounds[index + 1]] for index, item in enumerate(items) if item in kept
        ]
        changed = "".join(pieces)
        # Proof rather than hope: what is left must read as exactly the entries that were to stay.
        with suppress(Misuse):
            if _items(_parse(changed)) == kept:
                return changed
    raise Misuse("trust_file.not_editable", issuer=issuer)


def _with_comments(text: str, start: int) -> int:
    """Where the comment lines right above `start` begin."""
    while start:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].lstrip().startswith("#"):
            break
        start = above
    return start
