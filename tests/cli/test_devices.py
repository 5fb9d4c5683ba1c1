"""A person with two devices, one of which is lost: its cards are revoked, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import hsm
from tests.cli.towns import PASSPHRASE, Town

pytestmark = pytest.mark.kdf


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Ada's cards on a phone and a laptop; Bob's on a phone of his; one of Ada's that nobody took."""
    made = Town(tmp_path_factory.mktemp("devices"))
    begin(made)
    for home, name in (("phone", "phone"), ("laptop", "my laptop"), ("bob", "phone")):
        made.must(f"init wallet {home} --device '{name}'", secret=True)
        made.must(f"--home {home} {TRUST}")
    for person, home in (("ada", "phone"), ("ada", "laptop"), ("ada", "phone"), ("bob", "bob")):
        takes(made, person, home)
    made.must("--home city issue library-card --claims reader.json --person ada --yes -o e.offer", secret=True)
    return made


ISSUER = "did:web:id.lindau.example"
TRUST = f"trust add --did {ISSUER} --document city/did.json --type urn:cityid:library-card:1 --status required"


def begin(town: Town) -> None:
    """A city whose library cards can be revoked."""
    city = "--did did:web:id.lindau.example --name 'Stadt Lindau' --status-url https://id.lindau.example/status"
    town.must(f"init city city {city}", secret=True)
    town.must("--home city type new library-card --title 'Library card'")
    kind = town.here / "city/types/library-card.json"
    kind.write_text(kind.read_text().replace('"status": "none"', '"status": "required"'))
    town.write("reader.json", '{"name": "Ada"}')


def takes(town: Town, person: str, home: str, pin: str = "") -> None:
    town.must(
        f"--home city issue library-card --claims reader.json --person {person} --yes -o a.offer --force", secret=True
    )
    town.must(f"--home {home} accept a.offer --yes -o a.request --force{pin}", secret=True)
    town.must("--home city issue --answer a.request -o a.cards --force", secret=True)
    town.must(f"--home {home} accept a.cards", secret=True)


def standing(town: Town) -> dict[str, str]:
    rows = json.loads(town.must("--home city register list --json"))["rows"]
    return {row["number"][-1]: row["status"] if row["state"] == "issued" else row["state"] for row in rows}


GOOD = {"1": "valid", "2": "valid", "3": "valid", "4": "valid", "5": "offered"}


def test_one_lost_device_is_taken_out_alone(town: Town) -> None:
    assert standing(town) == GOOD
    listed = town.must("--home city register devices --person ada")
    assert [" ".join(line.split()[:1] + line.split()[-2:]) for line in listed.splitlines()] == [
        "phone 2 cards", "my 1 card",
    ]  # fmt: skip
    said = town.must("--home city suspend --person ada --device phone --why 'phone lost' --yes")
    assert "2 suspended." in said
    assert "on phone" in said
    assert standing(town) == {**GOOD, "1": "suspended", "3": "suspended"}
    # by any key of hers, and by the device's id
    shown = json.loads(town.must("--home city register show R-2026-000002 --json"))
    known = json.loads(town.must(f"--home city register devices --holder {shown['holders'][0]} --json"))
    assert [one["device"] for one in known] == ["phone", "my laptop"]
    assert shown["device"] == f"my laptop {known[1]['id']}"
    assert known[0]["cards"] == ["R-2026-000001", "R-2026-000003"]
    which = f"--holder {shown['holders'][0]} --device {known[0]['id'][:6]}"
    assert "2 restored." in town.must(f"--home city restore {which} --why found --yes")
    assert standing(town) == GOOD
    # by a key that lies on it
    which = f"--device {json.loads(town.must('--home city register show R-2026-000003 --json'))['holders'][0]}"
    assert "2 revoked." in town.must(f"--home city revoke {which} --why stolen --yes")
    assert standing(town) == {**GOOD, "1": "revoked", "3": "revoked"}
    assert "2 revoked" in town.must("--home city register devices --person ada")


