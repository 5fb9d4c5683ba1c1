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


def test_every_how_to_page_begins_with_what_is_needed() -> None:
    """What the hidden set-up of the examples makes, a reader must be told how to make."""
    folder = TREE / "docs" / "how-to"
    pages = sorted(folder.glob("*/*.md"))
    lines = (folder / "set-up.md").read_text("utf-8").splitlines()
    anchors = {f"#{line[3:].lower()}" for line in lines if line.startswith("## ")}
    assert len(pages) > 10
    for page in pages:
        start = page.read_text("utf-8").partition("\n")[2].lstrip("\n")
        assert start.startswith("**You need** "), page
        linked = {part.partition(")")[0] for part in start.partition("\n\n")[0].split("../set-up.md")[1:]}
        assert linked <= anchors, page
        assert linked or page.name in ("conformance.md", "embed-the-verifier.md")  # these begin with nothing
