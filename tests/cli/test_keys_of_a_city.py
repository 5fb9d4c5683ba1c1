"""A city's keys over the years: changed with overlap, kept in a token; and a wallet whose keys lie in one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as lib
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cityid.edge.database import SqliteRegister
from cityid.edge.register_audit import audit
from cityid.edge.software_keys import MemoryKeyring
from cityid.formats import FORMATS
from cityid.jose import jws
from cityid.keys import Algorithm, PublicKey, jwk
from cityid.keys.certify import Name, certify_issuer, certify_root, pem
from cityid.status import token_status_list
from tests import hsm
from tests.cli.towns import PASSPHRASE, POLICY, SHOW, Town
from tests.postgres import Server

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

    def test_the_register_knows(self, tmp_path: Path) -> None:
        """Keys and their periods are rows and actions of the register, and its audit covers them."""
        town = Town(tmp_path / "town").found()
        town.must("--home city key create card-stock --use service", secret=True)
        town.must("--home city key rotate", secret=True)
        town.must("--home city key rotate --switch", secret=True)
        with SqliteRegister(town.here / "city/register.sqlite") as register:
            known = register.keys()
            keys = {key.label: key for key in known}
            # In order of their seconds, which the first two may share.
            assert set(keys) == {"issuer-1", "card-stock", "issuer-2"}
            assert keys["issuer-1"].until is not None
            assert keys["issuer-1"].why == "rotated"
            assert keys["issuer-2"].until is None
            events = [event for event in register.events() if event.kind == "key"]
            assert [event.facts["thumbprint"] for event in events] == [
                keys[label].thumbprint for label in ("issuer-1", "card-stock", "issuer-2", "issuer-1")
            ]
            assert audit(register).content

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


class TestCertificates:
    """x5c: the next certificate by the city's own root, or by an authority; old cards go on, with their status."""

    def city(self, town: Town, *, lists: bool = False) -> None:
        status = "--status-url https://id.lindau.example/status" if lists else ""
        town.must(f"init city city --did did:web:id.lindau.example --name Lindau --country DE {status}", secret=True)
        town.must("--home city key certify root root -o root.pem", secret=True)
        own = "--root root.pem --uri https://id.lindau.example --dns id.lindau.example"
        town.must(f"--home city key certify issuer issuer-1 {own} -o city/issuer.pem", secret=True)
        self.edit(town, 'mechanism = "did"', 'mechanism = "x5c"\ncertificates = "issuer.pem"')
        for home in ("ada", "eve"):
            town.must(f"init wallet {home}", secret=True)
        town.must("init service library --audience x509_san_dns:library.example --name Stadtbibliothek")

    def certificate(self, town: Town, name: str) -> lib.Certificate:
        return lib.load_pem_x509_certificate((town.here / "city" / name).read_bytes())

    def names(self, of: lib.Certificate | lib.CertificateSigningRequest) -> object:
        return of.extensions.get_extension_for_class(lib.SubjectAlternativeName).value

    def edit(self, town: Town, old: str, new: str) -> None:
        text = (town.here / "city/city.toml").read_text()
        assert old in text
        town.write("city/city.toml", text.replace(old, new))

    def trust(self, town: Town, more: str) -> None:
        for home in ("ada", "eve", "library"):
            entry = f"--root root.pem --issuer https://id.lindau.example --name Lindau {more}"
            town.must(f"--home {home} trust add {entry} --type residency")
        policy = POLICY.replace('"age_over_18", "address.locality"', '"age_over_18"')
        town.write("library/policies/card.toml", policy.replace('"address.locality" = ["Lindau", "Bregenz"]\n', ""))

    def verdict(self, town: Town, home: str) -> tuple[str, int]:
        name = town.asks()
        shows = "--yes --show age_over_18 --show issuing_authority --show issuing_country"
        town.shows(name, shows, home=home)
        return town.judge(name)

    @pytest.mark.slow
    def test_own_root(self, tmp_path: Path) -> None:
        town = Town(tmp_path / "town")
        self.city(town)
        self.trust(town, "--status none")
        town.takes()
        said, status = town.type("--home city key rotate --switch", secret=True)
        assert (status, "key.not_prepared" in said) == (2, True)
        said = town.must("--home city key rotate --root root.pem", secret=True)
        assert "issuer-2.pem" in said
        town.must("--home city key rotate --root root.pem", secret=True)  # the same again
        assert "New cards carry the certificate of issuer-2" in town.must(
            "--home city key rotate --switch", secret=True
        )
        text = (town.here / "city/city.toml").read_text()
        assert 'certificates = "issuer-2.pem"' in text
        assert 'issuer_key = "issuer-2"' in text
        town.takes(home="eve")
        old, new = (self.certificate(town, name) for name in ("issuer.pem", "issuer-2.pem"))
        assert old.subject == new.subject
        assert self.names(old) == self.names(new)
        for home in ("ada", "eve"):
            said, status = self.verdict(town, home)
            assert status == 0, said

    def test_an_authority(self, tmp_path: Path) -> None:
        """A request goes out; what comes back is looked at before anything changes."""
        town = Town(tmp_path / "town")
        self.city(town)
        said = town.must("--home city key rotate", secret=True)
        assert "issuer-2.csr" in said
        assert "Send it to the authority" in said
        said, status = town.type("--home city key rotate --switch", secret=True)
        assert (status, "key.no_certificate" in said) == (2, True), said
        request = lib.load_pem_x509_csr((town.here / "city/issuer-2.csr").read_bytes())
        assert request.is_signature_valid
        last = self.certificate(town, "issuer.pem")
        assert (request.subject, self.names(request)) == (last.subject, self.names(last))
        point = request.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        key = PublicKey(Algorithm.ES256, point)
        ring = MemoryKeyring()
        signer = ring.signer(ring.create(Algorithm.ES256))
        now = datetime.now(UTC)
        begun = now - timedelta(days=2)
        root = certify_root(signer, Name("An Authority"), at=begun)
        uris = ["https://id.lindau.example"]

        def given(of: PublicKey = key, uris: list[str] = uris, at: datetime = begun, days: int = 397) -> str:
            made = certify_issuer(
                of, Name("Lindau", "Lindau", "DE"), root=root, signer=signer, at=at, uris=uris,
                lifetime=timedelta(days=days),
            )  # fmt: skip
            town.write("sent.pem", pem(made, "CERTIFICATE"))
            said, status = town.type("--home city key rotate --switch --certificates sent.pem", secret=True)
            return said if status == 2 else f"{status}: {said}"

        assert "key.other_certificate" in given(ring.create(Algorithm.ES256))
        assert "key.certificate_name" in given(uris=["https://id.bregenz.example"])
        assert "key.certificate_period" in given(days=1)
        assert "key.certificate_period" in given(at=now + timedelta(days=1))
        said = given()
        assert said.startswith("0: New cards carry the certificate of issuer-2")
        assert "another authority" in said

    @pytest.mark.slow
    def test_lists_outlive_the_certificate(self, tmp_path: Path) -> None:
        """Cards with a status: lists get a key and a certificate of their own first."""
        usage = "1.3.6.1.4.1.99999.1"
        town = Town(tmp_path / "town")
        self.city(town, lists=True)
        self.trust(town, f"--status required --status-eku {usage}")
        text = town.here / "residency.json"
        town.must("--home city type show residency --json >residency.json")
        definition = json.loads(text.read_text())
        definition["status"] = "required"
        (town.here / "city/types").mkdir(exist_ok=True)
        town.write("city/types/residency.json", json.dumps(definition))
        town.takes()
        town.must("--home city register publish www", secret=True)
        town.must("--home city key rotate --root root.pem", secret=True)
        said, status = town.type("--home city key rotate --switch", secret=True)
        assert (status, "key.lists_by_certificate" in said) == (2, True), said
        own = f"--root root.pem --name Lists --uri https://id.lindau.example --usage {usage} -o city/status.pem"
        said, status = town.type("--home city key create status --use status", secret=True)
        assert status == 0
        said, status = town.type(f"--home city key certify status issuer-1 {own}", secret=True)
        assert (status, "key.other_use" in said) == (1, True), said
        said, status = town.type(f"--home city key certify status status {own.replace(usage, 'x')}", secret=True)
        assert (status, "key.usage" in said) == (2, True), said
        said, status = town.type("--home city key certify status status --root root.pem -o no.pem", secret=True)
        assert (status, "key.no_usage" in said) == (2, True), said
        assert "status_eku" in town.must(f"--home city key certify status status {own}", secret=True)
        self.edit(town, "[facts]", 'status_key = "status"\nstatus_certificates = "issuer.pem"\n\n[facts]')
        said, status = town.type("--home city register publish www", secret=True)
        assert (status, "key.other_certificate" in said) == (2, True), said
        self.edit(town, 'status_certificates = "issuer.pem"', 'status_certificates = "status.pem"')
        town.must("--home city register publish www", secret=True)
        town.must("--home city key rotate --switch", secret=True)
        town.takes(home="eve")
        town.must("--home city register publish www", secret=True)
        assert token_status_list.read((town.here / "www/1").read_bytes(), "jwt").chain is not None
        self.edit(town, 'mechanism = "x5c"', 'mechanism = "did"')
        said, status = town.type("--home city register publish www", secret=True)
        assert (status, "home.member" in said) == (2, True), said