def test_a_device_that_is_not_hers(town: Town) -> None:
    before = standing(town)
    for which, code in (
        ("--person ada --device tablet", "register.unknown_device"),
        ("--person carol --device phone", "register.unknown_person"),
        ("--person ada --holder x --device phone", "standing.which"),
        ("R-2026-000001 --device phone", "standing.which"),
    ):
        said, status = town.type(f"--home city revoke {which} --why lost --yes")
        assert (status, code in said) == (2 if code == "standing.which" else 1, True), said
    for which in ("", "--person ada --holder x"):
        said, status = town.type(f"--home city register devices {which}")
        assert (status, "register.whose_devices" in said) == (2, True)
    said, status = town.type("--home city register devices --person carol")
    assert (status, "register.unknown_person" in said) == (1, True)
    assert standing(town) == before


def test_two_devices_of_one_name(town: Town) -> None:
    town.must("init wallet spare --device phone", secret=True)
    town.must(f"--home spare {TRUST}")
    takes(town, "bob", "spare")
    said, status = town.type("--home city suspend --person bob --device phone --why lost --yes")
    assert (status, "register.several_devices" in said) == (1, True)
    ids = [one["id"] for one in json.loads(town.must("--home city register devices --person bob --json"))]
    assert len(set(ids)) == 2
    assert "Suspended." in town.must(f"--home city suspend --person bob --device {ids[1]} --why lost --yes")
    assert [standing(town)[number] for number in ("4", "6")] == ["valid", "suspended"]


@pytest.mark.parametrize("name", ["''", "' phone'", "x" * 41])
def test_a_name_that_is_none(town: Town, name: str) -> None:
    said, status = town.type(f"init wallet bad --device {name}", secret=True)
    assert (status, "device.name" in said or "text.too_long" in said) == (2, True), said
    assert not (town.here / "bad").exists()


@hsm.needs_softhsm
@pytest.mark.slow
def test_keys_that_cannot_move_are_bound_anew(tmp_path: Path) -> None:
    """The card's keys lie in a token of the old machine: the restored wallet takes a new card, with a new token, as
    another device; what is on the old one is revoked alone."""
    hsm.configure(tmp_path / "softhsm")
    old, new = hsm.new_token("old"), hsm.new_token("new")
    town = Town(tmp_path / "town")
    town.shell.subprocess_only = True  # a module is loaded once in a process
    town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
    town.write("pin", hsm.PIN + "\n")
    begin(town)
    town.must(f"init wallet ada --device phone --keys '{old}'", secret=True)
    town.must(f"--home ada {TRUST}")
    takes(town, "ada", "ada", " --pin-fd 4 4<pin")
    town.write("code", town.must("wallet code"))
    said = town.must("--home ada wallet backup ada.age --code-fd 4 4<code", secret=True)
    assert "the keys of 1 cards lie in a token and are not in the backup" in said
    said = town.must(f"wallet restore ada.age second --device laptop --keys '{new}' --code-fd 4 4<code", secret=True)
    assert "is bound to keys in a token, which did not move: ask for it anew" in said
    town.must(f"--home second {TRUST}")
    takes(town, "ada", "second", " --pin-fd 4 4<pin")
    assert "Revoked." in town.must("--home city revoke --person ada --device phone --why lost --yes")
    assert [state for _, state in sorted(standing(town).items())] == ["revoked", "valid"]
    cards = json.loads(town.must("--home second wallet list --json", secret=True))
    assert [card["copies_left"] for card in cards] == [0, 10]
    old_one, new_one = (card["id"] for card in cards)
    said = town.must(f"--home second wallet forget {old_one} --yes", secret=True)
    assert "note: 10 of its keys are still in the token, which was not asked" in said
    said = town.must(f"--home second wallet forget {new_one} --yes --json --pin-fd 4 4<pin", secret=True)
    assert json.loads(said[said.index("{") :])["keys_in_token"] == 0
    for file in town.here.rglob("*.sqlite"):
        assert PASSPHRASE.encode() not in file.read_bytes()
