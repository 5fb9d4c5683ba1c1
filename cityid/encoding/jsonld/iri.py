"""IRIs as JSON-LD needs them: telling them apart, resolving one against another (RFC 3986 §5.2), no normalisation."""

from __future__ import annotations

import re
from typing import Final, cast

_PARTS: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_WELL_FORMED: Final = re.compile(r'[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>"{}|^`\\#]*(?:#[^\x00-\x20<>"{}|^`\\#]*)?')


def is_absolute(text: str) -> bool:
    """Has it the form of an IRI: a scheme and whatever follows?"""
    return _ABSOLUTE.match(text) is not None


def is_well_formed(text: str) -> bool:
    """May it stand between the angle brackets of N-Quads, with one fragment at most?"""
    return _WELL_FORMED.fullmatch(text) is not None


def is_blank(text: str) -> bool:
    """Is it a blank node identifier?"""
    return text.startswith("_:")


def resolve(base: str, reference: str) -> str:
    """`reference` resolved against `base`; as it is where `base` is "" (RFC 3986 §5.2.2)."""
    if not base:
        return reference
    scheme, authority, path, query, fragment = _parts(reference)
    if scheme is not None:
        path = _without_dots(path)
    else:
        scheme, own, base_path, base_query, _ = _parts(base)
        if authority is not None:
            path = _without_dots(path)
        else:
            authority = own
            if not path:
                path = base_path
                query = base_query if query is None else query
            else:
                if not path.startswith("/"):
                    start = base_path[: base_path.rfind("/") + 1]
                    path = (start or "/" if authority is not None else start) + path
                path = _without_dots(path)
    return (
        (f"{scheme}:" if scheme is not None else "")
        + (f"//{authority}" if authority is not None else "")
        + path
        + (f"?{query}" if query is not None else "")
        + (f"#{fragment}" if fragment is not None else "")
    )


def _parts(text: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    # The pattern matches every text.
    scheme, authority, path, query, fragment = cast("re.Match[str]", _PARTS.fullmatch(text)).groups()
    return scheme, authority, path, query, fragment


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4."""
    out: list[str] = []
    segments = path.split("/")
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == "..":
            # The first, empty segment of an absolute path stays.
            if len(out) > 1 or (out and out[0]):
                out.pop()
            if last:
                out.append("")
        elif segment == ".":
            if last:
                out.append("")
        else:
            out.append(segment)
    return "/".join(out)


def relative(base: str, target: str) -> str:
    """A reference that leads from `base` to `target`: the shortest that stays on its authority, else `target`."""
    scheme, authority, path, query, fragment = _parts(target)
    own_scheme, own_authority, own_path, own_query, _ = _parts(base)
    if scheme != own_scheme or authority != own_authority or (authority is None and not path.startswith("/")):
        return target
    after = (f"?{query}" if query is not None else "") + (f"#{fragment}" if fragment is not None else "")
    if path == own_path and (query == own_query or query is not None):
        # The same document: only what differs.
        if query != own_query:
            return after
        return f"#{fragment}" if fragment is not None else path.rsplit("/", 1)[-1] + after or "./"
    here, there = own_path.split("/")[:-1], path.split("/")
    shared = 0
    while shared < len(here) and shared < len(there) - 1 and here[shared] == there[shared]:
        shared += 1
    found = "../" * (len(here) - shared) + "/".join(there[shared:])
    if not found:
        found = "./"
    elif ":" in found.split("/", 1)[0]:
        found = f"./{found}"
    return found + after
