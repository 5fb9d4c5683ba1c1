"""Attack group U beside the screen: results, input, paths, offers, consent, the network (U05 to U07, U13 to U16)."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.test_u import printable
from tests.cli.towns import SHOW, WITH, Town

pytestmark = pytest.mark.kdf


class TestU05WhereResultsGo:
    COMMAND = "type template age -o {} {}"

    def test_u05_no_overwriting_without_force(self, town: Town) -> None:
        town.write("there.csv", "mine")
        assert town.type(self.COMMAND.format("there.csv", ""))[1] == 2
        assert (town.here / "there.csv").read_text() == "mine"
        assert town.type(self.COMMAND.format("there.csv", "--force"))[1] == 0
        assert (town.here / "there.csv").read_text() != "mine"

    @pytest.mark.parametrize("force", ["", "--force"])
    def test_u05_never_through_a_link_nor_into_a_folder_or_device(self, town: Town, force: str) -> None:
        target = town.write("target.txt", "mine")
        for name in ("link.csv", "dangling.csv"):
            (town.here / name).unlink(missing_ok=True)
        (town.here / "link.csv").symlink_to(target)
        (town.here / "dangling.csv").symlink_to(town.here / "made.txt")
        for name in ("link.csv", "dangling.csv", "city", "/dev/stdout", "/dev/null", "-", "no/such/place.csv"):
            said, status = town.type(self.COMMAND.format(name, force))
            assert status == 2, (name, said)
        assert target.read_text() == "mine"
        assert not (town.here / "made.txt").exists()
        assert not (town.here / "-").exists()

    def test_u05_secrets_are_for_their_owner_alone(self, town: Town) -> None:
        name = town.answered()
        town.must(f"--home library verify {name}.answer --session {name}.json --record {name}.record")
        town.must(f"inspect {name}.answer --record {name}.seen")
        private = [f"{name}.answer", f"{name}.record", f"{name}.seen", "residency.offer", "residency.request",
                   "residency.cards"]  # fmt: skip
        for file in private:
            assert stat.S_IMODE((town.here / file).stat().st_mode) == 0o600, file
        assert stat.S_IMODE((town.here / f"{name}.json").stat().st_mode) == 0o644

    def test_u05_nothing_is_lost_for_a_file_that_cannot_be_written(self, town: Town) -> None:
        name = town.asks()
        before = town.must("--home ada wallet list", secret=True)
        assert town.type(f"--home ada present {name}.json {SHOW} -o no/where.json", secret=True)[1] == 2
        assert town.must("--home ada wallet list", secret=True) == before


class TestU06WhatIsRead:
    @pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "fifo", "city", "sparse", "nothing"])
    def test_u06_only_files_of_a_bearable_size(self, town: Town, path: str) -> None:
        if not (town.here / "fifo").exists():
            os.mkfifo(town.here / "fifo")
            with (town.here / "sparse").open("wb") as file:
                file.truncate(10 << 30)
        commands = ["inspect {}", "--home ada accept {}", "--home ada present {}", "policy check {}",
                    "--home library verify {} --session x", "type check {}",
                    "--home city issue age --claims {}"]  # fmt: skip
        for command in commands:
            said, status = town.type(command.format(path), secret="ada" in command or "city" in command)
            assert status in (1, 2), (command, said)
            assert said.startswith("error: ")
        assert town.must("inspect ada.json")


class TestU07NamesThatBecomePaths:
    @pytest.mark.parametrize("name", ["../../.bashrc", "-rf", "con.", "..", "a/b", ".hidden", "A", "x" * 300, ""])
    def test_u07_a_type_s_name_is_no_path(self, town: Town, name: str) -> None:
        def files() -> list[Path]:
            # what SQLite keeps beside a database comes and goes with its connections
            found = (path for path in town.here.rglob("*") if path.name != "stdout")
            return sorted(path for path in found if not path.name.endswith(("-shm", "-wal", "-journal")))

        before = files()
        said, status = town.type(f"--home city type new -- '{name}'")
        assert status == 1, said
        assert files() == before

    def test_u07_twin(self, town: Town) -> None:
        town.must("--home city type new fishing-permit")
        assert (town.here / "city/types/fishing-permit.json").exists()
        (town.here / "city/types/fishing-permit.json").unlink()

    def test_u07_files_of_a_batch_are_named_by_line_alone(self, town: Town) -> None:
        town.write("evil.csv", "given_name,family_name,birthdate\n../../x,-rf,1990-01-01\n")
        town.must("--home city issue age --from evil.csv -o evil-offers", secret=True)
        assert [path.name for path in (town.here / "evil-offers").iterdir()] == ["line-000002.offer"]


class TestU13Offers:
    GOOD = "openid-credential-offer://?credential_offer="

    @pytest.mark.parametrize(
        ("link", "code"),
        [
            (GOOD + "{", "json.syntax"),
            (GOOD + "%7B" + "x" * 5000, "offer.too_large"),
            ("openid4vp://?client_id=x", "offer.not_an_offer"),
            ("https://id.lindau.example/offer", "offer.not_an_offer"),
            (GOOD + "%7B%7D&credential_offer=%7B%7D", "offer.not_an_offer"),
            ("openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fx.example", "offer.by_reference"),
            ("openid-credential-offer://", "offer.not_an_offer"),
        ],
    )
    def test_u13_a_strange_link_is_no_offer(self, town: Town, link: str, code: str) -> None:
        said, status = town.type(f"--home ada accept '{link}' --yes", secret=True)
        assert status == 1
        assert code in said

    def test_u13_a_link_of_two_lines(self, town: Town) -> None:
        link = self._link(town)
        said, status = town.shell.run(f"cityid --home ada accept $'{link[:60]}\\n{link[60:]}' --yes {WITH}")
        assert status == 1
        assert "offer.not_an_offer" in said

    def test_u13_twin(self, town: Town) -> None:
        assert town.type(f"--home ada accept '{self._link(town)}' --yes", secret=True)[1] == 0

    @staticmethod
    def _link(town: Town) -> str:
        out, _, status = town.apart("--home city issue age --claims age.json --yes", secret=True)
        if status:
            town.write("age.json", '{"birthdate": "1990-12-10"}')
            out, _, status = town.apart("--home city issue age --claims age.json --yes", secret=True)
        assert status == 0
        return out.strip()


class TestU15Consent:
    def test_u15_yes_needs_the_claims_by_name(self, town: Town) -> None:
        name = town.asks()
        assert town.type(f"--home ada present {name}.json --yes", secret=True)[1] == 2
        assert town.type(f"--home ada present {name}.json --yes --show age_over_18", secret=True)[1] == 4
        said, status = town.type(f"--home ada present {name}.json", secret=True)
        assert status == 2
        assert "--show CLAIM" in said
        assert town.type(f"--home ada present {name}.json {SHOW}", secret=True)[1] == 0

    def test_u15_everything_that_leaves_is_listed_and_counted(self, town: Town) -> None:
        policy = (town.here / "library/policies/card.toml").read_text()
        claims = ["age_over_18", "given_name", "family_name", "address"]
        town.write("library/policies/many.toml", policy.replace(
            '["age_over_18", "address.locality"]', json.dumps(claims)).replace(
            '"address.locality" = ["Lindau", "Bregenz"]', ""))  # fmt: skip
        name = town.asks("many")
        show = "--yes " + " ".join(f"--show {claim}" for claim in (*claims, "issuing_authority", "issuing_country",
                                                                     "issuing_jurisdiction"))  # fmt: skip
        said = town.shows(name, show)
        rows = [line for line in said.splitlines() if "  = " in line]
        assert f"  {len(rows)} claims leave this wallet." in said
        shown = json.loads(town.must(f"inspect {name}.answer --json"))["presentations"]["card"][0]
        assert len(rows) == 3 + 3 + 4
        assert len(shown["hideable"]) == 3 + 1 + 4

    def test_u15_a_value_of_many_lines_takes_one(self, town: Town) -> None:
        claims = json.loads((town.here / "ada.json").read_text())
        claims["family_name"] = "Love\u2028" + "x" * 60
        town.write("lines.json", json.dumps(claims))
        said, status = town.type("--home city issue residency --claims lines.json", secret=True)
        rows = [line for line in said.splitlines() if "can be hidden" in line]
        assert status in (1, 2)
        assert all(line.startswith("  ") for line in rows)
        assert printable(said)


def test_u16_x01_no_packet_but_the_command_s_own(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def spy(self: Any, address: object, *rest: Any) -> Any:
        tried.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", spy)
    monkeypatch.setattr(socket.socket, "sendto", spy)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: spy(None, os.fsdecode(host)))
    name = town.answered()
    assert town.judge(name)[1] == 0
    for command in ("", "--help", "type show", f"inspect {name}.answer", "--home library trust list", "--version"):
        assert town.type(command)[1] == 0
    assert tried == []
    # the spy sees what is sent
    assert town.type("did resolve did:web:id.lindau.example")[1] == 3
    assert tried == ["id.lindau.example"]


# -- properties 16 and 17 --
