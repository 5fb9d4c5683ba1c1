"""Trust: whose word counts, by which mechanism, for which types, since when (SD-JWT VC §2.5, §4, §7.3; RFC 5280 §6)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as lib
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cityid import trust
from cityid.checks import Outcome, Step
from cityid.credential import CertificateChain, DidUrl, KeyRef, Purpose, WebIssuer
from cityid.did import read_document
from cityid.edge.recorded import offline
from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.keys.certify import Name, certify_issuer, certify_root, pem
from cityid.plan import Response
from cityid.trust import TrustEntry, TrustList
from tests.credentials import DID, ISSUER, NOW, REF, VCT, WEB, Net, did_document, did_ref, jwks, outcome
from tests.paths import TREE
from tests.sd_jwts import OTHER, signer

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


class TestKey:
    """From a KeyRef to a key: what is pinned needs no network."""

    def test_pinned_document(self) -> None:
        trusted = listed(entry(document=read_document(did_document(ISSUER), DID)))
        assert trust.key(did_ref(), trusted).run(offline) == ISSUER.public_key
        assert trust.key(did_ref(""), trusted).run(offline) == ISSUER.public_key

    def test_a_pin_is_never_answered_from_elsewhere(self) -> None:
        trusted = listed(entry(document=read_document(did_document(ISSUER), DID)))
        with pytest.raises(Refused, match=r"did\.no_such_key"):
            trust.key(did_ref("issuer-2"), trusted).run(Net())

    def test_a_pinned_key_for_another_purpose(self) -> None:
        trusted = listed(entry(document=read_document(did_document(ISSUER), DID)))
        with pytest.raises(Refused, match=r"did\.wrong_purpose"):
            trust.key(KeyRef(DidUrl(DID, "issuer-1"), Purpose.AUTHENTICATION), trusted).run(offline)

    def test_a_document_may_hold_keys_that_are_none_of_ours(self) -> None:
        document = json.loads(did_document(ISSUER))
        strange = {"id": f"{DID}#x", "type": "Strange2099", "controller": DID}
        document["verificationMethod"].append(strange)
        document["assertionMethod"].append(strange["id"])
        trusted = listed(entry(document=read_document(json.dumps(document).encode(), DID)))
        assert trust.key(did_ref(), trusted).run(offline) == ISSUER.public_key
        with pytest.raises(Refused, match=r"did\.key_unsupported"):
            trust.key(did_ref("x"), trusted).run(offline)

    def test_pinned_keys(self) -> None:
        trusted = listed(web(keys={"issuer-1": ISSUER.public_key}))
        assert trust.key(REF, trusted).run(offline) == ISSUER.public_key
        assert trust.key(KeyRef(WebIssuer(WEB, "")), trusted).run(offline) == ISSUER.public_key
        with pytest.raises(Refused, match=r"trust\.no_such_key"):
            trust.key(KeyRef(WebIssuer(WEB, "issuer-2")), trusted).run(offline)

    def test_without_kid_there_must_be_one_key(self) -> None:
        two = listed(web(keys={"issuer-1": ISSUER.public_key, "issuer-2": OTHER.public_key}))
        with pytest.raises(Refused, match=r"trust\.no_kid"):
            trust.key(KeyRef(WebIssuer(WEB, "")), two).run(offline)
        assert trust.key(KeyRef(WebIssuer(WEB, "issuer-2")), two).run(offline) == OTHER.public_key

    def test_a_did_is_resolved_where_nothing_is_pinned(self) -> None:
        net = Net({"https://id.lindau.example/.well-known/did.json": did_document(ISSUER)})
        assert trust.key(did_ref(), listed(entry())).run(net) == ISSUER.public_key
        assert trust.key(did_ref()).run(net) == ISSUER.public_key

    def test_a_pin_of_another_issuer_does_not_answer(self) -> None:
        trusted = listed(entry(document=read_document(did_document(OTHER), DID)), web(keys={"k": OTHER.public_key}))
        other = "did:web:id.bregenz.example"
        net = Net({"https://id.bregenz.example/.well-known/did.json": did_document(ISSUER, other)})
        assert trust.key(did_ref(did=other), trusted).run(net) == ISSUER.public_key

    def test_chain(self) -> None:
        assert trust.key(chain(LEAF), listed(root()), NOW).run(offline) == ISSUER.public_key

    def test_no_key_of_a_chain_past_the_list(self) -> None:
        with pytest.raises(Refused, match=r"trust\.chain_unknown_root"):
            trust.key(chain(LEAF), listed(root(roots=(OTHER_ROOT,))), NOW).run(offline)
        with pytest.raises(Refused, match=r"trust\.chain_no_roots"):
            trust.key(chain(LEAF), listed(entry()), NOW).run(offline)
        with pytest.raises(Refused, match=r"trust\.chain_expired"):
            trust.key(chain(LEAF), listed(root()), NOW + timedelta(days=500)).run(offline)

    @pytest.mark.parametrize(("trusted", "at"), [(None, NOW), (listed(root()), None)])
    def test_a_chain_needs_a_list_and_a_time(self, trusted: TrustList | None, at: datetime | None) -> None:
        with pytest.raises(Misuse, match=r"trust\.chain_unjudged"):
            trust.key(chain(LEAF), trusted, at).run(offline)


METADATA = f"{WEB}/.well-known/jwt-vc-issuer"


def metadata(**changed: Any) -> bytes:
    made = {"issuer": WEB, "jwks": json.loads(jwks(ISSUER)), **changed}
    return json.dumps({name: value for name, value in made.items() if value is not None}).encode()


def found(net: Net, ref: KeyRef = REF) -> Any:
    return trust.key(ref, listed(web())).run(net)


class TestIssuerMetadata:
    """SD-JWT VC §4: JWT VC issuer metadata."""

    @pytest.mark.parametrize(
        ("issuer", "expected"),
        [
            ("https://example.com", "https://example.com/.well-known/jwt-vc-issuer"),
            ("https://example.com/", "https://example.com/.well-known/jwt-vc-issuer"),
            ("https://example.com/tenant/1234", "https://example.com/.well-known/jwt-vc-issuer/tenant/1234"),
            ("https://example.com/tenant/1234/", "https://example.com/.well-known/jwt-vc-issuer/tenant/1234"),
            ("https://example.com:8443/a", "https://example.com:8443/.well-known/jwt-vc-issuer/a"),
        ],
    )
    def test_address(self, issuer: str, expected: str) -> None:
        assert trust.metadata_url(issuer) == expected

    @pytest.mark.parametrize(
        "issuer",
        [
            "http://example.com", "https://example.com?x", "https://example.com/a?x=1", "https://example.com#f",
            "https://user@example.com", "https://example.com/a/../b", "https://example.com/./a", "https://", "https://-",
            "https://example.com/a b", "https://example.com:x/", "https://[::1]/", "HTTPS://example.com",
            "https://example.com\n", "ftp://example.com", "example.com",
        ],
    )  # fmt: skip
    def test_addresses_that_are_none(self, issuer: str) -> None:
        with pytest.raises(Refused, match=r"trust\.web_issuer"):
            trust.metadata_url(issuer)

    def test_keys_by_value(self) -> None:
        net = Net({METADATA: metadata()})
        assert found(net) == ISSUER.public_key
        (request,) = net.asked
        assert (request.method, request.url, request.redirects, request.limit) == ("GET", METADATA, 3, 1 << 20)
        assert request.headers["accept"] == "application/json"

    def test_keys_by_reference(self) -> None:
        url = "https://keys.lindau.example/issuer.jwks?v=1"
        net = Net({METADATA: metadata(jwks=None, jwks_uri=url), url: jwks(ISSUER)})
        assert found(net) == ISSUER.public_key
        assert [request.redirects for request in net.asked] == [3, 3]

    @pytest.mark.parametrize("issuer", [f"{WEB}/", "https://ID.lindau.example", "https://evil.example"])
    def test_the_document_must_be_the_issuers(self, issuer: str) -> None:
        with pytest.raises(Refused, match=r"trust\.metadata_issuer"):
            found(Net({METADATA: metadata(issuer=issuer)}))

    def test_exactly_one_of_jwks_and_jwks_uri(self) -> None:
        for changed in ({"jwks": None}, {"jwks_uri": "https://id.lindau.example/jwks"}):
            with pytest.raises(Refused, match=r"trust\.metadata_keys"):
                found(Net({METADATA: metadata(**changed)}))

    @pytest.mark.parametrize(
        "url",
        ["http://id.lindau.example/jwks", "https://a@id.lindau.example/", "https://x/#f", "data:,x", "https://x/\x00"],
    )
    def test_jwks_uri_is_plain_https(self, url: str) -> None:
        net = Net({METADATA: metadata(jwks=None, jwks_uri=url)})
        with pytest.raises(Refused, match=r"trust\.jwks_uri"):
            found(net)
        assert len(net.asked) == 1

    @pytest.mark.parametrize("status", [204, 301, 404, 500])
    def test_an_errors_body_is_never_used(self, status: int) -> None:
        with pytest.raises(Unavailable, match=r"trust\.metadata_status"):
            found(Net({METADATA: Response(status, {"content-type": "application/json"}, metadata(), NOW)}))

    @pytest.mark.parametrize(
        ("kind", "good"),
        [("application/json", True), ("Application/JSON; charset=utf-8", True), ("text/html", False), (None, False)],
    )
    def test_it_is_json(self, kind: str | None, good: bool) -> None:
        headers = {} if kind is None else {"content-type": kind}
        net = Net({METADATA: Response(200, headers, metadata(), NOW)})
        if good:
            assert found(net) == ISSUER.public_key
        else:
            with pytest.raises(Refused, match=r"trust\.metadata_type"):
                found(net)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"[]", "json.not_an_object"), (b"{", "json.syntax"), (metadata(issuer=None), "json.missing"),
            (metadata(jwks=[]), "json.wrong_type"), (metadata(jwks={}), "json.missing"),
            (b'{"issuer":"a","issuer":"b"}', "json.duplicate"),
        ],
    )  # fmt: skip
    def test_it_is_read_strictly(self, body: bytes, code: str) -> None:
        with pytest.raises(Malformed) as caught:
            found(Net({METADATA: body}))
        assert caught.value.code == code

    def test_the_kid_picks_the_key(self) -> None:
        with pytest.raises(Refused, match=r"trust\.no_such_key"):
            found(Net({METADATA: metadata(jwks=json.loads(jwks(ISSUER, "issuer-2")))}))

    def test_without_a_list(self) -> None:
        assert trust.key(REF).run(Net({METADATA: metadata()})) == ISSUER.public_key


GOOD = f"""
# the region's list
[[issuer]]
did = "{DID}"
mechanism = "did"
types = ["residency", "urn:cityid:age:1"]
since = 2026-01-01
status = "none"
name = "City of Lindau"
document = "city-did.json"

