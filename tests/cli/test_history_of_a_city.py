"""A city whose DID has a history, by typing: its keys change twice, the court of auditors witnesses each change, and a
card from before goes on verifying; a history that was cut short, or that forks, is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cityid.did.webvh import identifier
from tests.cli.towns import POLICY, SHOW, Town
from tests.webvh import entries, served

pytestmark = pytest.mark.kdf


@dataclass
class City(Town):
    did: str = ""
    witness: str = ""
    changed: int = 0
    kept: list[str] = field(default_factory=list)

    def founded(self) -> City:
        out, _, _ = self.apart(
            "init city city --did did:webvh:id.lindau.example --name 'Stadt Lindau' --country DE --jurisdiction DE-BY",
            secret=True,
        )
        self.did = out.strip()
        self.must("init city court --name Rechnungshof", secret=True)
        self.must("--home court key create witness-1 --algorithm EdDSA --use witness", secret=True)
        out, _, _ = self.apart("--home court did create key --key witness-1", secret=True)
        self.changes(f"did update --witness {out.strip()}")
        return self

    def changes(self, command: str) -> None:
        """A change, as the city proposes it, the court signs it, and the city takes that."""
        self.changed += 1
        name = f"change-{self.changed}"
        self.must(f"--home city {command} -o {name}.jsonl", secret=True)
        self.must(f"--home court did witness {name}.jsonl -o {name}.proof --yes", secret=True)
        self.must(f"--home city did witness --take {name}.proof")

    def rotates(self, old: str) -> None:
        self.changes("key rotate")
        self.must("--home city key rotate --switch", secret=True)
        self.changes(f"did update --without {old}")

    def keeps(self, name: str) -> str:
        """What is published now, under another name."""
        for kind in ("did.jsonl", "did-witness.json"):
            shutil.copy(self.here / "city/did" / kind, self.here / f"{name}-{kind}")
        return f"--log {name}-did.jsonl --witness-proofs {name}-did-witness.json"

    def trusts(self, home: str, name: str = "Stadt Lindau", files: str = "") -> None:
        files = files or self.keeps("now")
        entry = f"--did {self.did} {files} --name '{name}' --status none --type residency"
        self.must(f"--home {home} trust add {entry}")

    def shows(self, name: str, show: str = SHOW, home: str = "ada") -> str:
        return self.must(f"--home {home} present {name}.json {show} -o {name}.answer", secret=True)

    def newer(self, home: str, files: str) -> str:
        return self.must(f"--home {home} trust sync {files}")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """Ada holds a card from before the first rotation, and Tom one from after the second."""
    city = City(tmp_path_factory.mktemp("history") / "town").founded()
    for name in ("ada", "tom"):
        city.must(f"init wallet {name}", secret=True)
    city.must("init service library --audience x509_san_dns:library.example --name Stadtbibliothek")
    city.write("library/policies/card.toml", POLICY)
    city.trusts("ada")
    city.trusts("library")
    city.takes()
    city.keeps("before")
    city.rotates("issuer-1")
    city.keeps("between")
    city.rotates("issuer-2")
    city.trusts("tom", files=city.keeps("after"))
    city.newer("library", city.keeps("after"))
    city.takes(home="tom")
    return city


def verdict(city: City, home: str = "ada") -> str:
    """What is wrong with a fresh answer of `home`; "" for nothing."""
    name = city.asks()
    city.shows(name, home=home)
    said, status = city.judge(name, "--json")
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert (status == 0) is (found["verdict"] == "accepted")
    return str(found["reason"]["code"]) if status else ""


def test_cards_from_before_two_rotations_go_on(city: City) -> None:
    published = (city.here / "city/did/did.jsonl").read_bytes()
    last = entries(published)[-1]
    assert [method["id"] for method in last["state"]["verificationMethod"]] == [f"{city.did}#issuer-3"]
    assert len(entries(published)) == 6
    assert verdict(city, "ada") == ""
    assert verdict(city, "tom") == ""
    listed = city.must("--home library trust list --json")
    assert json.loads(listed)[0]["seen"] == last["versionId"]
    remembered = json.loads((city.here / "library/trust/seen.json").read_text())
    assert remembered == {identifier.scid_of(city.did): last["versionId"]}


def pinned(city: City) -> tuple[Path, Path]:
    scid = identifier.scid_of(city.did)
    return city.here / f"library/trust/{scid}.jsonl", city.here / f"library/trust/{scid}-witness.json"


@pytest.mark.parametrize("older", ["before", "between"])
def test_a_history_that_was_cut_short_is_refused(city: City, older: str) -> None:
    """An older history is whole and witnessed in itself: that more was seen is what tells."""
    files = f"--log {older}-did.jsonl --witness-proofs {older}-did-witness.json"
    said, status = city.type(f"--home library trust sync {files}")
    assert (status, "did.webvh_truncated" in said) == (1, True)
    kept = [file.read_bytes() for file in pinned(city)]
    try:
        for file, name in zip(pinned(city), ("did.jsonl", "did-witness.json"), strict=True):
            shutil.copy(city.here / f"{older}-{name}", file)
        assert verdict(city) == "did.webvh_truncated"
    finally:
        for file, data in zip(pinned(city), kept, strict=True):
            file.write_bytes(data)
    assert verdict(city) == ""


def test_a_history_that_forks_is_refused(city: City) -> None:
    """Somebody with a copy of all keys, the witness's too, writes another fourth entry."""
    thief = city.here / "thief"
    shutil.copytree(city.here / "city", thief)
    for kind in ("did.jsonl", "did-witness.json"):
        shutil.copy(city.here / f"between-{kind}", thief / "did" / kind)
    shutil.copytree(city.here / "court", city.here / "bribed")
    (city.here / "bribed/witnessed.json").unlink()
    city.must("--home thief did rotate -o fork.jsonl", secret=True)
    city.must(
        "--home bribed did witness fork.jsonl --witness-proofs between-did-witness.json -o fork.proof --yes",
        secret=True,
    )
    city.must("--home thief did witness --take fork.proof")
    files = "--log thief/did/did.jsonl --witness-proofs thief/did/did-witness.json"
    assert "whole" in city.must(f"did log {files}")
    city.must("--home thief did rotate -o fork-2.jsonl", secret=True)
    city.must("--home bribed did witness fork-2.jsonl -o fork-2.proof --yes", secret=True)
    city.must("--home thief did witness --take fork-2.proof")
    city.must("--home thief did rotate -o fork-3.jsonl", secret=True)
    city.must("--home bribed did witness fork-3.jsonl -o fork-3.proof --yes", secret=True)
    city.must("--home thief did witness --take fork-3.proof")
    said, status = city.type(f"--home library trust sync {files}")
    assert (status, "did.webvh_forked" in said) == (1, True), said
    said, status = city.type(f"did resolve {city.did} --seen {seen(city)} {files}")
    assert (status, "did.webvh_forked" in said) == (1, True)


