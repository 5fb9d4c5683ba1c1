"""Schemas describe what readers read: examples hold, good files pass both, what is wrong in form fails both."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar

import jsonschema
import pytest

from cityid import limits, policy, trust
from cityid.credential import Challenge
from cityid.edge import files
from cityid.edge.recorded import offline
from cityid.edge.resources import example
from cityid.errors import Misuse
from cityid.formats import FORMATS
from cityid.verifying import Asked, verify_answer
from tests.memory import MemorySessions
from tests.paths import TREE

TRUST = '[[issuer]]\ndid = "did:web:id.lindau.example"\nmechanism = "did"\ntypes = ["residency"]\n'
QUERY = b'{"credentials":[{"id":"q","format":"dc+sd-jwt","meta":{"vct_values":["urn:x"]}}]}'
AT = datetime(2026, 11, 22, 23, 44, tzinfo=UTC)
"""When the shipped answer was given."""


def schema(name: str) -> Any:
    return json.loads((TREE / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def holds(name: str, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema(name)).is_valid(value))


@pytest.mark.parametrize("name", ["policy", "trust", "verdict", "type"])
def test_schemas_and_their_examples_hold(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    for one in schema(name).get("examples", []):
        assert holds(name, one)
    assert schema(name).get("examples") or name == "type"


# -- TOML, written from the JSON that a schema describes --


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


def file(value: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {toml(inner)}\n" for key, inner in value.items())


def read_policy(value: dict[str, Any]) -> policy.Policy:
    def load(name: str) -> bytes:
        if not name:
            raise Misuse("file.not_regular", file=name)
        return QUERY if name == "query.json" else TRUST.encode()

    return policy.read(file(value).encode(), types=files.types(), load=load, formats=FORMATS)


def reads(value: dict[str, Any]) -> bool:
    try:
        read_policy(value)
    except Misuse:
        return False
    return True


class TestPolicy:
    @pytest.mark.parametrize("number", range(4))
    def test_examples_are_policies(self, number: int) -> None:
        assert read_policy(schema("policy")["examples"][number]).purpose

    GOOD: ClassVar[tuple[dict[str, Any], ...]] = (
        {"ask": [{"type": "age", "claims": ["age_over_18"]}], "accept": {"card": {"age_over_18": True}}},
        {"ask": {"type": "age", "claims": []}},
        {"ask": {"type": "age", "claims": ["age_over_18"], "multiple": True, "formats": []}},
        {
            "ask": {"type": "residency", "claims": ["birthdate"]},
            "accept": {"birthdate": {"min": "today-1d", "max": "2026-01-31"}},
        },
        {
            "ask": {"type": "residency", "claims": ["resident_since_year"]},
            "accept": {"resident_since_year": {"max": 2000.5}},
        },
        {"accept": {"age_over_18": [True, False]}},
        {"freshness": {"max_age": "90s", "grace": "1d"}},
        {"waive": ["status"]},
        {"purpose": ""},
    )
    BAD: ClassVar[tuple[dict[str, Any], ...]] = (
        {"purpose": None},
        {"purpose": 1},
        {"purpose": "x" * 201},
        {"ask": None},
        {"dcql": "query.json"},
        {"ask": None, "dcql": "query.json", "any_of": [["q"]]},
        {"trust": None},
        {"trust": {"list": ""}},
        {"trust": {"list": "x", "more": 1}},
        {"more": 1},
        {"ask": []},
        {"ask": {"claims": ["age_over_18"]}},
        {"ask": {"type": "age"}},
        {"ask": {"type": "age", "claims": "age_over_18"}},
        {"ask": {"type": "age", "claims": ["age..over"]}},
        {"ask": {"type": "age", "claims": ["age_over_18"], "more": 1}},
        {"ask": {"id": "a b", "type": "age", "claims": ["age_over_18"]}},
        {"ask": {"type": "age", "claims": ["age_over_18"], "multiple": 1}},
        {"ask": [{"type": "age", "claims": ["age_over_18"]}, {"id": "b", "type": "age", "claims": ["age_over_18"]}]},
        {"any_of": []},
        {"any_of": [[]]},
        {"any_of": ["card"]},
        {"accept": {"age_over_18": []}},
        {"accept": {"age_over_18": {}}},
        {"accept": {"age_over_18": {"given": ""}}},
        {"accept": {"age_over_18": {"given": "a", "min": 1}}},
        {"accept": {"age_over_18": {"min": "soon"}}},
        {"accept": {"age_over_18": {"min": True}}},
        {"accept": {"age_over_18": [[True]]}},
        {"freshness": {"max_age": "15"}},
        {"freshness": {"max_age": 15}},
        {"freshness": {"min_age": "15m"}},
        {"waive": ["issuer_signature"]},
        {"waive": "status"},
    )
    BASE: ClassVar[dict[str, Any]] = {
        "purpose": "x",
        "ask": {"type": "age", "claims": ["age_over_18"]},
        "trust": {"list": "trust/issuers.toml"},
    }

    def changed(self, change: dict[str, Any]) -> dict[str, Any]:
        merged = {**copy.deepcopy(self.BASE), **change}
        return {key: value for key, value in merged.items() if value is not None}

    @pytest.mark.parametrize("change", GOOD, ids=str)
    def test_good_files_pass_both(self, change: dict[str, Any]) -> None:
        assert reads(self.changed(change))
        assert holds("policy", self.changed(change))

    @pytest.mark.parametrize("change", BAD, ids=str)
    def test_bad_files_fail_both(self, change: dict[str, Any]) -> None:
        assert not holds("policy", self.changed(change))
        assert not reads(self.changed(change))

    @pytest.mark.parametrize(
        "change",
        [
            {"ask": {"type": "unknown", "claims": []}},
            {"ask": {"type": "age", "claims": ["unknown"]}},
            {"ask": {"type": "age", "claims": [], "formats": ["mso_mdoc"]}},
            {"accept": {"age_over_21": True}},
            {"any_of": [["another"]]},
        ],
        ids=str,
    )
    def test_what_a_schema_cannot_say_is_left_to_the_reader(self, change: dict[str, Any]) -> None:
        assert holds("policy", self.changed(change))
        assert not reads(self.changed(change))


class TestTrust:
    ENTRY: ClassVar[dict[str, Any]] = {"did": "did:web:id.lindau.example", "mechanism": "did", "types": ["age"]}

    def both(self, **change: Any) -> tuple[bool, bool]:
        entry = {key: value for key, value in {**self.ENTRY, **change}.items() if value is not None}
        value = {"issuer": [entry]}
        shown = {"issuer": [{k: v.isoformat() if isinstance(v, date) else v for k, v in entry.items()}]}
        try:
            trust.read(file(value), lambda name: b"")
        except Misuse:
            return holds("trust", shown), False
        return holds("trust", shown), True

    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"status": "none", "name": "Lindau"},
            {"since": date(2026, 1, 1), "until": datetime(2027, 1, 1, tzinfo=UTC)},
            {"did": None, "web": "https://id.wangen.example", "mechanism": "web"},
        ],
        ids=str,
    )
    def test_good_files_pass_both(self, change: dict[str, Any]) -> None:
        assert self.both(**change) == (True, True)

    @pytest.mark.parametrize(
        "change",
        [
            {"did": None},
            {"did": "lindau"},
            {"web": "https://id.wangen.example"},
            {"mechanism": "x5c"},
            {"mechanism": None},
            {"types": []},
            {"types": ["age", "age"]},
            {"types": "age"},
            {"status": "maybe"},
            {"name": ""},
            {"keys": "jwks.json"},
            {"issuer": "x"},
            {"more": 1},
            {"since": "soon"},
        ],
        ids=str,
    )
    def test_bad_files_fail_both(self, change: dict[str, Any]) -> None:
        assert self.both(**change) == (False, False)


class TestVerdict:
    """What the command gives as JSON, over the shipped answer and what becomes of it."""

    def judged(self, at: datetime = AT, *, times: int = 1, replayed: bool = False, **change: Any) -> tuple[int, Any]:
        show = import_module("cityid._cli.verdicts").show
        folder = example("library")
        judge = files.load_policy(folder / "policy.toml")
        sent = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        token = json.loads((folder / "answer.json").read_text(encoding="utf-8"))["vp_token"]
        asked = Asked(sent["state"], judge.query, Challenge(sent["client_id"], sent["nonce"]), judge)
        store = MemorySessions()
        store.put(asked.id, b"", at + limits.SESSION_AGE)
        verdicts = [verify_answer({**token, **change}, asked, at, sessions=store).run(offline) for _ in range(times)]
        status, found = show(verdicts[-1], asked, token, at, json_=True, replayed=replayed)
        return status, json.loads(json.dumps(found, default=dict))

    def test_accepted(self) -> None:
        status, found = self.judged()
        assert (status, found["verdict"], found["claims"]["age_over_18"]) == (0, "accepted", True)
        assert holds("verdict", found)
        assert found["reason"] is None
        assert not holds("verdict", {**found, "reason": {"code": "binding.too_old", "text": "x"}})
        assert not holds("verdict", {name: value for name, value in found.items() if name != "reason"})
        assert not holds("verdict", {**found, "verdict": "perhaps"})
        assert not holds("verdict", {**found, "more": 1})
        assert not holds("verdict", {**found, "checks": found["checks"][1:]})

    def test_refused(self) -> None:
        status, found = self.judged(AT + timedelta(hours=1))
        reasons = [check["code"] for check in found["checks"] if check["outcome"] == "failed"]
        assert (status, found["verdict"], reasons) == (1, "refused", ["binding.too_old"])
        assert found["problems"][0]["code"] == "query.answer_missing"
        assert found["reason"]["code"] == "binding.too_old"
        assert found["reason"]["text"].startswith("the presentation was made ")
        assert not holds("verdict", {**found, "reason": None})
        assert holds("verdict", found)
        assert not holds("verdict", {**found, "claims": {}})
        assert not holds("verdict", {name: value for name, value in found.items() if name != "problems"})

    def test_refused_as_a_whole(self) -> None:
        for _, found in (self.judged(times=2), self.judged(other=["x"]), self.judged(card="x")):
            assert found["verdict"] == "refused"
            assert holds("verdict", found)

    def test_replayed_and_several(self) -> None:
        _, found = self.judged(replayed=True)
        assert found["replayed"] is True
        assert holds("verdict", found)
        assert holds("verdict", [{"file": "a", **found}, {"file": "b", **found}])
        assert not holds("verdict", [found, found])
