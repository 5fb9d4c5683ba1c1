"""Writes what in docs/reference/ follows from the source; `--check` only says whether it is up to date (`make check`).

problems.md          from schemas/messages/en.toml: every code, what it means, what to do
cli.md               from the commands themselves
policy-file.md       from schemas/policy.schema.json, and so trust-file.md and verdict.md
credential-types.md  from schemas/types/
standards.md         from docs/reference/standards.toml
api.md               from the public names and their docstrings
../decisions/index.md  from the titles of the decisions
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import groupby
from typing import Any

from _page import NOTE, TREE, as_table, as_text, cell, messages, sentence
from _schema_pages import credential_types, policy_file, trust_file, verdict

REFERENCE = TREE / "docs" / "reference"


# -- problems.md --


def problems() -> str:
    """One heading an area, one an entry, so that a code is an anchor that a message can link to."""
    lines = [
        "# Problem codes",
        "",
        NOTE,
        "",
        "Every *no* of cityid has a code. Codes are stable; sentences may be translated and improved.",
        "Words in *italics* are facts that the sentence is given. Programs find the code in `problem.code`,",
        "and in `--json` output as `code`.",
        "",
    ]
    for area, codes in groupby(sorted(messages().items()), key=lambda item: item[0].split(".")[0]):
        lines += [f"## {area}", ""]
        for code, entry in codes:
            lines += [f"### `{code}` {{ #{code.replace('.', '-')} }}", "", sentence(entry["text"]), ""]
            if meaning := entry.get("meaning"):
                lines += [str(meaning).strip(), ""]
            if spec := entry.get("spec"):
                lines += [f"Rule: {cell(spec)}.", ""]
            if hint := entry.get("hint"):
                lines += [f"What to do: {cell(hint)}", ""]
    return as_text(lines)


# -- cli.md --

_CLI_HEAD = """\
# Commands

{note}

```text
{screen}
```

## Rules of talking

- Results go to the standard output, talk goes to the standard error. `--json` gives the result as one JSON document;
  an error is then `{{"error": {{"code": ..., "facts": ...}}}}`.
- `-o FILE` never overwrites without `--force`. Files with personal data are made readable by their owner alone.
- A passphrase is asked on the terminal, or read from a file descriptor: `--passphrase-fd 3 3<file`. It is never an
  argument. Without a terminal nothing is asked: what would be asked must be given.
- `issue` shows the card and `present` shows exactly what leaves before anything is done. The answer is no unless you say yes.
- There is no option that makes anything less secure. A service that wants less writes it in its
  [policy](policy-file.md), and each verdict repeats it.
- `--home FOLDER`, before the verb, names the home to work in. Otherwise it is `CITYID_HOME`, this folder or one above
  it, or `~/.local/share/cityid/ROLE`. A home has one role, by its file: `city.toml`, `wallet.toml` or `service.toml`.
- `--clerk-keys URI`, before the verb, or `CITYID_CLERK_KEYS`: where a clerk's own key is, `file:NAME` or `pkcs11:token=LABEL`, for
  clerks who sign in with one. Its passphrase or PIN is what `--clerk-fd` reads.
- `--record FILE` keeps what was judged and what was fetched; `--replay FILE` judges it again, at the recorded time and
  without network.

## Exit status

