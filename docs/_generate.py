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
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
REFERENCE = TREE / "docs" / "reference"
Messages = Mapping[str, Mapping[str, Any]]
NOTE = "<!-- Written by docs/_generate.py: change the source, then `make docs`. -->"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in rows), ""]


def _text(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


# -- problems.md --


def messages() -> Messages:
    """The entries of en.toml that belong to a problem: `area.what`."""
    found = tomllib.loads((TREE / "schemas" / "messages" / "en.toml").read_text(encoding="utf-8"))
    return {code: entry for code, entry in found.items() if "." in code and "text" in entry}


def _cell(text: str) -> str:
    return re.sub(r"\{(\w+)\}", r"*\1*", text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").strip()


def _sentence(text: str) -> str:
    said = _cell(text)
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?", "!")) else ".")


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
            lines += [f"### `{code}` {{ #{code.replace('.', '-')} }}", "", _sentence(entry["text"]), ""]
            if meaning := entry.get("meaning"):
                lines += [str(meaning).strip(), ""]
            if spec := entry.get("spec"):
                lines += [f"Rule: {_cell(spec)}.", ""]
            if hint := entry.get("hint"):
                lines += [f"What to do: {_cell(hint)}", ""]
    return _text(lines)


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
    statuses = _table(
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
    return _text(lines)


def _command(name: str, command: Any, examples: Mapping[str, str]) -> list[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    arguments = [one for one in shown if not one.opts[0].startswith("-")]
    options = [one for one in shown if one.opts[0].startswith("-")]
    usage = " ".join(f"{one.metavar}" if one.required else f"[{one.metavar}]" for one in arguments)
    lines = ["```text", " ".join(f"cityid {name} {usage} [options]".split()), "```", ""]
    lines += [" ".join(part.split()) + "\n" for part in str(command.help or "").split("\n\n")]
    if name in examples:
        lines += ["For example:", "", "```text", f"cityid {examples[name]}", "```", ""]
    rows = [(f"`{one.metavar}`", _cell(one.help or "")) for one in arguments]
    for one in options:
        value = "" if one.type.name == "boolean" else f" {one.metavar or _choices(one.type)}"
        default = f" (`{one.default}`)" if isinstance(one.default, str) and one.default else ""
        again = " Needed." if one.required else ""
        rows.append((f"`{', '.join(one.opts)}{value}`".replace("|", "\\|"), f"{_cell(one.help or '')}{default}{again}"))
    return [*lines, *_table(("", ""), rows)]


def _choices(kind: Any) -> str:
    return "|".join(kind.choices) if hasattr(kind, "choices") else "TEXT"


# -- files and verdicts, from their schemas --


def _schema(name: str) -> Any:
    return json.loads((TREE / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def _members(schema: Any, root: Any, required: frozenset[str] = frozenset()) -> list[str]:
    rows = []
    for name, member in schema["properties"].items():
        of = {**_found(member, root), **{key: value for key, value in member.items() if key != "$ref"}}
        text = _cell(of.get("description", ""))
        if "default" in of:
            text += f" By default `{json.dumps(of['default'])}`."
        rows.append((f"`{name}`", _kind(of), "yes" if name in required else "", text))
    return _table(("member", "kind", "needed", ""), rows)


def _found(member: Any, root: Any) -> Any:
    return root["$defs"][member["$ref"].rpartition("/")[2]] if "$ref" in member else member


def _kind(member: Any) -> str:
    if "enum" in member:
        return " or ".join(f"`{one}`" for one in member["enum"])
    if "const" in member:
        return f"`{json.dumps(member['const'])}`"
    names = {"object": "table", "array": "list", "string": "text", "boolean": "true or false", "null": "null"}
    kind = member.get("type")
    if isinstance(kind, list):
        return " or ".join(names.get(one, one) for one in kind)
    return names.get(kind, str(kind)) if kind else "table or tables"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:]+Z)?", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _as_toml(value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The example as people write it: plain members first, then tables."""
    tables = {
        key: inner for key, inner in value.items()
        if (isinstance(inner, dict) and not {"min", "max", "given"} & set(inner))
        or (isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner))
    }  # fmt: skip
    for key, inner in value.items():
        if key not in tables:
            yield f"{_key(key)} = {_toml(inner)}"
    for key, inner in tables.items():
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(inner, list):
                yield f"\n[[{prefix}{key}]]"
            elif not _only_tables(one):
                yield f"\n[{prefix}{key}]"
            yield from _as_toml(one, f"{prefix}{key}.")


def _only_tables(value: Mapping[str, Any]) -> bool:
    return all(isinstance(one, dict) and not {"min", "max", "given"} & set(one) for one in value.values())


def _examples(schema: Any) -> list[str]:
    lines = ["## Examples", ""]
    for one in schema["examples"]:
        text = "\n".join(_as_toml(one)).strip()
        if text:
            lines += ["```toml", text, "```", ""]
    return lines


def policy_file() -> str:
    schema = _schema("policy")
    ask, condition = schema["$defs"]["ask"], schema["$defs"]["condition"]
    lines = [
        "# Policy file", "", NOTE, "", _cell(schema["description"]), "",
        "`cityid policy new` writes one to start from, `cityid policy check` checks it, `cityid policy show --json` shows the",
        "DCQL query that it makes. The form is also described by `schemas/policy.schema.json`, for editors that can use it.", "",
        "## Members", "", *_members(schema, schema, frozenset(schema["required"])),
        "Either `ask` or `dcql` must be there.", "",
        "## ask", "", *_members(ask, schema, frozenset(ask["required"])),
        "With one format, an ask is one DCQL credential query with the ask's id (`card` by default). Each further format is a",
        "query of its own, and any one of them is enough.", "",
        "## accept", "", _cell(condition["description"]), "",
        *_table(("condition", "holds when the claim is"), [
            ("`true`, `\"A1\"`, `3`", "exactly this. `true` is never `1`."),
            ("`[\"A1\", \"A2\"]`", "one of these"),
            ("`{ min = \"today\" }`", "this or later: a date, `today`, `today+30d`, `today-1d`, or a number"),
            ("`{ min = 2, max = 5 }`", "within these, ends included"),
            ("`{ given = \"plate\" }`", "what was given at verification: `cityid verify ... --given plate=LI-AB-123`"),
        ]),
        "A claim with several values (`nationalities[]`) is accepted when one of them is. A claim that was not shown is not.", "",
        "## freshness", "", *_members(schema["properties"]["freshness"], schema),
        "## trust", "", *_members(schema["properties"]["trust"], schema, frozenset({"list"})),
        *_examples(schema),
    ]  # fmt: skip
    return _text(lines)


def trust_file() -> str:
    schema = _schema("trust")
    entry = schema["$defs"]["issuer"]
    lines = [
        "# Trust file", "", NOTE, "", _cell(schema["description"]), "",
        "Nobody is trusted who is not in the list. `cityid trust add` and `remove` change the file and leave comments alone;",
        "writing it by hand is as good. Files that it names lie beside it. The form is also described by",
        "`schemas/trust.schema.json`.", "",
        "## [[issuer]]", "", *_members(entry, schema, frozenset(entry["required"])),
        "Exactly one of `did`, `root` and `web` is there, and `mechanism` says the same again, so that a slip of the pen opens no",
        "other door:", "",
        *_table(("mechanism", "goes with", "the issuer's key is", "may be pinned by"), [
            ("`did`", "`did`", "in the DID document, under `assertionMethod`", "`document`"),
            ("`x5c`", "`root`", "in a certificate under the root, which the credential carries", "the root itself"),
            ("`web`", "`web`", "in the issuer's published JWT VC issuer metadata", "`keys`"),
        ]),
        "What is pinned is not fetched: verification then needs no network, and a key that the issuer changes must be brought",
        "by you. An issuer may have several entries for different types. One issuer has one mechanism in the whole list.", "",
        *_examples(schema),
    ]  # fmt: skip
    return _text(lines)


_STEPS = {
    "structure": "Can it be read, strictly, and is it one credential?",
    "issuer_trusted": "Does the trust list let this issuer issue this type, by this mechanism, now? No network before this.",
    "issuer_key": "Is the key where the trust list says that it is?",
    "issuer_signature": "Did that key sign exactly this?",
    "holder_binding": "Did the holder's key sign for this audience and this nonce, just now?",
    "validity": "Is it within its time?",
    "query": "Does it answer what was asked?",
    "conditions": "Are the claims what the policy accepts?",
    "status": "Has it been taken back? Asked last, and only when all else passed.",
}


def verdict() -> str:
    schema = _schema("verdict")
    checks = import_module("cityid.checks")
    steps = [(f"`{step.value}`", _STEPS[step.value]) for step in checks.Step]
    whole = schema["$defs"]["verdict"]
    lines = [
        "# Verdicts", "", NOTE, "",
        "A verdict is *accepted*, *refused* or *undecided*. Undecided means that nothing failed and something could not be",
        "found out; it is no yes. A verdict has nine steps, each exactly once, in this order. After the first that does not",
        "pass the others are not reached, but for validity, query and conditions, which are all told.", "",
        *_table(("step", "question"), steps),
        *_table(("outcome", ""), [
            ("`passed`", "yes"), ("`failed`", "no, with a code"), ("`undecided`", "no answer could be had, with a code"),
            ("`waived`", "the policy gave this step up"), ("`not_reached`", "an earlier step did not pass"),
        ]),
        "## In Python", "",
        "`if verdict:` is the question. An `Accepted` has `claims`, `issuer` and `checks`; a `Rejected` has `checks`, `reason`",
        "and `undecided`, and no claims: type checkers refuse `verdict.claims` before the question was asked.",
        "`verdict.require()` gives the `Accepted` or raises `Refused`.", "",
        "## As JSON", "", _cell(schema["description"]), "The form is `schemas/verdict.schema.json`.", "",
        *_members(whole, schema, frozenset(whole["required"])),
        "A check has `step`, `outcome`, and either `code` with `facts` (and perhaps `where` and `spec`) or `facts` alone.", "",
        "```json", json.dumps(schema["examples"][1], indent=2), "```", "",
    ]  # fmt: skip
    return _text(lines)


# -- credential-types.md --


def credential_types() -> str:
    lines = [
        "# Credential types", "", NOTE, "",
        "The types that are shipped. A city adds its own by writing a file: see",
        "[add a credential type](../how-to/city-hall/add-a-type.md). Names on the wire are those of SD-JWT VC; a definition also",
        "says the names in formats that are not built yet.", "",
    ]  # fmt: skip
    paths, model = import_module("cityid.encoding.paths"), import_module("cityid.credential_type")
    for file in sorted((TREE / "schemas" / "types").glob("*.json")):
        kind = model.read(file.read_bytes())
        status = "must carry a status" if kind.status == "required" else "carries no status, and lives shortly instead"
        days = kind.lifetime.days
        lines += [
            f"## {kind.id}", "", f"{model.text_in(kind.title)}. `{kind.names['dc+sd-jwt']['vct']}`. Lives "
            f"{days} {'day' if days == 1 else 'days'}, comes in {kind.copies} copies, {status}.", "",
        ]  # fmt: skip
        rows = [
            (
                f"`{paths.write(path)}`", _cell(model.text_in(rule.labels)), "can be hidden" if rule.hideable else "always shown",
                f"computed ({rule.derived})" if rule.derived else "needed" if rule.required else "",
            )
            for path, rule in kind.claims.items()
        ]  # fmt: skip
        lines += _table(("claim", "", "", ""), rows)
        if kind.inputs:
            names = ", ".join(f"`{paths.write(path)}`" for path in kind.inputs)
            lines += [f"The clerk also types {names}, which the card does not say.", ""]
    return _text(lines)


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
    lines += _table(("", "", "revision", "state"), rows)
    for one in found["specification"]:
        lines += [f"## {one['name']} {{ #{one['id']} }}", "", f"{one['title']}. {one.get('text', '')}".rstrip(), ""]
        if sections := one.get("section"):
            lines += _table(
                ("section", "", "state", ""),
                [(each["at"], each["what"], f"**{each['state']}**", each.get("note", "")) for each in sections],
            )
        if tests := one.get("tests"):
            lines += ["Tests: " + ", ".join(f"`{name}`" for name in tests) + ".", ""]
    return _text(lines)


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
    return _text(lines)


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
    return _text([*lines, *_table(("", ""), rows)])


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