# Bregenz has certificates
[[issuer]]
root = "ca.pem"
mechanism = "x5c"
types = ["residency"]
until = 2027-01-01T12:00:00+02:00
issuer = "{WEB}"

[[issuer]]
web = "https://id.wangen.example"
mechanism = "web"
types = ["residency"]
keys = "wangen.jwks"
"""
FILES = {
    "ca.pem": pem(ROOT, "CERTIFICATE").encode() + pem(OTHER_ROOT, "CERTIFICATE").encode(),
    "ca.der": ROOT,
    "leaf.pem": pem(LEAF, "CERTIFICATE").encode(),
    "junk.pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "odd.pem": b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
    "city-did.json": did_document(ISSUER),
    "other-did.json": did_document(ISSUER, "did:web:other.example"),
    "wangen.jwks": jwks(ISSUER),
    "junk": b"{",
}


def read(text: str | bytes) -> TrustList:
    return trust.read(text, FILES.__getitem__, NAMES, title="trust/region.toml")


def one(**changed: str) -> str:
    members = {"did": f'"{DID}"', "mechanism": '"did"', "types": '["residency"]', **changed}
    return "[[issuer]]\n" + "".join(f"{name} = {value}\n" for name, value in members.items() if value)


class TestFile:
    """The TOML that people write (CLI 6)."""

    def test_a_good_file(self) -> None:
        trusted = read(GOOD.encode())
        first, second, third = trusted.entries
        assert (first.did, first.mechanism, first.types) == (DID, "did", ("residency", "urn:cityid:age:1"))
        assert (first.since, first.until, first.status, first.name) == (BEGIN, None, "none", "City of Lindau")
        assert (second.roots, second.source, second.issuer) == ((ROOT, OTHER_ROOT), "ca.pem", WEB)
        assert second.until == datetime(2027, 1, 1, 10, tzinfo=UTC)
        assert second.status == "required"
        assert (third.web, third.mechanism) == ("https://id.wangen.example", "web")
        assert [item.subject for item in trusted.entries] == [DID, WEB, "https://id.wangen.example"]
        assert trust.key(did_ref(), trusted).run(offline) == ISSUER.public_key
        wangen = KeyRef(WebIssuer("https://id.wangen.example", "issuer-1"))
        assert trust.key(wangen, trusted).run(offline) == ISSUER.public_key
        assert outcome(trusted.check(did_ref(), DID, (VCT,), NOW)) == "passed"
        assert trusted.title == "trust/region.toml"

    def test_empty(self) -> None:
        assert read("").entries == ()

    def test_where_lists_are_and_who_signs_them(self) -> None:
        url = "https://x.example/status"
        for owner in ("did:web:status.example", "https://status.example"):
            text = one(status_issuer=f'"{owner}"', status_lists=f'["{url}", "{url}/1", "{url}"]')
            (entry,) = read(text).entries
            assert (entry.status_issuer, entry.status_lists) == (owner, (url, f"{url}/1"))
            assert trust.write_entry({
                "did": DID, "mechanism": "did", "types": ["residency"], "status_issuer": owner,
                "status_lists": [url, f"{url}/1", url],
            }) == text  # fmt: skip
        (plain,) = read(one()).entries
        assert (plain.status_issuer, plain.status_lists) == ("", ())

    def test_der(self) -> None:
        assert read(one(did="", root='"ca.der"', mechanism='"x5c"')).roots == (ROOT,)

    @pytest.mark.parametrize(
        ("text", "code", "where"),
        [
            ("[[issuer]", "trust_file.syntax", ""),
            ("a = " + "[" * 5000, "trust_file.syntax", ""),
            (b"\xff", "trust_file.not_utf8", ""),
            (" " * (1 << 20) + " ", "trust_file.too_large", ""),
            ("issuers = 1", "trust_file.unknown_member", "issuers"),
            ("issuer = 1", "trust_file.wrong_type", "issuer"),
            ("issuer = [1]", "trust_file.wrong_type", "issuer"),
            (one(typo="1"), "trust_file.unknown_member", "issuer[0].typo"),
            (one() + one(did="1"), "trust_file.wrong_type", "issuer[1].did"),
            (one(did='""'), "trust_file.wrong_type", "issuer[0].did"),
            (one(did='"did:web"'), "trust_file.did", "issuer[0].did"),
            (one(did="", web='"http://x.example"', mechanism='"web"'), "trust_file.web", "issuer[0].web"),
            (one(did="", web='"https://x.example?q"', mechanism='"web"'), "trust_file.web", "issuer[0].web"),
            (one(mechanism=""), "trust_file.choice", "issuer[0].mechanism"),
            (one(mechanism='"DID"'), "trust_file.choice", "issuer[0].mechanism"),
            (one(mechanism='"x5c"'), "trust_file.mechanism", "issuer[0]"),
            (one(web='"https://x.example"'), "trust_file.one_of", "issuer[0]"),
            (one(did=""), "trust_file.one_of", "issuer[0]"),
            (one(types=""), "trust_file.wrong_type", "issuer[0].types"),
            (one(types='"residency"'), "trust_file.wrong_type", "issuer[0].types"),
            (one(types="[1]"), "trust_file.wrong_type", "issuer[0].types"),
            (one(types="[]"), "trust_file.no_types", "issuer[0]"),
            (one(types='[""]'), "trust_file.no_types", "issuer[0]"),
            (one(types='["a", "a"]'), "trust_file.repeated_type", "issuer[0].types"),
            (one(status='"maybe"'), "trust_file.choice", "issuer[0].status"),
            (one(status_issuer="1"), "trust_file.wrong_type", "issuer[0].status_issuer"),
            (one(status_issuer='"did:web"'), "trust_file.did", "issuer[0].status_issuer"),
            (one(status_issuer='"status.example"'), "trust_file.web", "issuer[0].status_issuer"),
            (one(status_issuer='"http://status.example"'), "trust_file.web", "issuer[0].status_issuer"),
            (one(status_lists='"https://x.example"'), "trust_file.wrong_type", "issuer[0].status_lists"),
            (one(status_lists="[1]"), "trust_file.wrong_type", "issuer[0].status_lists"),
            (one(status_lists="1"), "trust_file.wrong_type", "issuer[0].status_lists"),
            (one(status_lists='{"https://x.example" = 1}'), "trust_file.wrong_type", "issuer[0].status_lists"),
            (one(status_lists='["http://x.example"]'), "trust_file.wrong_type", "issuer[0].status_lists"),
            (one(status_lists='["https://x.example/ 1"]'), "trust_file.wrong_type", "issuer[0].status_lists"),
            (one(since='"2026-01-01"'), "trust_file.wrong_type", "issuer[0].since"),
            (one(since="2026-01-01T00:00:00"), "trust_file.wrong_type", "issuer[0].since"),
            (one(since="2026-01-01", until="2026-01-01"), "trust_file.period", "issuer[0]"),
            (one(name="1"), "trust_file.wrong_type", "issuer[0].name"),
            (one(keys='"wangen.jwks"'), "trust_file.pin", "issuer[0]"),
            (one(issuer='"x"'), "trust_file.pin", "issuer[0]"),
            (one(did="", web=f'"{WEB}"', mechanism='"web"', keys='"junk"'), "trust_file.pinned", "issuer[0].keys"),
            (one(document='"junk"'), "trust_file.pinned", "issuer[0].document"),
            (one(document='"other-did.json"'), "trust_file.pinned", "issuer[0].document"),
            (one(did="", root='"leaf.pem"', mechanism='"x5c"'), "trust_file.not_a_root", "issuer[0].root"),
            (one(did="", root='"junk.pem"', mechanism='"x5c"'), "trust_file.pinned", "issuer[0].root"),
            (one(did="", root='"odd.pem"', mechanism='"x5c"'), "trust_file.pinned", "issuer[0].root"),
            (one() + one(), "trust_file.duplicate", "issuer[1]"),
            (one(types=f'["{VCT}"]') + one(), "trust_file.duplicate", "issuer[1]"),
        ],
    )
    def test_what_is_wrong_is_misuse_with_its_place(self, text: str | bytes, code: str, where: str) -> None:
        with pytest.raises(Misuse) as caught:
            read(text)
        assert (caught.value.code, caught.value.problem.where) == (code, where)

    def test_contradictory_mechanisms(self) -> None:
        text = one(did="", web=f'"{WEB}"', mechanism='"web"')
        contrary = one(did="", root='"ca.pem"', mechanism='"x5c"', issuer=f'"{WEB}"', types='["urn:age:1"]')
        with pytest.raises(Misuse, match=r"trust_file\.contradiction at issuer\[1\]"):
            read(text + contrary)

    def test_a_missing_file_is_told_by_the_one_who_reads_it(self) -> None:
        def load(name: str) -> bytes:
            raise Misuse("file.missing", where=name)

        with pytest.raises(Misuse, match=r"file\.missing at ca\.pem"):
            trust.read(one(did="", root='"ca.pem"', mechanism='"x5c"'), load)

    def test_one_issuer_for_two_types_with_two_rules(self) -> None:
        trusted = read(one() + one(types='["urn:cityid:age:1"]', status='"none"'))
        assert trusted.status(did_ref(), DID, ("urn:cityid:age:1",)) == "none"

    def test_one_root_twice(self) -> None:
        first = one(did="", root='"ca.der"', mechanism='"x5c"')
        with pytest.raises(Misuse, match=r"trust_file\.duplicate"):
            read(first + one(did="", root='"ca.pem"', mechanism='"x5c"'))
        assert len(read(first + one(did="", root='"ca.pem"', mechanism='"x5c"', types='["urn:age:1"]')).entries) == 2
        assert len(read(first + one(did="", root='"ca.pem"', mechanism='"x5c"', issuer=f'"{WEB}"')).entries) == 2

    def test_one_issuer_pinned_twice(self) -> None:
        pinned = one(document='"city-did.json"')
        with pytest.raises(Misuse, match=r"trust_file\.pinned_twice at issuer\[1\]"):
            read(pinned + one(types='["urn:age:1"]', document='"city-did.json"'))
        assert len(read(pinned + one(types='["urn:age:1"]')).entries) == 2


class TestChanging:
    """`cityid trust add|remove`: everything else in the file stays as its people wrote it."""

    def test_add(self) -> None:
        new = {"types": ["residency"], "did": "did:web:new.example", "mechanism": "did", "since": date(2026, 2, 1)}
        changed = trust.add(GOOD, new)
        assert changed.startswith(GOOD.rstrip())
        assert changed.endswith(
            '\n\n[[issuer]]\ndid = "did:web:new.example"\nmechanism = "did"\n'
            'types = ["residency"]\nsince = 2026-02-01\n'
        )
        assert read(changed).entries[-1].did == "did:web:new.example"

    def test_add_to_nothing(self) -> None:
        assert trust.add("", {"did": DID}) == f'[[issuer]]\ndid = "{DID}"\n'

    def test_add_to_a_broken_file(self) -> None:
        with pytest.raises(Misuse, match=r"trust_file\.syntax"):
            trust.add("[[", {"did": DID})

    def test_text_is_quoted(self) -> None:
        name = 'Stadt "Lindau"\\\x7f\n[[issuer]]'
        changed = trust.add(GOOD, {"did": "did:web:new.example", "mechanism": "did", "types": ["a"], "name": name})
        assert read(changed).entries[-1].name == name
        assert len(read(changed).entries) == 4

    def test_times(self) -> None:
        moment = datetime(2026, 2, 1, 13, tzinfo=UTC)
        changed = trust.add("", {"did": DID, "mechanism": "did", "types": ["a"], "until": moment})
        assert read(changed).entries[0].until == moment

    @pytest.mark.parametrize(
        ("member", "code"),
        [({"typo": "x"}, "trust_file.unknown_member"), ({"types": [1]}, "trust_file.wrong_type"),
         ({"name": 1}, "trust_file.wrong_type")],
    )  # fmt: skip
    def test_members_that_are_none(self, member: dict[str, Any], code: str) -> None:
        with pytest.raises(Misuse) as caught:
            trust.write_entry(member)
        assert caught.value.code == code

    @pytest.mark.parametrize(("issuer", "left"), [(DID, 2), ("ca.pem", 2), ("https://id.wangen.example", 2)])
    def test_remove(self, issuer: str, left: int) -> None:
        changed = trust.remove(GOOD, issuer)
        assert len(read(changed).entries) == left
        assert issuer not in changed

    def test_remove_takes_the_comment_above_along(self) -> None:
        changed = trust.remove(GOOD, "ca.pem")
        assert "Bregenz" not in changed
        assert "the region's list" in changed

    def test_remove_all_entries_of_an_issuer(self) -> None:
        text = one() + one(types='["urn:age:1"]')
        assert trust.remove(text, DID) == ""

    def test_comment_in_the_first_line(self) -> None:
        assert trust.remove("# mine\n" + one(), DID) == ""

    def test_remove_the_unknown(self) -> None:
        with pytest.raises(Misuse, match=r"trust_file\.no_such_issuer"):
            trust.remove(GOOD, "did:web:nobody.example")

    def test_remove_what_only_a_person_can(self) -> None:
        inline = f'issuer = [{{did = "{DID}", mechanism = "did", types = ["a"]}}]'
        for text in (inline, one(name='"""x\n[[issuer]]\n"""'), '[["issuer"]]\ndid = "' + DID + '"\n'):
            with pytest.raises(Misuse, match=r"trust_file\.not_editable"):
                trust.remove(text, DID)

    def test_remove_proves_its_result(self) -> None:
        # Two headers and two entries, but one of the headers is inside a text.
        text = one(name='"""\n[[issuer]]\n"""') + '[["issuer"]]\ndid = "did:web:b.example"\n'
        with pytest.raises(Misuse, match=r"trust_file\.not_editable"):
            trust.remove(text, "did:web:b.example")


class TestSchema:
    """`schemas/trust.schema.json` describes the same form."""

    def test_examples_are_valid_and_read(self) -> None:
        import jsonschema

        schema = json.loads((TREE / "schemas/trust.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        assert schema["examples"]
        for example in schema["examples"]:
            validator.validate(example)
        assert set(schema["$defs"]["issuer"]["properties"]) == {
            "did", "root", "web", "mechanism", "types", "since", "until", "status", "name", "document", "keys",
            "issuer", "status_issuer", "status_eku", "status_lists",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "broken", [{"issuer": [{}]}, {"issuers": []}, {"issuer": [{"did": DID, "mechanism": "x5c", "types": ["a"]}]},
                   {"issuer": [{"did": DID, "mechanism": "did", "types": []}]}]
    )  # fmt: skip
    def test_it_refuses_what_we_refuse(self, broken: dict[str, Any]) -> None:
        import jsonschema

        schema = json.loads((TREE / "schemas/trust.schema.json").read_text("utf-8"))
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(broken)
