"""The pages that follow from schemas: policy files, trust files, verdicts, credential types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from _page import NOTE, TREE, as_table, as_text, cell


def _schema(name: str) -> Any:
    return json.loads((TREE / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def _members(schema: Any, root: Any, required: frozenset[str] = frozenset()) -> list[str]:
    rows = []
    for name, member in schema["properties"].items():
        of = {**_found(member, root), **{key: value for key, value in member.items() if key != "$ref"}}
        text = cell(of.get("description", ""))
        if "default" in of:
            text += f" By default `{json.dumps(of['default'])}`."
        rows.append((f"`{name}`", _kind(of), "yes" if name in required else "", text))
    return as_table(("member", "kind", "needed", ""), rows)


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
        "# Policy file", "", NOTE, "", cell(schema["description"]), "",
        "`cityid policy new` writes one to start from, `cityid policy check` checks it, `cityid policy show --json` shows the",
        "DCQL query that it makes. The form is also described by `schemas/policy.schema.json`, for editors that can use it.", "",
        "## Members", "", *_members(schema, schema, frozenset(schema["required"])),
        "Either `ask` or `dcql` must be there.", "",
        "## ask", "", *_members(ask, schema, frozenset(ask["required"])),
        "With one format, an ask is one DCQL credential query with the ask's id (`card` by default). Each further format is a",
        "query of its own, and any one of them is enough.", "",
        "## accept", "", cell(condition["description"]), "",
        *as_table(("condition", "holds when the claim is"), [
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
    return as_text(lines)


def trust_file() -> str:
    schema = _schema("trust")
    entry = schema["$defs"]["issuer"]
    lines = [
        "# Trust file", "", NOTE, "", cell(schema["description"]), "",
        "Nobody is trusted who is not in the list. `cityid trust add` and `remove` change the file and leave comments alone;",
        "writing it by hand is as good. Files that it names lie beside it. The form is also described by",
        "`schemas/trust.schema.json`.", "",
        "## [[issuer]]", "", *_members(entry, schema, frozenset(entry["required"])),
        "Exactly one of `did`, `root` and `web` is there, and `mechanism` says the same again, so that a slip of the pen opens no",
        "other door:", "",
        *as_table(("mechanism", "goes with", "the issuer's key is", "may be pinned by"), [
            ("`did`", "`did`", "in the DID document, under `assertionMethod`", "`document`"),
            ("`x5c`", "`root`", "in a certificate under the root, which the credential carries", "the root itself"),
            ("`web`", "`web`", "in the issuer's published JWT VC issuer metadata", "`keys`"),
        ]),
        "What is pinned is not fetched: verification then needs no network, and a key that the issuer changes must be brought",
        "by you. An issuer may have several entries for different types. One issuer has one mechanism in the whole list.", "",
        *_examples(schema),
    ]  # fmt: skip
    return as_text(lines)


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
        *as_table(("step", "question"), steps),
        *as_table(("outcome", ""), [
            ("`passed`", "yes"), ("`failed`", "no, with a code"), ("`undecided`", "no answer could be had, with a code"),
            ("`waived`", "the policy gave this step up"), ("`not_reached`", "an earlier step did not pass"),
        ]),
        "## In Python", "",
        "`if verdict:` is the question. An `Accepted` has `claims`, `issuer` and `checks`; a `Rejected` has `checks`, `reason`",
        "and `undecided`, and no claims: type checkers refuse `verdict.claims` before the question was asked.",
        "`verdict.require()` gives the `Accepted` or raises `Refused`.", "",
        "## As JSON", "", cell(schema["description"]), "The form is `schemas/verdict.schema.json`.", "",
        *_members(whole, schema, frozenset(whole["required"])),
        "A check has `step`, `outcome`, and either `code` with `facts` (and perhaps `where` and `spec`) or `facts` alone.", "",
        "```json", json.dumps(schema["examples"][1], indent=2), "```", "",
    ]  # fmt: skip
    return as_text(lines)


def credential_types() -> str:
    lines = [
        "# Credential types", "", NOTE, "",
        "The types that are shipped. A city adds its own by writing a file: see",
        "[add a credential type](../how-to/city-hall/add-a-type.md). Names on the wire are those of SD-JWT VC; a definition also",
        "says its names in the other formats.", "",
    ]  # fmt: skip
    paths, model = import_module("cityid.encoding.paths"), import_module("cityid.credential_type")
    for file in sorted((TREE / "schemas" / "types").glob("*.json")):
        kind = model.read(file.read_bytes())
        status = "must carry a status" if kind.status == "required" else "carries no status, and lives shortly instead"
        days = kind.lifetime.days
        lives = "to the end of its month" if kind.unlinkable else f"{days} {'day' if days == 1 else 'days'}"
        copies = "one copy" if kind.copies == 1 else f"{kind.copies} copies"
        lines += [
            f"## {kind.id}", "", f"{model.text_in(kind.title)}. `{kind.wire_name(next(iter(kind.names)))}`. Lives "
            f"{lives}, comes in {copies}, {status}.", "",
            *(["Only `cityid poll enrol` issues it, in `ldp_vc` by BBS.", ""] if kind.enrolled else []),
        ]  # fmt: skip
        rows = [
            (
                f"`{paths.write(path)}`", cell(model.text_in(rule.labels)), "can be hidden" if rule.hideable else "always shown",
                f"computed ({rule.derived})" if rule.derived else "needed" if rule.required else "",
            )
            for path, rule in kind.claims.items()
        ]  # fmt: skip
        lines += as_table(("claim", "", "", ""), rows)
        if kind.inputs:
            names = ", ".join(f"`{paths.write(path)}`" for path in kind.inputs)
            lines += [f"The clerk also types {names}, which the card does not say.", ""]
    return as_text(lines)
