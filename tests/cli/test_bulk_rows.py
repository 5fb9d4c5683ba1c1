"""What the first reading of a table leaves for whoever issues its rows."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from cityid.bulk import Person
from cityid.credential_type import Prepared
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Misuse
from cityid.keys import Algorithm
from tests.cli.test_bulk import modules_of_the_command
from tests.jobs.offices import NOW

bulk_rows = modules_of_the_command()["rows"]

MADE = Prepared({"name": "Zoë", "address": {"street": "Weg"}, "over": True, "year": 2011}, NOW, NOW + timedelta(days=1))
KEYS = MemoryKeyring()
PEOPLE = [
    Person(2, "row 2", MADE, '{"name":"Zoë"}'.encode(), "digest", "subject", KEYS.create(Algorithm.ES256)),
    Person(3, "row 3", MADE, b"{}", holder=KEYS.create(Algorithm.EDDSA)),
    Person(5, "row 5", MADE, b"{}"),
]
LINES = [(person.key, person.line) for person in PEOPLE]


def test_people_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    bulk_rows.write(path, PEOPLE, {2: ["Zoë", "Weg 1"]}, typed=True, claims=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert bulk_rows.read(path) == (PEOPLE, {2: ["Zoë", "Weg 1"], 3: [], 5: []})


def test_only_what_is_needed_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    bulk_rows.write(path, PEOPLE, {}, typed=True, claims=False)
    assert b"street" not in path.read_bytes()
    bulk_rows.write(path, PEOPLE, {}, typed=False, claims=True)
    assert b'\\"name\\"' not in path.read_bytes()
    found = bulk_rows.read(path)
    assert found is not None
    assert found[0][0].prepared == MADE
    assert found[0][0].typed == b""


@pytest.mark.parametrize(
    "data", [b"", b"[[", b"{}x", b"[1]", b"[[1,2]]", b"null", b'[[2,"k","d","s",["RS256","AA"],1,2,"",null,[]]]']
)
def test_what_a_crash_has_left_is_read_again_from_the_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "rows.json").write_bytes(data)
    assert bulk_rows.read(tmp_path / "rows.json") is None
    assert bulk_rows.read(tmp_path / "none.json") is None


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "rows.json").symlink_to(tmp_path / "victim")
    bulk_rows.write(tmp_path / "rows.json", PEOPLE, {}, typed=True, claims=True)
    assert (tmp_path / "victim").read_bytes() == b"mine"
    with pytest.raises(Misuse) as no:
        bulk_rows.write(tmp_path / "nowhere" / "rows.json", PEOPLE, {}, typed=True, claims=True)
    assert no.value.code == "file.not_found"


def test_keys_that_came_before() -> None:
    with bulk_rows.Seen() as seen:
        assert seen.repeated(LINES) == []
        assert seen.repeated([("row 3", 9), ("row 10", 10)]) == [(9, 3)]
        assert seen.count == 1


def test_keys_are_not_kept_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with bulk_rows.Seen() as seen:
        seen.repeated(LINES)
    assert len(os.listdir("/proc/self/fd")) == before
