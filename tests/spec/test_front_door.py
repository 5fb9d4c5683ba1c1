"""The front door: exactly the intended names, imported when used, at little cost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import cityid
from cityid.did import webvh

INTENDED = {
    "verifying": ["Asked", "Challenge", "Policy", "Unbound", "load_policy", "verify", "verify_answer"],
    "verdicts": ["Accepted", "Check", "Outcome", "Rejected", "Step", "Verdict"],
    "presenting": ["Consent", "options", "present"],
    "issuing and accepting": ["CredentialType", "Issuer", "accept", "begin"],
    "errors": ["CityIdError", "Malformed", "Misuse", "Problem", "Refused", "Unavailable", "explain"],
    "the seam": ["Plan", "Request", "Response"],
    "formats": ["Credential", "FORMATS"],
}
NOT_YET_LOADED = {"asyncio", "cryptography", "httpx2", "jsonschema", "nacl", "sqlite3", "ssl", "typer"}
"""What `import cityid` must not bring: its budget is 60 ms above a bare interpreter (`make bench` measures it)."""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


FRONTS = [cityid, webvh]
"""Packages whose names are imported when they are first used."""


def test_exactly_the_intended_names_are_exported() -> None:
    assert sorted(cityid.__all__) == sorted(name for group in INTENDED.values() for name in group)


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.__name__)
def test_every_name_is_what_its_module_has(front: Any) -> None:
    from importlib import import_module

    assert set(front.__all__) == set(front._PLACES)
    for name, where in front._PLACES.items():
        place, _, called = where.partition(":")
        assert getattr(front, name) is getattr(import_module(f"{front.__name__}.{place}"), called or name)
    with pytest.raises(AttributeError, match=f"module '{front.__name__}' has no attribute 'nothing'"):
        _ = front.nothing


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.__name__)
def test_type_checkers_see_every_name(front: Any) -> None:
    """The names under TYPE_CHECKING, which run time never sees."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(str(front.__file__)).read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    found = [alias for node in ast.walk(guarded[0]) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert {alias.asname or alias.name for alias in found} == set(front.__all__)


def test_other_names_are_not_there() -> None:
    assert not hasattr(cityid, "verify_everything")
    assert "verify" in dir(cityid)


def test_importing_is_cheap() -> None:
    program = f"import sys, json, cityid; print(json.dumps(sorted({NOT_YET_LOADED!r} & set(sys.modules))))"
    assert json.loads(run(program)) == []


def test_names_are_loaded_when_they_are_used() -> None:
    loaded = "'cityid.verifying' in sys.modules"
    program = f"import sys, cityid; before = {loaded}; cityid.verify; print(before, {loaded})"
    assert run(program).split() == ["False", "True"]


def test_a_card_of_another_method_needs_no_histories() -> None:
    """Nor the lists of a status that it does not have; a command that verifies one file is mostly imports."""
    most = ["cityid.did.webvh.log", "cityid.status.token_status_list", "cityid.status.bitstring_status_list"]
    program = f"import sys, cityid; cityid.verify; print(sorted(set({most}) & set(sys.modules)))"
    assert run(program).strip() == "[]"
