"""A city's keys over the years: changed with overlap, kept in a token; and a wallet whose keys lie in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import hsm
from tests.cli.towns import PASSPHRASE, SHOW, Town

pytestmark = pytest.mark.kdf


def renewed(town: Town, *homes: str) -> None:
    """Everybody fetches the city's new document."""
    for home in homes:
        town.must(f"--home {home} trust remove did:web:id.lindau.example")
        for document in (town.here / home / "trust").glob("did*.json"):
            document.unlink()
        town.trusts(home)


class TestRotation:
    def test_old_cards_go_on_and_new_ones_have_the_new_key(self, tmp_path: Path) -> None:
        town = Town(tmp_path / "town").found()
        town.takes()
        said, status = town.type("--home city key rotate --switch", secret=True)
        assert (status, "key.not_prepared" in said) == (2, True)
        before = json.loads((town.here / "city/did.json").read_text())
        assert "issuer-2" in town.must("--home city key rotate", secret=True)
        town.must("--home city key rotate", secret=True)  # the same again
        document = json.loads((town.here / "city/did.json").read_text())
        ids = [method["id"].partition("#")[2] for method in document["verificationMethod"]]
        assert ids == ["issuer-1", "issuer-2"]
        assert document["verificationMethod"][0] == before["verificationMethod"][0]
        # until the switch, and also before anybody has the new document, cards are signed with the old key
        town.must("init wallet eve", secret=True)
        town.trusts("eve")
        town.takes(home="eve")
        assert "New cards are signed with issuer-2" in town.must("--home city key rotate --switch", secret=True)
        town.must("--home city issue residency --claims ada.json --yes -o new.offer", secret=True)
        renewed(town, "ada", "eve", "library")
        assert town.judge(town.answered())[1] == 0  # a card that the old key signed
        town.must("init wallet tom", secret=True)
        town.trusts("tom")
        town.takes(home="tom")
        assert "issuer-2" in town.must("inspect residency.cards --json")
        name = town.asks()
        town.shows(name, home="tom")
        assert town.judge(name)[1] == 0
        # the old key signs nothing more
        text = (town.here / "city/city.toml").read_text()
        assert 'issuer_key = "issuer-2"' in text
        town.write("city/city.toml", text.replace('"issuer-2"', '"issuer-1"'))
        said, status = town.type("--home city issue residency --claims ada.json --yes -o x.offer", secret=True)
        assert (status, "key.ended" in said) == (1, True)

    def test_what_cannot_rotate(self, tmp_path: Path) -> None:
        town = Town(tmp_path / "town")
        town.must("init city city --name Lindau", secret=True)
        said, status = town.type("--home city key rotate", secret=True)
        assert (status, "key.cannot_rotate" in said) == (2, True)

    def test_issuer_metadata(self, tmp_path: Path) -> None:
        town = Town(tmp_path / "town")
        town.must("init city city --did did:web:id.lindau.example --name Lindau", secret=True)
        text = (town.here / "city/city.toml").read_text()
        town.write(
            "city/city.toml", text.replace('mechanism = "did"', 'issuer = "https://a.example"\nmechanism = "web"')
        )
        town.must("--home city key rotate", secret=True)
        found = json.loads((town.here / "city/jwt-vc-issuer.json").read_text())
        assert found["issuer"] == "https://a.example"
        assert [key["kid"] for key in found["jwks"]["keys"]] == ["issuer-1", "issuer-2"]


