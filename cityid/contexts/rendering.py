"""The notation in which contexts are kept here, a line for a term, and the JSON that it stands for.

prefix cred https://www.w3.org/2018/credentials#    an abbreviation, for this table only
@protected true                                     a member of the context itself
name = https://schema.org/name                      a term that is only an IRI
proof cred:proof type=@id container=@graph          a term with its members
  null                                              what stands deeper is the term's own context
"""

from __future__ import annotations

from typing import Any, Final

_MEMBERS: Final = {"type": "@type", "container": "@container"}
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "1.1": 1.1}
_Line = tuple[int, str]


def render(table: str) -> Any:
    """What stands under `@context`."""
    lines = [(len(line) - len(line.lstrip(" ")), line.strip()) for line in table.splitlines() if line.strip()]
    prefixes: dict[str, str] = {}
    while lines and lines[0][1].startswith("prefix "):
        _, name, iri = lines.pop(0)[1].split()
        prefixes[name] = iri
    return _contexts(lines, prefixes)


def _contexts(lines: list[_Line], prefixes: dict[str, str]) -> Any:
    """One context, or several with `---` between them."""
    parts: list[list[_Line]] = [[]]
    depth = lines[0][0] if lines else 0
    for line in lines:
        if line == (depth, "---"):
            parts.append([])
        else:
            parts[-1].append(line)
    made = [_context(part, prefixes) for part in parts]
    return made if len(made) > 1 else made[0]


def _context(lines: list[_Line], prefixes: dict[str, str]) -> Any:
    if [text for _, text in lines] == ["null"]:
        return None
    if len(lines) == 1 and lines[0][1].startswith("<"):
        return lines[0][1].strip("<>")
    found: dict[str, Any] = {}
    at = 0
    while at < len(lines):
        depth, text = lines[at]
        end = at + 1
        while end < len(lines) and lines[end][0] > depth:
            end += 1
        name, *words = text.split()
        found[name] = _term(words, lines[at + 1 : end], prefixes)
        at = end
    return found


def _term(words: list[str], inside: list[_Line], prefixes: dict[str, str]) -> Any:
    if words[0] == "=":
        return _iri(words[1], prefixes)
    if words[0] in _WORDS:
        return _WORDS[words[0]]
    made: dict[str, Any] = {"@id": _iri(words[0], prefixes)}
    for word in words[1:]:
        member, _, value = word.partition("=")
        made[_MEMBERS[member]] = _iri(value, prefixes)
    if inside:
        made["@context"] = _contexts(inside, prefixes)
    return made


def _iri(text: str, prefixes: dict[str, str]) -> str:
    prefix, colon, rest = text.partition(":")
    return prefixes[prefix] + rest if colon and prefix in prefixes else text