{statuses}
Other messages end with a [code](problems.md).
"""
_STATUSES = {
    "DONE": "yes, or done",
    "NO": "no: refused, or unreadable input; with `issue --from`, some rows were refused",
    "WRONG": "the command line, or a file of this home, is wrong",
    "NO_ANSWER": "no answer could be had: the network, a store or a key is missing, or a verdict is undecided",
    "PERSON_SAID_NO": "the person said no, or what they allowed beforehand does not cover it",
    "FAULT": "a fault of ours: please report it",
    "INTERRUPTED": "interrupted",
    "UNHEARD": "whoever read the output went away before all was said",
}


def cli() -> str:
    words, talk, typer = (import_module(name) for name in ("cityid._cli.words", "cityid._cli.talk", "typer"))
    app = typer.Typer()
    for verb in words.VERBS:
        import_module(f"cityid._cli.{verb}").register(app)
    tree: Any = typer.main.get_command(app)
    statuses = as_table(
        ("status", "meaning"), [(f"`{getattr(talk, name)}`", meaning) for name, meaning in _STATUSES.items()]
    )
    text = _CLI_HEAD.format(note=NOTE, screen=words.FIRST_SCREEN, statuses="\n".join(statuses))
    lines = [*text.splitlines(), ""]
    for verb in words.VERBS:
        command = tree.commands[verb]
        lines += [f"## {verb}", ""]
        inner = getattr(command, "commands", None)
        if inner is None:
            lines += _command(verb, command, words.EXAMPLES)
            continue
        lines += [str(command.help), ""]
        for name, one in inner.items():
            lines += [f"### {verb} {name}", "", *_command(f"{verb} {name}", one, words.EXAMPLES)]
    return as_text(lines)


def _command(name: str, command: Any, examples: Mapping[str, str]) -> list[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    arguments = [one for one in shown if not one.opts[0].startswith("-")]
    options = [one for one in shown if one.opts[0].startswith("-")]
    usage = " ".join(f"{one.metavar}" if one.required else f"[{one.metavar}]" for one in arguments)
    lines = ["```text", " ".join(f"cityid {name} {usage} [options]".split()), "```", ""]
    lines += [" ".join(part.split()) + "\n" for part in str(command.help or "").split("\n\n")]
    if name in examples:
        lines += ["For example:", "", "```text", f"cityid {examples[name]}", "```", ""]
    rows = [(f"`{one.metavar}`", cell(one.help or "")) for one in arguments]
    for one in options:
        value = "" if one.type.name == "boolean" else f" {one.metavar or _choices(one.type)}"
        default = f" (`{one.default}`)" if isinstance(one.default, str) and one.default else ""
        again = " Needed." if one.required else ""
        rows.append((f"`{', '.join(one.opts)}{value}`".replace("|", "\\|"), f"{cell(one.help or '')}{default}{again}"))
    return [*lines, *as_table(("", ""), rows)]


def _choices(kind: Any) -> str:
    return "|".join(kind.choices) if hasattr(kind, "choices") else "TEXT"


# -- standards.md --


def standards() -> str:
    found = tomllib.loads((REFERENCE / "standards.toml").read_text(encoding="utf-8"))
    moving = {"SD-JWT VC": import_module("cityid.formats.sd_jwt_vc").REVISION}
    lines = [
        "# Standards", "", NOTE, "",
        "What is kept, section by section, and what is not. **yes**: built and tested. **part**: what is missing is said.",
        "**no**: not built. A specification that is not in this list is not built either.", "",
    ]  # fmt: skip
    rows = []
    for one in found["specification"]:
        revision = moving.get(one["name"], one.get("revision", ""))
        rows.append((f"[{one['name']}](#{one['id']})", one["title"], revision, one["state"]))
    lines += as_table(("", "", "revision", "state"), rows)
    for one in found["specification"]:
        lines += [f"## {one['name']} {{ #{one['id']} }}", "", f"{one['title']}. {one.get('text', '')}".rstrip(), ""]
        if sections := one.get("section"):
            lines += as_table(
                ("section", "", "state", ""),
                [(each["at"], each["what"], f"**{each['state']}**", each.get("note", "")) for each in sections],
            )
        if tests := one.get("tests"):
            lines += ["Tests: " + ", ".join(f"`{name}`" for name in tests) + ".", ""]
    return as_text(lines)


# -- api.md --

_GROUPS = {
    "Verifying": ("verify", "verify_answer", "load_policy", "Policy", "Asked", "Challenge", "Unbound"),
    "Verdicts": ("Verdict", "Accepted", "Rejected", "Check", "Step", "Outcome", "explain"),
    "Presenting": ("options", "Consent", "present"),
    "Issuing and accepting": ("Issuer", "begin", "accept", "CredentialType", "Credential"),
    "The seam to the network": ("Plan", "Request", "Response"),
    "Errors": ("CityIdError", "Malformed", "Refused", "Unavailable", "Misuse", "Problem"),
    "Formats": ("FORMATS",),
}


def api() -> str:
    front = import_module("cityid")
    assert sorted(name for group in _GROUPS.values() for name in group) == sorted(front.__all__)
    lines = [
        "# Python names", "", NOTE, "",
        "These names are public: `from cityid import verify`. Also meant for use: what stands in `cityid.edge` (files, stores,",
        "keys, the guarded HTTP client), and the modules named after a subject (`cityid.trust`, `cityid.policy`). The rest may",
        "change without notice. Times are aware `datetime`s, and are always handed in.", "",
    ]  # fmt: skip
    for title, names in _GROUPS.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += [f"### {name}", "", *_documented(name, getattr(front, name))]
    return as_text(lines)


def _documented(name: str, thing: Any) -> list[str]:
    if inspect.isfunction(thing):
        return [*_signature(name, thing), *_doc(thing)]
    if not inspect.isclass(thing):
        said = {
            "Verdict": "`Accepted | Rejected`",
            "FORMATS": "The formats by name (`dc+sd-jwt`), for `formats=` of the jobs.",
        }
        return [said[name], ""]
    lines = _doc(thing)
    if issubclass(thing, enum.Enum):
        return [*lines, ", ".join(f"`{member.name}`" for member in thing) + ".", ""]
    if dataclasses.is_dataclass(thing):
        public = [one for one in dataclasses.fields(thing) if not one.name.startswith("_") and one.init]
        if public:
            lines += ["```text", *(f"{one.name}: {one.type}" for one in public), "```", ""]
    for method, found in vars(thing).items():
        if method.startswith("_") or not (inspect.isfunction(found) or isinstance(found, property)):
            continue
        inner = found.fget if isinstance(found, property) else found
        lines += [f"#### {name}.{method}", ""]
        if inspect.isfunction(found):
            lines += _signature(method, found)
        lines += _doc(inner)
    return lines


class _Said:
    """A default as a reader wants to see it."""

    def __init__(self, value: Any) -> None:
        name = str(value.__name__) if inspect.isroutine(value) else ""
        if isinstance(value, enum.Enum):
            name = str(type(value).__name__) + "." + value.name
        elif isinstance(value, Mapping):
            name = "FORMATS" if value else "{}"
        self.text = name or repr(value).replace('"', "").replace("'", '"')

    def __repr__(self) -> str:
        return self.text


def _signature(name: str, function: Callable[..., Any]) -> list[str]:
    found = inspect.signature(function)
    parameters = [
        one if one.default is one.empty else one.replace(default=_Said(one.default))
        for one in found.parameters.values()
        if one.name != "self"
    ]
    text = str(found.replace(parameters=parameters)).replace("'", "")
    text = re.sub(r"Steps\[(\w+)\]$", r"Plan[\1]", text)
    arguments, arrow, result = text.rpartition(" -> ")
    if len(text) > 90:
        inner = re.sub(r", (?=\*?\w+(?::|,|$|=)|\*,)", ",\n    ", arguments[1:-1])
        arguments = f"(\n    {inner},\n)"
    return ["```text", f"{name}{arguments}{arrow}{result}", "```", ""]


def _doc(thing: Any) -> list[str]:
    text = inspect.cleandoc(thing.__doc__ or "")
    if text.startswith(f"{getattr(thing, '__name__', '')}("):
        return []  # a dataclass without a docstring
    before, mark, raises = text.replace("Raises (when run):", "Raises:").partition("Raises:")
    lines = [before.strip(), ""] if before.strip() else []
    if mark:
        flat = " ".join(raises.split())
        parts = re.split(r"(?:^|(?<=[.;]) )(?=(?:Misuse|Malformed|Refused|Unavailable)\b[^:]*:)", flat)
        lines += ["Raises:", "", *(f"- {part.strip()}" for part in parts if part.strip()), ""]
    return lines


# -- decisions/index.md --


def decisions() -> str:
    lines = [
        "# Decisions", "", NOTE, "",
        "Each page says what was open, what was decided, and what follows from it. Numbers are grouped by subject and have gaps.", "",
    ]  # fmt: skip
    rows = []
    for file in sorted((TREE / "docs" / "decisions").glob("[0-9]*.md")):
        title = re.sub(r"^#\s*(?:\d+[.:]?\s*)?", "", file.read_text(encoding="utf-8").partition("\n")[0])
        rows.append((str(int(file.name[:4])), f"[{title}]({file.name})"))
    return as_text([*lines, *as_table(("", ""), rows)])


GENERATED: Mapping[str, Callable[[], str]] = {
    "../decisions/index.md": decisions,
    "problems.md": problems,
    "cli.md": cli,
    "policy-file.md": policy_file,
    "trust-file.md": trust_file,
    "verdict.md": verdict,
    "credential-types.md": credential_types,
    "standards.md": standards,
    "api.md": api,
}


def main() -> int:
    stale: list[str] = []
    for name, write in GENERATED.items():
        file = (REFERENCE / name).resolve()
        text = write()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(file.relative_to(TREE)))
        if "--check" not in sys.argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    if stale:
        print("out of date, write with `make docs`:" if "--check" in sys.argv else "written:", *stale)
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
