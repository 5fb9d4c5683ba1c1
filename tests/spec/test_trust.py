"""Trust: whose word counts, by which mechanism, for which types, since when (SD-JWT VC §2.5, §4, §7.3; RFC 5280 §6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as lib
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cityid.checks import Outcome, Step
from cityid.credential import CertificateChain, KeyRef, WebIssuer
from cityid.keys.certify import Name, certify_issuer, certify_root
from cityid.trust import TrustEntry, TrustList
from tests.credentials import DID, ISSUER, NOW, REF, VCT, WEB, did_ref, outcome
from tests.sd_jwts import signer

NAMES = {"residency": (VCT, "cityid.residency.1")}
ROOT_KEY, OTHER_ROOT_KEY = signer(11), signer(12)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = certify_root(ROOT_KEY, Name("Root of Lindau"), at=BEGIN, path_length=1)
OTHER_ROOT = certify_root(OTHER_ROOT_KEY, Name("Root of Bregenz"), at=BEGIN)
LEAF = certify_issuer(
    ISSUER.public_key,
    Name("City of Lindau"),
    root=ROOT,
    signer=ROOT_KEY,
    at=BEGIN,
    uris=[WEB],
    dns=["id.lindau.example"],
)
SUBJECT = "CN=City of Lindau"


def entry(**changed: Any) -> TrustEntry:
    return TrustEntry(**{"mechanism": "did", "types": ("residency",), "did": DID, **changed})


def web(**changed: Any) -> TrustEntry:
    return entry(mechanism="web", did="", web=WEB, **changed)


def root(**changed: Any) -> TrustEntry:
    return entry(**{"mechanism": "x5c", "did": "", "roots": (ROOT,), "source": "ca.pem", **changed})


def listed(*entries: TrustEntry) -> TrustList:
    return TrustList(entries, NAMES, "trust/region.toml")


def chain(*certificates: bytes) -> KeyRef:
    return KeyRef(CertificateChain(certificates))


def judged(
    *entries: TrustEntry,
    by: KeyRef | None = None,
    issuer: str = DID,
    types: tuple[str, ...] = (VCT,),
    at: datetime = NOW,
) -> str:
    check = listed(*entries).check(by or did_ref(), issuer, types, at)
    assert check.step is Step.ISSUER_TRUSTED
    return outcome(check)


class TestWho:
    """Default deny, and every question of its own."""

    def test_a_listed_issuer_may_issue_a_listed_type(self) -> None:
        check = listed(entry(name="City of Lindau")).check(did_ref(), DID, (VCT,), NOW)
        assert check.outcome is Outcome.PASSED
        assert dict(check.facts) == {
            "issuer": DID, "type": "residency", "name": "City of Lindau", "list": "trust/region.toml",
        }  # fmt: skip

    def test_success_is_a_constant(self) -> None:
        trusted = listed(entry())
        assert trusted.check(did_ref(), DID, (VCT,), NOW) is trusted.check(did_ref("x"), DID, (VCT,), NOW)

    def test_nobody_is_trusted_by_an_empty_list(self) -> None:
        assert judged() == "trust.unknown_issuer"

    def test_an_unlisted_issuer_is_unknown(self) -> None:
        other = "did:web:id.bregenz.example"
        assert judged(entry(), by=did_ref(did=other), issuer=other) == "trust.unknown_issuer"

    @pytest.mark.parametrize("type", ["urn:cityid:age:1", VCT + " ", VCT.upper(), ""])
    def test_a_type_must_be_listed(self, type: str) -> None:
        assert judged(entry(), types=(type,)) == "trust.type"

    def test_a_credential_without_type(self) -> None:
        assert judged(entry(), types=()) == "trust.type"

    def test_wire_names_of_every_format_and_the_id_itself_match(self) -> None:
        for name in (VCT, "cityid.residency.1", "residency"):
            assert judged(entry(), types=(name,)) == "passed"

    def test_a_wire_name_can_be_listed(self) -> None:
        assert judged(entry(types=("urn:other:1",)), types=("urn:other:1",)) == "passed"

    def test_aka_vcts_give_no_authority(self) -> None:
        assert judged(entry(), types=("urn:other:1", VCT)) == "trust.type"
        assert judged(entry(), types=(VCT, "urn:other:1")) == "passed"

    def test_a_key_of_another_did_is_not_the_issuers(self) -> None:
        assert judged(entry(), by=did_ref(did="did:web:evil.example")) == "trust.key_of_other"

    def test_a_web_key_of_another_issuer(self) -> None:
        other = KeyRef(WebIssuer("https://evil.example", "issuer-1"))
        assert judged(web(), by=other, issuer=WEB) == "trust.key_of_other"
        assert judged(web(), by=REF, issuer=WEB) == "passed"


class TestWhen:
    SINCE, UNTIL = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            (SINCE - timedelta(seconds=1), "trust.period"),
            (SINCE, "passed"),
            (UNTIL - timedelta(seconds=1), "passed"),
            (UNTIL, "trust.period"),
        ],
    )
    def test_since_is_inclusive_and_until_exclusive(self, at: datetime, expected: str) -> None:
        assert judged(entry(since=self.SINCE, until=self.UNTIL), at=at) == expected
        assert judged(root(since=self.SINCE, until=self.UNTIL), by=chain(LEAF), issuer=WEB, at=at) == expected

    def test_the_refusal_names_the_period(self) -> None:
        check = listed(entry(until=self.SINCE)).check(did_ref(), DID, (VCT,), NOW)
        assert check.problem is not None
        assert dict(check.problem.facts) == {"issuer": DID, "since": "", "until": "2026-05-01"}
        check = listed(entry(since=self.UNTIL)).check(did_ref(), DID, (VCT,), NOW)
        assert check.problem is not None
        assert check.problem.facts["since"] == "2026-06-01"


class TestMechanism:
    """SD-JWT VC §7.3: for any given `iss`, an attacker cannot choose the process of verification."""

    def test_a_did_issuer_is_not_proved_by_a_chain(self) -> None:
        assert judged(entry(), root(), by=chain(LEAF), issuer=DID) == "trust.mechanism"

    def test_a_web_issuer_is_not_proved_by_a_chain_even_where_the_leaf_names_it(self) -> None:
        assert judged(web(), root(), by=chain(LEAF), issuer=WEB) == "trust.mechanism"
        assert judged(root(), by=chain(LEAF), issuer=WEB) == "passed"

    def test_a_chain_issuer_is_not_proved_by_the_web(self) -> None:
        assert judged(root(issuer=WEB), by=REF, issuer=WEB) == "trust.mechanism"

    def test_a_did_issuer_is_not_proved_by_the_web_nor_the_other_way_round(self) -> None:
        assert judged(entry(), by=KeyRef(WebIssuer(DID, "k")), issuer=DID) == "trust.mechanism"
        assert judged(web(), by=did_ref(did=WEB), issuer=WEB) == "trust.mechanism"

    def test_the_refusal_says_what_is_pinned(self) -> None:
        check = listed(web()).check(chain(LEAF), WEB, (VCT,), NOW)
        assert check.problem is not None
        assert dict(check.problem.facts) == {"issuer": WEB, "expected": "web", "found": "x5c"}


def made(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    *,
    ca: bool | None = False,
    start: datetime = BEGIN,
    end: datetime = datetime(2027, 1, 1, tzinfo=UTC),
    uris: tuple[str, ...] = (WEB,),
    usage: bool = True,
) -> bytes:
    """A certificate made without our own rules."""
    name = lib.Name([lib.NameAttribute(NameOID.COMMON_NAME, subject)])
    above = lib.Name([lib.NameAttribute(NameOID.COMMON_NAME, issuer)])
    builder = (
        lib.CertificateBuilder().subject_name(name).issuer_name(above).public_key(key.public_key())
        .serial_number(lib.random_serial_number()).not_valid_before(start).not_valid_after(end)
        .add_extension(lib.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(lib.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(
            lib.KeyUsage(
                digital_signature=usage, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=bool(ca), crl_sign=bool(ca), encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if ca is not None:
        builder = builder.add_extension(lib.BasicConstraints(ca=ca, path_length=None), critical=True)
    if uris:
        names = lib.SubjectAlternativeName([lib.UniformResourceIdentifier(uri) for uri in uris])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(Encoding.DER)


R, M, L = (ec.derive_private_key(1000 + n, ec.SECP256R1()) for n in range(3))
X_ROOT = made("R", "R", R, R, ca=True, uris=())
MIDDLE = made("M", "R", M, R, ca=True, uris=())
UNDER = made("L", "M", L, M)


def by_chain(*certificates: bytes, roots: tuple[bytes, ...] = (X_ROOT,), issuer: str = WEB, at: datetime = NOW) -> str:
    return judged(root(roots=roots), by=chain(*certificates), issuer=issuer, at=at)


class TestChain:
    """RFC 5280 §6, HAIP 1.0 §6.1.1: x5c, leaf first, validated to a configured anchor inside the trust check."""

    def test_leaf_under_root(self) -> None:
        assert judged(root(), by=chain(LEAF), issuer=WEB) == "passed"

    def test_leaf_under_intermediate(self) -> None:
        assert by_chain(UNDER, MIDDLE) == "passed"

    def test_anchor_in_the_message(self) -> None:
        assert by_chain(UNDER, MIDDLE, X_ROOT) == "trust.chain_anchor_included"
        assert by_chain(UNDER, MIDDLE) == "passed"

    def test_self_signed_leaf_with_the_right_name(self) -> None:
        forged = made("City of Lindau", "City of Lindau", L, L)
        assert by_chain(forged) == "trust.leaf_self_signed"

    def test_root_supplied_in_band(self) -> None:
        own_root = made("R", "R", M, M, ca=True, uris=())
        assert by_chain(made("L", "R", L, M), own_root) != "passed"
        assert by_chain(made("L", "R", L, R)) == "passed"

    def test_wrong_order(self) -> None:
        # With the authority in first place it is the authority that would have signed.
        assert by_chain(MIDDLE, UNDER) == "trust.leaf_is_ca"
        other = made("N", "M", L, M, ca=True, uris=())
        assert by_chain(UNDER, other, MIDDLE) == "trust.chain_order"

    def test_expired_intermediate(self) -> None:
        end = datetime(2026, 5, 1, tzinfo=UTC)
        old = made("M", "R", M, R, ca=True, uris=(), end=end)
        assert by_chain(UNDER, old) == "trust.chain_expired"
        assert by_chain(UNDER, old, at=end - timedelta(days=1)) == "passed"

    def test_leaf_not_yet_valid(self) -> None:
        start = NOW + timedelta(seconds=1)
        late = made("L", "R", L, R, start=start.replace(microsecond=0))
        assert by_chain(late) == "trust.chain_not_yet_valid"
        assert by_chain(late, at=start) == "passed"

    def test_right_chain_of_another_root(self) -> None:
        assert by_chain(UNDER, MIDDLE, roots=(OTHER_ROOT,)) == "trust.chain_unknown_root"
        assert by_chain(UNDER, MIDDLE, roots=(OTHER_ROOT, X_ROOT)) == "passed"

    def test_root_of_the_right_name_with_another_key(self) -> None:
        impostor = made("R", "R", L, L, ca=True, uris=())
        assert by_chain(UNDER, MIDDLE, roots=(impostor,)) == "trust.chain_invalid"

    def test_intermediate_that_is_no_authority(self) -> None:
        no_authority = made("M", "R", M, R, ca=False, uris=())
        assert by_chain(UNDER, no_authority) == "trust.chain_invalid"

    def test_leaf_used_as_authority(self) -> None:
        assert by_chain(made("L2", "L", M, L), UNDER, MIDDLE) == "trust.chain_invalid"

    def test_leaf_that_may_not_sign(self) -> None:
        assert by_chain(made("L", "R", L, R, usage=False)) == "trust.leaf_key_usage"

    def test_a_list_without_roots(self) -> None:
        assert judged(entry(), by=chain(LEAF), issuer=WEB) == "trust.chain_no_roots"

    def test_junk(self) -> None:
        assert by_chain(b"junk") == "x509.der"
        assert by_chain() == "x509.chain_length"

    def test_two_roots_for_two_types_keep_apart(self) -> None:
        """A PID anchor never vouches for an age attestation."""
        residents, ages = root(), root(roots=(X_ROOT,), source="age.pem", types=("urn:age:1",))
        assert judged(residents, ages, by=chain(LEAF), issuer=WEB) == "passed"
        assert judged(residents, ages, by=chain(LEAF), issuer=WEB, types=("urn:age:1",)) == "trust.type"
        assert judged(residents, ages, by=chain(UNDER, MIDDLE), issuer=WEB, types=("urn:age:1",)) == "passed"
        assert judged(residents, ages, by=chain(UNDER, MIDDLE), issuer=WEB) == "trust.type"

    def test_the_verdict_names_the_issuer_not_the_file(self) -> None:
        check = listed(root(name="Region")).check(chain(LEAF), SUBJECT, (VCT,), NOW)
        assert dict(check.facts) == {
            "issuer": SUBJECT, "type": "residency", "name": "Region", "list": "trust/region.toml",
        }  # fmt: skip


class TestIssuerName:
    """With x5c the issuer is the leaf's subject; an `iss` beside it must be one of the leaf's names."""

    @pytest.mark.parametrize(
        ("issuer", "expected"),
        [
            (SUBJECT, "passed"),
            (WEB, "passed"),
            (f"{WEB}/residents", "passed"),  # at a DNS name of the leaf
            (f"{WEB}.evil.example", "trust.issuer_name"),
            ("https://ID.lindau.example", "trust.issuer_name"),
            (f"{WEB}:443", "trust.issuer_name"),
            ("https://city@id.lindau.example", "trust.issuer_name"),
            ("http://id.lindau.example", "trust.issuer_name"),
            ("CN=City of Bregenz", "trust.issuer_name"),
            ("", "trust.issuer_name"),
        ],
    )
    def test_names(self, issuer: str, expected: str) -> None:
        assert judged(root(), by=chain(LEAF), issuer=issuer) == expected

    def test_a_root_can_be_narrowed_to_one_issuer(self) -> None:
        assert judged(root(issuer=WEB), by=chain(LEAF), issuer=WEB) == "passed"
        assert judged(root(issuer=SUBJECT), by=chain(LEAF), issuer=WEB) == "trust.unknown_issuer"
        assert judged(root(issuer=SUBJECT), by=chain(LEAF), issuer=SUBJECT) == "passed"

    def test_one_entry_over_and_one_not_yet_begun(self) -> None:
        old = root(until=BEGIN + timedelta(days=1), issuer=WEB)
        assert judged(old, root(), by=chain(LEAF), issuer=WEB) == "passed"
        assert judged(old, by=chain(LEAF), issuer=WEB) == "trust.period"


class TestStatusRule:
    def test_required_is_the_default(self) -> None:
        assert listed(entry()).status(did_ref(), DID, (VCT,)) == "required"

    def test_none_where_the_entry_says_so(self) -> None:
        trusted = listed(entry(status="none"))
        assert trusted.status(did_ref(), DID, (VCT,)) == trusted.status(did_ref(), DID) == "none"

    def test_by_type(self) -> None:
        trusted = listed(entry(), entry(types=("urn:age:1",), status="none"))
        assert trusted.status(did_ref(), DID, ("urn:age:1",)) == "none"
        assert trusted.status(did_ref(), DID, (VCT,)) == "required"
        assert trusted.status(did_ref(), DID) == "required"

    def test_unknown_issuers_are_held_to_it(self) -> None:
        assert listed(entry(status="none")).status(did_ref(), "did:web:other.example") == "required"

    def test_chains(self) -> None:
        trusted = listed(root(status="none"), root(types=("urn:age:1",), issuer=SUBJECT))
        assert trusted.status(chain(LEAF), WEB, (VCT,)) == "none"
        assert trusted.status(chain(LEAF), SUBJECT, ("urn:age:1",)) == "required"
        assert trusted.status(chain(LEAF), SUBJECT) == "required"
        assert trusted.status(chain(LEAF), WEB) == "none"