def seen(city: City) -> str:
    return str(entries((city.here / "city/did/did.jsonl").read_bytes())[-1]["versionId"])


def test_histories_that_are_fetched_are_remembered(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    from cityid._cli import service

    place = identifier.read(city.did)
    log, proofs = ((city.here / "city/did" / name).read_bytes() for name in ("did.jsonl", "did-witness.json"))
    before = [(city.here / f"between-{name}").read_bytes() for name in ("did.jsonl", "did-witness.json")]
    older = dict(zip((place.log, place.proofs), before, strict=True))
    newest = {place.log: log, place.proofs: proofs}
    city.must("init service bar --audience x509_san_dns:bar.example --name Bar")
    city.must(f"--home bar trust add --did {city.did} --status none --type residency")
    city.write("bar/policies/card.toml", POLICY)

    def judged(files: dict[str, bytes], more: str = "") -> str:
        monkeypatch.setattr(service, "network", lambda *_, **__: served(files))
        city.must("--home bar request --policy bar/policies/card.toml -o bar.json --force")
        city.must(f"--home ada present bar.json {SHOW} -o bar.answer --force", secret=True)
        said, status = city.type(f"--home bar verify bar.answer --session bar.json --json {more}".rstrip())
        found = json.loads(said[said.index("{") : said.rindex("}") + 1])
        return str(found["reason"]["code"]) if status else ""

    assert judged(older) == ""
    assert judged(newest) == ""
    assert json.loads((city.here / "bar/trust/seen.json").read_text()) == {place.scid: seen(city)}
    assert judged(older, "--record kept.json") == "did.webvh_truncated"
    monkeypatch.undo()
    said, status = city.type("--home bar verify --replay kept.json")
    assert (status, "did.webvh_truncated" in said) == (1, True)
    city.write("bar/trust/seen.json", "{}")
    monkeypatch.setattr(service, "network", lambda *_, **__: served(newest))
    assert judged(newest) == ""
    city.write("bar/trust/seen.json", '{"Qm": 1}')
    said, status = city.type("--home bar trust list")
    assert (status, "store.damaged" in said) == (3, True)


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [
        ("--home city did update", "did.nothing", 2),
        ("--home city did update --without issuer-99", "did.nothing", 2),
        ("--home city did update --threshold 1", "did.threshold_alone", 2),
        ("--home city did update --witness did:web:x.example", "did.witness_key", 2),
        ("--home city did update --witness did:key:zDnaechB7XKsfq2oQBs9YEKhZWDkfxDYDBhahQR9w8vWsnpEM -o x",
         "did.webvh_key_kind", 1),
        ("--home city did update --withdraw --yes", "did.nothing_waits", 2),
        ("--home city did create webvh --key issuer-3 --host x.example --yes", "did.has_history", 2),
        ("--home court did create webvh --key issuer-1 --host localhost --yes", "did.web_host", 1),
        ("--home court did update --ttl 1", "did.no_history", 2),
        ("--home court did witness", "did.witness_or_take", 2),
        ("--home court did witness change-1.jsonl --take change-1.proof", "did.witness_or_take", 2),
        ("--home court did witness change-2.jsonl --yes", "did.webvh_truncated", 1),
        ("--home court did witness change-5.jsonl --key issuer-1 --yes", "key.other_use", 1),
        ("--home city did witness change-5.jsonl --yes", "did.no_witness_proofs", 2),
        ("--home city did witness change-5.jsonl --witness-proofs before-did-witness.json --yes",
         "did.webvh_unwitnessed", 1),
        ("--home city did witness --take change-5.proof", "did.nothing_waits", 2),
        ("did log x --publish .", "did.publish_own", 2),
        ("--home city did log --log after-did.jsonl --publish .", "did.publish_own", 2),
        ("--home library trust sync --log court/x.jsonl", "file.not_found", 2),
        ("--home library trust add --did did:web:x.example --type age --log after-did.jsonl",
         "trust_file.no_history", 2),
    ],
)  # fmt: skip
def test_what_is_refused(city: City, command: str, code: str, status: int) -> None:
    before = (city.here / "city/did/did.jsonl").read_bytes()
    asks = not any(word in command for word in ("--take", "did log", "trust"))
    said, found = city.type(command, secret=asks)
    assert (code in said, found) == (True, status), said
    assert (city.here / "city/did/did.jsonl").read_bytes() == before
    assert not (city.here / "city/did/proposed.jsonl").exists()


