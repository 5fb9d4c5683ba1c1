"""Claims as rows of a table, and the fictional residents of the tutorial."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cityid.credential_type import columns, from_row, template
from cityid.errors import Problem
from tests.jobs.offices import NOW, TYPES
from tests.paths import TREE
from tests.spec.test_credential_types import claim, made, with_claims, wrong


class TestTables:
    def test_columns_are_what_a_clerk_types(self) -> None:
        assert columns(TYPES["age"]) == ("birthdate",)
        assert "address.locality" in columns(TYPES["residency"])
        assert "address" not in columns(TYPES["residency"])
        assert "age_over_18" not in columns(TYPES["residency"])

    @pytest.mark.parametrize("id", sorted(TYPES))
    def test_templates(self, id: str) -> None:
        kind = TYPES[id]
        header = next(csv.reader(io.StringIO(template(kind).decode("utf-8"))))
        assert tuple(header) == columns(kind)
        claims = json.loads(template(kind, "json"))
        assert not {code for code, _ in wrong(claims, kind)} & {"claim.unknown", "claim.missing", "claim.derived"}

    def test_cells_become_values(self) -> None:
        kind = made(with_claims(
            n=claim({"type": "integer"}), b=claim({"type": "boolean"}), l=claim({"type": "array"}), a__t=claim(),
            i=claim({"type": "array", "items": {"type": "integer"}}),
        ))  # fmt: skip
        row = {"n": " 7 ", "b": "TRUE", "l": "x; y", "a.t": "z", "i": "1;2"}
        claims = from_row(kind, row)
        assert claims == {"n": 7, "b": True, "l": ["x", "y"], "a": {"t": "z"}, "i": [1, 2]}
        assert wrong(claims, kind) == []
        assert wrong(from_row(kind, {"n": "7.5", "b": "yes"}), kind) == [
            ("claim.wrong_type", "$.n"), ("claim.wrong_type", "$.b"),
        ]  # fmt: skip

    def test_columns_of_others(self) -> None:
        kind = TYPES["age"]
        row = {"birthdate": "1990-12-10", "plate": "LI-AB 123", "note": ""}
        assert from_row(kind, row, ignore={"plate"}) == {"birthdate": "1990-12-10"}
        assert wrong(from_row(kind, row), kind) == [("claim.unknown", "$.plate")]
        assert from_row(kind, {"birthdate": " ", "plate": "LI-AB 123"}) == {}
        assert from_row(kind, {"birthdate": None}) == {}
        assert wrong(from_row(kind, {**row, "plate": "", "age_over_18": "true"}), kind)[0][0] == "claim.derived"


class TestResidents:
    """docs/tutorial/residents.csv: fictional, and awkward on purpose."""

    FILE = TREE / "docs" / "tutorial" / "residents.csv"

    def rows(self, id: str) -> list[tuple[dict[str, Any], tuple[Problem, ...]]]:
        others = {column for kind in TYPES.values() for column in columns(kind)}
        with Path(self.FILE).open(encoding="utf-8", newline="") as file:
            claims = [from_row(TYPES[id], row, ignore=others) for row in csv.DictReader(file)]
        return [(one, TYPES[id].problems(one, at=NOW)) for one in claims if one]

    def test_two_rows_are_refused(self) -> None:
        rows = self.rows("residency")
        assert len(rows) == 10
        found = [(problem.code, problem.where) for _, problems in rows for problem in problems]
        assert found == [("claim.not_a_date", "$.birthdate"), ("claim.missing", "$.family_name")]

    def test_some_have_a_parking_permit(self) -> None:
        rows = self.rows("parking-permit")
        assert len(rows) == 3
        assert not any(problems for _, problems in rows)

    def test_ages(self) -> None:
        good = [claims for claims, problems in self.rows("age") if not problems]
        said = [TYPES["age"].read(claims, at=NOW) for claims in good]
        assert [ages["age_over_18"] for ages in said].count(False) == 1
        assert sum(claims["birthdate"].endswith("02-29") for claims in good) == 1

    def test_a_protected_address_is_no_address(self) -> None:
        good = [claims for claims, problems in self.rows("residency") if not problems]
        assert sum("address" not in claims and "district" not in claims for claims in good) == 1
