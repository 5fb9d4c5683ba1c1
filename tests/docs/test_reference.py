"""What docs/reference/standards.toml names is there. (`make check` says whether generated pages are up to date.)"""

from __future__ import annotations

import tomllib

from tests.paths import TREE


def test_standards_name_tests_that_are_there() -> None:
    found = tomllib.loads((TREE / "docs" / "reference" / "standards.toml").read_text(encoding="utf-8"))
    names = [name for one in found["specification"] for name in one.get("tests", [])]
    assert names
    assert [name for name in names if not (TREE / name).is_file()] == []


def test_standards_are_built_in_part_or_not() -> None:
    found = tomllib.loads((TREE / "docs" / "reference" / "standards.toml").read_text(encoding="utf-8"))
    for one in found["specification"]:
        states = {section["state"] for section in one.get("section", [])} | {one["state"]}
        assert states <= {"yes", "part", "no"}
        if one["state"] != "no":
            assert one["tests"], one["name"]