@hsm.needs_softhsm
class TestToken:
    @pytest.mark.slow
    def test_rotation(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next key in the same token; cards of both are good."""
        monkeypatch.setenv("SOFTHSM2_CONF", "")
        hsm.configure(tmp_path / "softhsm")
        token = hsm.new_token("city-hall")
        town = Town(tmp_path / "town")
        town.shell.subprocess_only = True
        town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
        town.write("pin", hsm.PIN + "\n")
        pin = "--passphrase-fd 4 4<pin"
        town.must(f"init city city --did did:web:id.lindau.example --name Lindau --country DE --keys '{token}' {pin}")
        town.must(f"--home city issue residency --claims ada.json --yes -o old.offer {pin}")
        assert "Publish did.json" in town.must(f"--home city key rotate {pin}")
        document = json.loads((town.here / "city/did.json").read_text())
        assert [one["id"].partition("#")[2] for one in document["verificationMethod"]] == ["issuer-1", "issuer-2"]
        town.must(f"--home city key rotate --switch {pin}")
        town.must("init wallet ada", secret=True)
        town.trusts("ada")
        town.must("--home ada accept old.offer --yes -o old.request", secret=True)
        town.must(f"--home city issue --answer old.request -o old.cards {pin}")
        town.must("--home ada accept old.cards", secret=True)
        assert "issuer-2" in town.must("inspect old.cards --json")
        listed = town.must(f"--home city key list --json {pin}")
        ended = {one["label"]: one["not_after"] for one in json.loads(listed)}
        assert ended["issuer-1"]
        assert ended["issuer-2"] is None

    @pytest.mark.slow
    def test_moving_to_a_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """From a file to a token: old cards are good, also after the next change; the log goes on; then the old key is
        withdrawn, though its keyring is gone."""
        monkeypatch.setenv("SOFTHSM2_CONF", "")
        hsm.configure(tmp_path / "softhsm")
        token = hsm.new_token("city-hall")
        town = Town(tmp_path / "town")
        town.shell.subprocess_only = True
        town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
        town.write("pin", hsm.PIN + "\n")
        where = "--status-url https://id.lindau.example/status"
        town.must(f"init city city --did did:web:id.lindau.example --name Lindau --country DE {where}", secret=True)
        town.must("--home city register publish www", secret=True)
        said, status = town.type("--home city key rotate --use log --to pkcs11:token=x", secret=True)
        assert (status, "key.log_follows" in said) == (2, True), said
        said, status = town.type("--home city key rotate --to file:x --pin-fd 4 4<pin", secret=True)
        assert (status, "keys.token_uri" in said) == (2, True), said
        to = f"--to '{token}' --pin-fd 4 4<pin"
        town.must(f"--home city key rotate {to}", secret=True)
        assert self.labels(town) == ["issuer-1", "issuer-2"]
        assert "in the token from now on" in town.must(f"--home city key rotate --switch {to}", secret=True)
        (town.here / "city/keys.sealed").unlink()
        pin = "--passphrase-fd 4 4<pin"
        town.must(f"--home city register publish www {pin}")
        former = (town.here / "city/log-former.key").read_text().strip()
        key = (town.here / "city/log.key").read_text().strip()
        assert former != key
        town.must(f"register audit --tiles www/log --key {key}")
        assert "2 checkpoints" in town.must("--home city register audit --tiles www/log")
        town.must(f"--home city key rotate {pin}")
        assert self.labels(town) == ["issuer-1", "issuer-2", "issuer-3"]
        town.must(f"--home city issue residency --claims ada.json --yes -o a.offer {pin}")
        said, status = town.type(f"--home city key retire issuer-9 --yes {pin}")
        assert (status, "keys.unknown_label" in said) == (2, True), said
        town.must(f"--home city key retire issuer-1 --yes {pin}")
        assert self.labels(town) == ["issuer-2", "issuer-3"]
        town.must("--home city register audit")

    def labels(self, town: Town) -> list[str]:
        document = json.loads((town.here / "city/did.json").read_text())
        return [method["id"].partition("#")[2] for method in document["verificationMethod"]]

    @pytest.mark.slow
    def test_workers_sign_in_one_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each worker process has a session of its own with the city's token; the PIN is asked for once."""
        monkeypatch.setenv("SOFTHSM2_CONF", "")
        hsm.configure(tmp_path / "softhsm")
        token = hsm.new_token("city-hall")
        town = Town(tmp_path / "town")
        town.shell.subprocess_only = True
        town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
        town.write("pin", hsm.PIN + "\n")
        town.must(
            f"init city city --did did:web:id.lindau.example --name Lindau --keys '{token}' --passphrase-fd 4 4<pin"
        )
        ring = MemoryKeyring()
        rows = [{"nr": f"n{count}", "birthdate": "1990-12-10", "holder_jwk": jwk.write(ring.create(Algorithm.ES256))}
                for count in range(1_100)]  # fmt: skip
        town.write("many.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        issue = "--home city issue age --from many.jsonl --key nr --signed --workers 2 -o many --passphrase-fd 4 4<pin"
        town.must(issue)
        cards = [json.loads(line) for line in (town.here / "many/cards.jsonl").read_text().splitlines()]
        assert len({card["number"] for card in cards}) == 1_100  # more than one part, so that there are workers

    @pytest.mark.slow
    def test_workers_of_a_queue_sign_in_a_token(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Server
    ) -> None:
        """`cityid work` with the PIN of the city's token in the place of a passphrase."""
        from threading import Thread

        monkeypatch.setenv("SOFTHSM2_CONF", "")
        hsm.configure(tmp_path / "softhsm")
        token = hsm.new_token("city-hall")
        town = Town(tmp_path / "town")
        town.shell.subprocess_only = True
        town.shell.env["SOFTHSM2_CONF"] = str(tmp_path / "softhsm" / "softhsm2.conf")
        town.write("pin", hsm.PIN + "\n")
        town.write("wrong", "9999\n")
        pin = "--passphrase-fd 4 4<pin"
        words = f"--did did:web:id.lindau.example --register '{postgres.name()}' --keys '{token}'"
        town.must(f"init city city {words} {pin}")
        ring = MemoryKeyring()
        rows = [{"birthdate": "1990-12-10", "holder_jwk": jwk.write(ring.create(Algorithm.ES256))} for _ in range(3)]
        town.write("keys.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        queued: list[tuple[str, int]] = []
        issue = f"--home city issue age --from keys.jsonl --signed --queue -o cards {pin}"
        waiting = Thread(target=lambda: queued.append(town.type(issue)))
        waiting.start()
        while '"waiting": 1' not in town.must("--home city work --list --json"):
            assert waiting.is_alive(), queued
        said, status = town.type("--home city work --until-done --passphrase-fd 4 4<wrong")
        assert (status, "keys.pin_wrong" in said) == (1, True), said
        assert "1 parts done" in town.must(f"--home city work --until-done {pin}")
        waiting.join(60)
        assert queued[0][1] == 0, queued
        cards = [json.loads(line) for line in (town.here / "cards/cards.jsonl").read_text().splitlines()]
        read = FORMATS["dc+sd-jwt"].read(cards[0]["credential"].encode())
        document = json.loads((town.here / "city/did.json").read_text())
        key = jwk.read(document["verificationMethod"][0]["publicKeyJwk"])
        assert read.issuer == "did:web:id.lindau.example"
        assert len(cards) == 3
        signed = jws.read_compact(cards[0]["credential"].partition("~")[0].encode(), typ="dc+sd-jwt")
        jws.check(signed, key)

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


@pytest.mark.slow
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
