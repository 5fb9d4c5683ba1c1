"""The front door: exactly the intended names, imported when used, at little cost."""

from __future__ import annotations

import json
import subprocess
import sys

import cityid

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


def test_exactly_the_intended_names_are_exported() -> None:
    assert sorted(cityid.__all__) == sorted(name for group in INTENDED.values() for name in group)
    assert set(cityid.__all__) == set(cityid._PLACES)


def test_every_name_is_what_its_module_has() -> None:
    from importlib import import_module

    for name, place in cityid._PLACES.items():
        assert getattr(cityid, name) is getattr(import_module(f"cityid.{place}"), name)


def test_type_checkers_see_every_name() -> None:
    """The names under TYPE_CHECKING, which run time never sees."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(str(cityid.__file__)).read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in ast.walk(guarded[0]) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(cityid.__all__)


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