def test_without_the_keys_of_its_history(city: City) -> None:
    """A home whose keyring lost them can still issue, but not change its DID."""
    shutil.copytree(city.here / "city", city.here / "bare")
    shutil.copy(city.here / "court/keys.sealed", city.here / "bare/keys.sealed")
    said, status = city.type("--home bare did rotate -o x.jsonl", secret=True)
    assert (status, "did.no_writer" in said) == (2, True)


def test_its_own_history_is_damaged(city: City) -> None:
    shutil.copytree(city.here / "city", city.here / "hurt")
    file = city.here / "hurt/did/did.jsonl"
    file.write_bytes(file.read_bytes().replace(b"issuer-2", b"issuer-9"))
    said, status = city.type("--home hurt did log")
    assert (status, "issue.document" in said) == (2, True)
    file.unlink()
    said, status = city.type("--home hurt did log")
    assert (status, "issue.no_document" in said) == (2, True)


def test_a_city_gets_a_history_later(tmp_path: Path) -> None:
    """With a keyring of their own for the keys of the history, or witnesses from the first entry on."""
    city = City(tmp_path / "town")
    city.must("init city city --did did:web:id.lindau.example --name Lindau", secret=True)
    city.must("init city court --name Rechnungshof", secret=True)
    city.must("--home court key create witness-1 --algorithm EdDSA --use witness", secret=True)
    witness = city.apart("--home court did create key --key witness-1", secret=True)[0].strip()
    create = f"did create webvh --key issuer-1 --host id.lindau.example --witness {witness} --no-pre-rotation --stay"
    did = city.apart(f"--home city {create} -o new.jsonl --yes", secret=True)[0].strip()
    assert f'did = "{did}"' not in (city.here / "city/city.toml").read_text()
    city.must("--home court did witness new.jsonl -o new.proof --yes", secret=True)
    city.must("--home city did witness --take new.proof")
    assert f'did = "{did}"' in (city.here / "city/city.toml").read_text()
    city.changes("did rotate")
    said, status = city.type("--home city did move x.example --yes", secret=True)
    assert (status, "did.webvh_moved" in said) == (1, True)
    city.changes("did rotate --pre-rotation")
    city.changes("did rotate --no-pre-rotation")
    city.changes("did rotate")
    city.changes("did deactivate --yes")
    log = json.loads(city.must("--home city did log --json"))
    assert log["deactivated"] is True
    assert [one["changes"] for one in log["versions"][1:]] == [
        ["1 other key writes the next entry"],
        ["1 other key writes the next entry", "the next keys are fixed beforehand"],
        ["written with the key that was fixed beforehand", "the next keys are not fixed"],
        ["1 other key writes the next entry"],
        ["closed for good"],
    ]


