"""Attacks on issuing and accepting: proofs of the wrong kind, junk offers, cards that give their holder away.

Named by their id in the catalogue; `proof_*` are the cases of OpenID4VCI Appendix F for files.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from cityid import accepting, did
from cityid.cards import PROOF, Offer, check_proofs, prove
from cityid.credential import CertificateChain, DidUrl, KeyRef
from cityid.edge.software_keys import MemoryKeyring, SoftwareSigner
from cityid.errors import Malformed, Misuse, Refused
from cityid.jose import jws
from cityid.keys import Algorithm, PublicKey, jwk, x509
from cityid.keys.certify import Name, certify_issuer, certify_root
from tests.jobs.offices import ADA, NOW, TYPES, Office, changed, read
from tests.memory import MemoryWallet

ISSUER = "did:web:id.lindau.example"
NONCE = "n" * 24
KEYRING = MemoryKeyring()
SIGNER = KEYRING.signer(KEYRING.create(Algorithm.ES256))
OTHER = KEYRING.signer(KEYRING.create(Algorithm.ES256))
ALL = (Algorithm.ES256, Algorithm.EDDSA, Algorithm.ES384)


def proof(
    header: dict[str, Any] | None = None, signer: SoftwareSigner = SIGNER, payload: Any = None, **claims: Any
) -> str:
    said = {"aud": ISSUER, "iat": int(NOW.timestamp()), "nonce": NONCE, **claims}
    said = {name: value for name, value in said.items() if value is not None}
    head = {"typ": PROOF, "jwk": jwk.write(signer.public_key)} if header is None else header
    return jws.sign(head, json.dumps(said if payload is None else payload).encode(), signer)


def judge(*proofs: str, copies: int = 10, at: datetime = NOW) -> tuple[PublicKey, ...]:
    return check_proofs(proofs, issuer=ISSUER, nonce=NONCE, copies=copies, algorithms=ALL, at=at)


def code(*proofs: str, **more: Any) -> str:
    try:
        judge(*proofs, **more)
    except (Malformed, Refused) as error:
        return error.code
    return ""


def tampered(token: str, **header: Any) -> str:
    """`token` with another header, its signature as it was."""
    head, payload, signature = token.split(".")
    old = json.loads(base64.urlsafe_b64decode(head + "=="))
    text = json.dumps({**old, **header}).encode()
    return ".".join((base64.urlsafe_b64encode(text).rstrip(b"=").decode(), payload, signature))


def test_a_good_proof() -> None:
    assert judge(prove(SIGNER, issuer=ISSUER, nonce=NONCE, at=NOW)) == (SIGNER.public_key,)
    assert code(proof()) == ""


# -- O: tokens --


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", "HS256", "HS512", None, ["ES256"], "ES384", "RS256"])
def test_o01_o02_o09_proof_of_no_algorithm_or_another(alg: Any) -> None:
    assert code(tampered(proof(), alg=alg)) in ("jws.alg_none", "jws.alg_missing", "jws.alg")


@pytest.mark.parametrize("typ", [
    "dc+sd-jwt", "kb+jwt", "statuslist+jwt", "oauth-authz-req+jwt", "key-attestation+jwt", "vp+jwt", "vc+jwt", "JWT",
    "application/openid4vci-proof+jwt", "OPENID4VCI-PROOF+JWT", "openid4vci-proof+jwt ",
])  # fmt: skip
def test_o21_o22_only_a_proof_is_a_proof(typ: str) -> None:
    header = {"typ": typ, "jwk": jwk.write(SIGNER.public_key)}
    assert code(proof(header)) == "jws.typ"
    assert code(proof({**header, "typ": PROOF})) == ""


def test_o21_without_a_type() -> None:
    assert code(proof({"jwk": jwk.write(SIGNER.public_key)})) == "jws.typ_missing"


def test_o24_a_private_key_in_the_proof_is_burnt_and_not_repeated() -> None:
    secret = "c2VjcmV0LWtleS1tYXRlcmlhbC10aGF0LWlzLWJ1cm50ISE"
    with pytest.raises(Malformed) as caught:
        judge(proof({"typ": PROOF, "jwk": {**jwk.write(SIGNER.public_key), "d": secret}}))
    assert caught.value.code == "key.private"
    assert secret not in str(caught.value) + repr(caught.value)
    assert code(proof({"typ": PROOF, "jwk": {**jwk.write(SIGNER.public_key), "kid": "1"}})) == ""


def test_o25_the_audience_is_compared_character_by_character() -> None:
    for audience in (ISSUER + "/", ISSUER.upper(), ISSUER[:-1], ISSUER + "#issuer-1", ""):
        assert code(proof(aud=audience)) == "proof.audience"
    assert code(proof(aud=ISSUER)) == ""


def test_o26_the_audience_is_one_text() -> None:
    assert code(proof(aud=[ISSUER])) == "json.wrong_type"
    assert code(proof(aud=None)) == "json.missing"


@pytest.mark.parametrize(("seconds", "expected"), [(-600, ""), (-601, "proof.time"), (60, ""), (61, "proof.time")])
def test_o27_a_proof_is_of_now(seconds: int, expected: str) -> None:
    assert code(proof(iat=int(NOW.timestamp()) + seconds)) == expected


@pytest.mark.parametrize("iat", [None, "1", 1.5, True, -1, 10**15])
def test_o27_a_proof_has_a_time(iat: Any) -> None:
    assert code(proof(iat=iat)) == "time.not_numeric"


def test_o28_a_proof_is_small() -> None:
    assert code(proof(padding="x" * (20 << 10))) == "jws.too_large"
    assert code(proof(padding="x" * (4 << 10))) == ""


# -- proofs (OpenID4VCI Appendix F.1 and F.4) --


def test_proof_two_with_one_key() -> None:
    assert code(proof(), proof(iat=int(NOW.timestamp()) - 1)) == "proof.same_key"
    assert judge(proof(), proof(signer=OTHER)) == (SIGNER.public_key, OTHER.public_key)


def test_proof_stale_or_foreign_nonce() -> None:
    assert code(proof(nonce="m" * 24)) == "proof.nonce"
    assert code(proof(nonce=NONCE + " ")) == "proof.nonce"
    assert code(proof(nonce=None)) == "json.missing"
    assert code(proof(nonce=5)) == "json.wrong_type"


def test_proof_too_many() -> None:
    assert code(proof(), proof(signer=OTHER), copies=1) == "proof.count"
    assert code(proof(), proof(signer=OTHER), copies=2) == ""
    assert code() == "proof.count"


def test_proof_signed_by_another_key() -> None:
    header = {"typ": PROOF, "jwk": jwk.write(OTHER.public_key)}
    assert code(proof(header)) == "signature.invalid"
    assert code(proof(header, OTHER)) == ""


@pytest.mark.parametrize("members", [{}, {"kid": "x"}, {"x5c": ["x"]}, {"jwk": 1, "kid": "x"}, {"jwk": 1, "x5c": []}])
def test_proof_names_its_key_once_and_by_jwk(members: dict[str, Any]) -> None:
    own = jwk.write(SIGNER.public_key)
    header = {"typ": PROOF, **{name: own if name == "jwk" else value for name, value in members.items()}}
    assert code(proof(header)) == "proof.key_members"


@pytest.mark.parametrize("member", ["key_attestation", "trust_chain"])
def test_proof_with_what_is_not_judged(member: str) -> None:
    assert code(proof({"typ": PROOF, "jwk": jwk.write(SIGNER.public_key), member: "x"})) == "proof.unsupported"


def test_proof_of_a_client() -> None:
    assert code(proof(iss="wallet")) == "proof.client"


def test_proof_with_a_key_that_was_not_offered() -> None:
    signer = KEYRING.signer(KEYRING.create(Algorithm.ES256K))
    assert code(proof(signer=signer)) == "proof.algorithm"
    assert check_proofs(
        [proof(signer=signer)], issuer=ISSUER, nonce=NONCE, copies=1, algorithms=(Algorithm.ES256K,), at=NOW
    ) == (signer.public_key,)


def test_proof_that_holds_no_object() -> None:
    assert code(proof(payload=[])) == "json.not_an_object"
    assert code("") == "jws.segments"
    assert code("{}") == "jws.is_json"


def test_proof_of_another_offer_is_no_proof_here() -> None:
    office, wallet = Office(), MemoryWallet()
    first, second = office.offer(), office.offer()
    stolen = replace(accepting.begin(first, wallet, NOW), code=second.code)
    with pytest.raises(Refused) as caught:
        office.issuer.answer(stolen, at=NOW)
    assert caught.value.code == "proof.nonce"
    office.issuer.answer(accepting.begin(second, wallet, NOW), at=NOW)


# -- K: the city's keys --


def test_k15_a_key_that_was_rotated_out_signs_nothing() -> None:
    office, wallet = Office(), MemoryWallet()
    old, new = office.issuer.signer.public_key, KEYRING.create(Algorithm.ES256)
    city = "did:web:id.lindau.example"
    ref = KeyRef(DidUrl(city, "issuer-1"))

    def published(key: PublicKey, name: str = "issuer-1") -> did.DidDocument:
        return did.read_document(json.dumps(did.web.document(city, {name: key})).encode(), city)

    changed(office, id=city, signed_by=ref, document=published(old))
    request = accepting.begin(office.offer(), wallet, NOW)
    for document in (published(new), published(old, "issuer-2")):
        changed(office, document=document)
        with pytest.raises(Refused) as caught:
            office.issuer.answer(request, at=NOW)
        assert caught.value.code == "issue.key_rotated"
        before = len(office.register.issued)
        with pytest.raises(Refused):
            office.offer()
        assert len(office.register.issued) == before
    changed(office, document=published(old))
    office.issuer.answer(request, at=NOW)


def test_k15_an_expired_certificate_signs_nothing() -> None:
    office, year = Office(), timedelta(days=365)
    root = certify_root(OTHER, Name("Lindau Root"), at=NOW - year, lifetime=3 * year)
    leaf = certify_issuer(
        office.issuer.signer.public_key, Name("Residents' Office"), root=root, signer=OTHER, at=NOW, lifetime=year,
        uris=["https://id.lindau.example"],
    )  # fmt: skip
    changed(office, signed_by=KeyRef(CertificateChain((leaf,))))
    start, end = x509.read(leaf).not_before, x509.read(leaf).not_after
    for at in (start - timedelta(seconds=1), end + timedelta(seconds=1)):
        with pytest.raises(Refused) as caught:
            office.offer("age", {"birthdate": "1990-12-10"}, at)
        assert caught.value.code == "issue.key_expired"
    assert not office.register.issued
    office.offer("age", {"birthdate": "1990-12-10"}, start)
    office.offer("age", {"birthdate": "1990-12-10"}, end)
    changed(office, signer=SIGNER)
    with pytest.raises(Misuse) as wrong:
        office.offer()
    assert wrong.value.code == "issue.wrong_signer"


# -- S: what we sign --


def test_s37_salts_are_long_and_never_come_again() -> None:
    office, wallet = Office(), MemoryWallet()
    salts: list[str] = []
    for _ in range(3):
        for raw in office.cards(office.offer(), wallet).credentials:
            for disclosure in raw.decode().split("~")[1:-1]:
                salts.append(json.loads(base64.urlsafe_b64decode(disclosure + "=="))[0])
    assert len(set(salts)) == len(salts) > 300
    # 22 characters of base64url hold 132 bits
    assert min(map(len, salts)) >= 22


def test_s37_digests_do_not_stand_in_the_order_of_the_claims() -> None:
    office, wallet = Office(), MemoryWallet()
    for raw in office.cards(office.offer(), wallet).credentials:
        digests = _payload(raw)["_sd"]
        assert digests == sorted(digests)


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg", "cnf", "iss", "status"])
def test_s38_reserved_names_are_not_issued(name: str) -> None:
    office = Office()
    office.register.allotted = 7
    with pytest.raises(Malformed) as caught:
        office.offer(claims={**ADA, name: {}})
    assert caught.value.code == "claim.reserved"
    assert not office.register.issued
    assert not office.sessions.kept
    assert office.register.allotted == 7
    office.offer()


# -- U: what people paste --


@pytest.mark.parametrize("text", [
    b"", b"x", b"{", b"[]", b"https://id.lindau.example/offer", b"openid4vp://?credential_offer={}",
    b"openid-credential-offer://?credential_offer={", b"openid-credential-offer://", b"openid-credential-offer://?x=1",
    b"openid-credential-offer://?credential_offer=%7B%7D&credential_offer_uri=https://x",
    b"openid-credential-offer://?credential_offer=%7B%7D&credential_offer=%7B%7D",
    b"openid-credential-offer://?credential_offer=%FF", b"openid-credential-offer://[?credential_offer=1",
    "openid-credential-offer://?credential_offer=\u202e".encode(), b"\xff" * 20,
])  # fmt: skip
def test_u13_junk_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        Offer.read(text)


def test_u13_a_link_of_five_kilobytes_and_one_with_a_newline() -> None:
    link = Office().offer().link().encode()
    assert Offer.read(link).copies == 10
    for text, expected in [
        (link + b"&x=" + b"a" * 5_000, "offer.too_large"),
        (link.replace(b"%7B", b"%7B\n", 1), "offer.not_an_offer"),
        (link.replace(b"openid-credential-offer", b"openid-credential-0ffer"), "offer.not_an_offer"),
        (b"openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fx.example%2F1", "offer.by_reference"),
    ]:
        with pytest.raises(Malformed) as caught:
            Offer.read(text)
        assert caught.value.code == expected


# -- X: what gives a person away --


def _payload(raw: bytes) -> dict[str, Any]:
    text = raw.split(b"~")[0].split(b".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + b"=="))
    return found


def test_x03_nothing_is_equal_over_a_batch_but_the_dates_and_the_type() -> None:
    office, wallet = Office(), MemoryWallet()
    kind = replace(TYPES["residency"], status="required", copies=50)
    changed(office, types={**TYPES, "residency": kind}, publishes_status=True)
    cards = office.cards(office.offer(), wallet).credentials
    payloads = [_payload(raw) for raw in cards]
    assert len(payloads) == 50
    same = {name for name in payloads[0] if all(p[name] == payloads[0][name] for p in payloads)}
    assert same == {
        "iss", "vct", "iat", "nbf", "exp", "_sd_alg", "issuing_authority", "issuing_country", "issuing_jurisdiction",
    }  # fmt: skip
    assert "jti" not in payloads[0]
    assert all(p["nbf"] % 3600 == 0 and p["iat"] == p["nbf"] for p in payloads)
    seen: set[str] = set()
    for raw, payload in zip(cards, payloads, strict=True):
        disclosures = raw.decode().split("~")[1:-1]
        own = {*payload["_sd"], *payload["municipality"]["_sd"], payload["cnf"]["jwk"]["x"], *disclosures}
        own |= {json.loads(base64.urlsafe_b64decode(disclosure + "=="))[0] for disclosure in disclosures}
        own.add(str(payload["status"]["status_list"]["idx"]))
        assert len(own) > 50
        assert not own & seen
        seen |= own
    indices = sorted(payload["status"]["status_list"]["idx"] for payload in payloads)
    assert all(after - before > 1 for before, after in pairwise(indices))


def test_x03_two_residents_of_one_hour_have_the_same_dates() -> None:
    office, wallet = Office(), MemoryWallet()
    windows = {
        copy.window
        for minutes in (0, 10, 29)
        for copy in read(office.cards(office.offer(at=NOW + timedelta(minutes=minutes)), wallet, NOW))
    }
    assert len(windows) == 1


def test_x09_the_number_of_digests_does_not_tell_what_a_person_has() -> None:
    office, wallet = Office(), MemoryWallet()
    poor = {name: value for name, value in ADA.items() if name != "address"}
    rich = {**ADA, "district": {"code": "01", "name": "Insel"}}
    shapes = []
    for claims in (poor, ADA, rich):
        payload = _payload(office.cards(office.offer(claims=claims), wallet).credentials[0])
        shapes.append({
            name: len(value["_sd"]) if isinstance(value, dict) and "_sd" in value else None
            for name, value in {**payload, "": payload}.items()
        })  # fmt: skip
    assert shapes[0] == shapes[1] == shapes[2]
    assert shapes[0][""] == sum(rule.hideable and len(path) == 1 for path, rule in TYPES["residency"].claims.items())


def test_x09_nor_does_an_address_tell_whether_it_has_a_house_number() -> None:
    office, wallet = Office(), MemoryWallet()
    counts = set()
    for address in ({"locality": "Lindau", "country": "DE"}, ADA["address"]):
        raw = office.cards(office.offer(claims={**ADA, "address": address}), wallet).credentials[0]
        for disclosure in raw.decode().split("~")[1:-1]:
            parts = json.loads(base64.urlsafe_b64decode(disclosure + "=="))
            if parts[1] == "address":
                counts.add(len(parts[2]["_sd"]))
    assert counts == {7}