@hsm.needs_softhsm
class TestToken:
    def test_city_and_wallet_sign_in_tokens(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOFTHSM2_CONF", "")
        hsm.configure(tmp_path / "softhsm")
        cards, own = hsm.new_token("city-hall"), hsm.new_token("ada")
        town = Town(tmp_path / "town")
        # each command a process of its own, as in life: a module is loaded once in a process
        town.shell.subprocess_only = True
        town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
        town.write("pin", hsm.PIN + "\n")
        city = "init city city --did did:web:id.lindau.example --name 'Stadt Lindau' --country DE --jurisdiction DE-BY"
        town.must(f"{city} --keys '{cards}' --passphrase-fd 4 4<pin")
        town.must(f"init wallet ada --keys '{own}'", secret=True)
        town.trusts("ada")
        town.must("--home city issue residency --claims ada.json --yes -o a.offer --passphrase-fd 4 4<pin")
        town.must("--home ada accept a.offer --yes -o a.request --pin-fd 4 4<pin", secret=True)
        town.must("--home city issue --answer a.request -o a.cards --passphrase-fd 4 4<pin")
        town.must("--home ada accept a.cards", secret=True)  # no signature, no PIN
        town.must("init service library --audience x509_san_dns:library.example --name Stadtbibliothek")
        town.trusts("library")
        from tests.cli.towns import POLICY

        town.write("library/policies/card.toml", POLICY)
        name = town.asks()
        town.must(f"--home ada present {name}.json {SHOW} --pin-fd 4 -o {name}.answer 4<pin", secret=True)
        assert town.judge(name)[1] == 0
        # without the token: nothing is signed, and it is said
        for command in (f"--home ada present {name}.json {SHOW} --pin-fd 4 4<pin",):
            town.shell.env["SOFTHSM2_CONF"] = "/dev/null"
            said, status = town.type(command, secret=True)
            assert (status, "keys.unavailable" in said) == (3, True), said
        said, status = town.type(
            "--home city issue residency --claims ada.json --yes -o b.offer --passphrase-fd 4 4<pin"
        )
        assert (status, "keys.unavailable" in said) == (3, True), said
        town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
        town.write("wrong", "9999\n")
        said, status = town.type("--home city key list --passphrase-fd 4 4<wrong")
        assert (status, "keys.pin_wrong" in said) == (1, True), said
        # nothing of it is in a file in clear
        for file in town.here.rglob("*"):
            if file.is_file() and file.name not in ("pin", "pass"):
                assert f'"{hsm.PIN}"' not in file.read_bytes().decode("latin-1")
                assert PASSPHRASE.encode() not in file.read_bytes()


@hsm.needs_softhsm
def test_a_clerk_s_key_in_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clerk signs in with a token of their own and its PIN; nothing at city hall could stand in for it."""
    monkeypatch.setenv("SOFTHSM2_CONF", "")
    hsm.configure(tmp_path / "softhsm")
    maria, other = hsm.new_token("maria"), hsm.new_token("jo")
    town = Town(tmp_path / "town")
    town.shell.subprocess_only = True
    town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
    town.write("pin", hsm.PIN + "\n")
    town.must("init city city --did did:web:id.lindau.example --name Lindau", secret=True)
    for clerk, token in (("maria", maria), ("jo", other)):
        town.must(f"--clerk-keys '{token}' clerk key {clerk} -o {clerk}.jwk --clerk-fd 4 4<pin")
    own = f"--home city --clerk-keys '{maria}'"
    town.must(f"{own} clerk add maria --may administer --may read --key maria.jwk --clerk-fd 4 4<pin")
    town.shell.env["CITYID_CLERK_KEYS"] = maria
    town.must("--home city register list --by maria --clerk-fd 4 4<pin")
    said, status = town.type(f"--home city --clerk-keys '{other}' register list --by maria --clerk-fd 4 4<pin")
    assert (status, "clerk.key_not_here" in said) == (1, True), said
    town.write("wrong", "9999\n")
    said, status = town.type("--home city register list --by maria --clerk-fd 4 4<wrong")
    assert (status, "keys.pin_wrong" in said) == (1, True), said


class TestPaper:
    """At a terminal the recovery code is shown, and asked back from the paper."""

    def backup(self, town: Town, right: bool) -> tuple[int, str]:
        from tests.cli.terminal import Terminal

        passphrase = str(town.write("pass", PASSPHRASE + "\n"))
        terminal = Terminal.start(["--home", "ada", "wallet", "backup", f"{right}.age"], town.here, town.shell.env)
        try:
            terminal.expect("Passphrase of this wallet")
            terminal.wait_for_silence(echo=False)
            terminal.type(Path(passphrase).read_text())
            terminal.expect("The code, from the paper")
            terminal.wait_for_silence(echo=False)
            code = next(word for word in terminal.seen.split() if len(word) == 39)
            terminal.type((code if right else "4ESB-SVBE-STPM-61GT-SEX5-3XCE-BYE3-7A5Z") + "\n")
            return terminal.end(), terminal.seen
        finally:
            terminal.close()

    def test_asked_back(self, tmp_path: Path) -> None:
        town = Town(tmp_path / "town")
        town.must("init wallet ada", secret=True)
        status, seen = self.backup(town, right=False)
        assert (status, "recovery.other" in seen) == (1, True)
        assert not (town.here / "False.age").exists()
        assert self.backup(town, right=True)[0] == 0
        assert (town.here / "True.age").stat().st_mode & 0o777 == 0o600