def test_keys_of_the_history_lie_apart(tmp_path: Path) -> None:
    city = City(tmp_path / "town")
    city.write("other", "quite another passphrase here\n")
    fd = "--did-passphrase-fd 4 4<other"
    city.must(f"init city city --did did:webvh:id.lindau.example --did-keys file:did.sealed --name L {fd}", secret=True)
    listed = city.must("--home city key list", secret=True)
    assert "did-1" not in listed
    said, status = city.type("--home city did rotate", secret=True)
    assert (status, "talk.no_passphrase" in said) == (2, True)
    city.must(f"--home city did rotate {fd}", secret=True)
    city.must(f"--home city key rotate {fd}", secret=True)
    city.must("--home city key rotate --switch", secret=True)
    said = city.must(f"--home city key retire issuer-1 --yes {fd}", secret=True)
    assert "What is dated before still is" in said
    assert "without key issuer-1" in city.must("--home city did log")


def test_publishing_keeps_the_history(tmp_path: Path) -> None:
    city = City(tmp_path / "town")
    city.must(
        "init city city --did did:webvh:id.lindau.example --name L --status-url https://id.lindau.example/status",
        secret=True,
    )
    (city.here / "www").mkdir()
    city.must("--home city register publish www", secret=True)
    assert len(entries((city.here / "city/did/did.jsonl").read_bytes())) == 1
    city.must("--home city key rotate", secret=True)
    city.must("--home city key rotate --switch", secret=True)
    city.must("--home city register publish www", secret=True)
    # The old key has just signed lists that somebody still relies on.
    assert len(entries((city.here / "city/did/did.jsonl").read_bytes())) == 2
