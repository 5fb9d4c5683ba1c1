"""X.509 chains of issuers (RFC 5280, HAIP 1.0 §6.1.1) and our own certificates and requests (RFC 2986)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as lib
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from cityid.edge.software_keys import MemoryKeyring, SoftwareSigner
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.keys import Algorithm, x509
from cityid.keys.certify import Name, certify_issuer, certify_root, csr, pem

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ISSUER = "https://city.example"


def code(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as refusal:
        call(*args, **named)
    return refusal.value.code


def signer(algorithm: Algorithm = Algorithm.ES256) -> SoftwareSigner:
    keyring = MemoryKeyring()
    return keyring.signer(keyring.create(algorithm))


ROOT_KEY, LEAF_KEY = signer(), signer()
ROOT = certify_root(ROOT_KEY, Name("Lindau Root", "Lindau", "DE"), at=AT)
LEAF = certify_issuer(
    LEAF_KEY.public_key,
    Name("Residents' Office"),
    root=ROOT,
    signer=ROOT_KEY,
    at=AT,
    uris=[ISSUER],
    dns=["city.example"],
)


class Maker:
    """Certificates that `certify` would never make."""

    def __init__(self, name: str = "Root", curve: ec.EllipticCurve | None = None) -> None:
        self.key: Any = ec.generate_private_key(curve or ec.SECP256R1())
        self.name = lib.Name([lib.NameAttribute(NameOID.COMMON_NAME, name)])

    def certify(
        self,
        subject: Maker,
        *,
        ca: bool | None = False,
        path_length: int | None = None,
        signs: bool | None = True,
        begin: datetime = AT,
        end: datetime = AT + 30 * DAY,
        extra: tuple[tuple[lib.ExtensionType, bool], ...] = (),
        key: Any = None,
    ) -> bytes:
        builder = lib.CertificateBuilder(self.name, subject.name, (key or subject.key).public_key())
        builder = builder.serial_number(lib.random_serial_number()).not_valid_before(begin).not_valid_after(end)
        if ca is not None:
            builder = builder.add_extension(lib.BasicConstraints(ca, path_length if ca else None), critical=True)
        if signs is not None:
            usage = lib.KeyUsage(
                signs and not ca, False, not signs and not ca, False, False, bool(ca), bool(ca), False, False
            )
            builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(
            lib.SubjectKeyIdentifier.from_public_key(subject.key.public_key()), critical=False
        )
        authority = lib.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(authority, critical=False)
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def uri(text: str = ISSUER) -> tuple[lib.ExtensionType, bool]:
    return lib.SubjectAlternativeName([lib.UniformResourceIdentifier(text)]), False


TOP, MIDDLE, SIGNER = Maker("Top"), Maker("Middle"), Maker("Signer")
TOP_DER = TOP.certify(TOP, ca=True)
MIDDLE_DER = TOP.certify(MIDDLE, ca=True, path_length=0)
SIGNER_DER = MIDDLE.certify(SIGNER, extra=(uri(),))
GOOD = (SIGNER_DER, MIDDLE_DER)


class TestChain:
    def test_our_own(self) -> None:
        chain = x509.validate([LEAF], [ROOT], AT)
        assert chain.public_key == LEAF_KEY.public_key
        assert chain.subject == "CN=Residents' Office"
        assert chain.san_uris == (ISSUER,)
        assert chain.san_dns == ("city.example",)
        assert chain.authority_key_ids == (
            x509.read(ROOT).loaded.extensions.get_extension_for_class(lib.SubjectKeyIdentifier).value.digest,
        )
        assert chain.not_after == AT + timedelta(days=397)
        assert chain.root == ROOT

    def test_intermediate(self) -> None:
        chain = x509.validate(GOOD, [ROOT, TOP_DER], AT)
        assert chain.root == TOP_DER
        assert len(chain.authority_key_ids) == 2
        assert chain.not_after == AT + 30 * DAY

    def test_no_extensions_at_all(self) -> None:
        """basicConstraints and keyUsage may be missing in a leaf (RFC 5280 §4.2.1.3, §4.2.1.9)."""
        plain = MIDDLE.certify(SIGNER, ca=None, signs=None)
        chain = x509.validate([plain, MIDDLE_DER], [TOP_DER], AT)
        assert (chain.san_uris, chain.san_dns) == ((), ())

    def test_p384(self) -> None:
        root = signer(Algorithm.ES384)
        der = certify_root(root, Name("Root"), at=AT)
        leaf = certify_issuer(
            signer(Algorithm.ES384).public_key, Name("Leaf"), root=der, signer=root, at=AT, uris=[ISSUER]
        )
        assert x509.validate([leaf], [der], AT).public_key.algorithm is Algorithm.ES384

    def test_length(self) -> None:
        assert code(x509.validate, [], [ROOT], AT) == "x509.chain_length"
        assert code(x509.validate, [LEAF] * 6, [ROOT], AT) == "x509.chain_length"
        assert code(x509.validate, [LEAF] * 5, [ROOT], AT) == "trust.chain_order"

    def test_anchor_in_the_chain(self) -> None:
        assert code(x509.validate, [LEAF, ROOT], [ROOT], AT) == "trust.chain_anchor_included"
        assert code(x509.validate, [ROOT], [ROOT], AT) == "trust.chain_anchor_included"

    def test_self_signed_leaf(self) -> None:
        alone = SIGNER.certify(SIGNER, extra=(uri(),))
        assert code(x509.validate, [alone], [TOP_DER], AT) == "trust.leaf_self_signed"

    def test_leaf_is_authority(self) -> None:
        assert code(x509.validate, [MIDDLE_DER], [TOP_DER], AT) == "trust.leaf_is_ca"

    def test_leaf_used_as_authority(self) -> None:
        below = SIGNER.certify(Maker("Below"), extra=(uri(),))
        assert code(x509.validate, [below, *GOOD], [TOP_DER], AT) == "trust.chain_invalid"

    def test_key_usage(self) -> None:
        no = MIDDLE.certify(SIGNER, signs=False)
        assert code(x509.validate, [no, MIDDLE_DER], [TOP_DER], AT) == "trust.leaf_key_usage"

    def test_extended_key_usage(self) -> None:
        wanted = x509.Profile("1.0.18013.5.1.2")
        purpose = lib.ExtendedKeyUsage([lib.ObjectIdentifier("1.0.18013.5.1.2")])
        fits = MIDDLE.certify(SIGNER, extra=((purpose, True),))
        x509.validate([fits, MIDDLE_DER], [TOP_DER], AT, wanted)
        x509.validate([fits, MIDDLE_DER], [TOP_DER], AT)
        assert code(x509.validate, GOOD, [TOP_DER], AT, wanted) == "trust.leaf_extended_key_usage"

    def test_order(self) -> None:
        other = TOP.certify(Maker("Other"), ca=True)
        assert code(x509.validate, [SIGNER_DER, other, MIDDLE_DER], [TOP_DER], AT) == "trust.chain_order"
        assert code(x509.validate, [*GOOD, other], [TOP_DER], AT) == "trust.chain_order"
        low, wide = Maker("Low"), TOP.certify(MIDDLE, ca=True, path_length=1)
        chain = [low.certify(SIGNER), MIDDLE.certify(low, ca=True), wide]
        x509.validate(chain, [TOP_DER], AT)
        assert code(x509.validate, [chain[0], wide, chain[1]], [TOP_DER], AT) == "trust.chain_order"

    def test_left_over(self) -> None:
        """A certificate that the path does not need, under the name that would hide it."""
        twin = Maker("Top")
        crossed = TOP.certify(twin, ca=True)
        direct = TOP.certify(SIGNER, extra=(uri(),))
        x509.validate([direct], [TOP_DER], AT)
        assert code(x509.validate, [direct, crossed], [TOP_DER], AT) == "trust.chain_order"

    def test_path_length(self) -> None:
        low = Maker("Low")
        chain = [low.certify(SIGNER), MIDDLE.certify(low, ca=True), MIDDLE_DER]
        assert code(x509.validate, chain, [TOP_DER], AT) == "trust.chain_invalid"
        wide = TOP.certify(MIDDLE, ca=True, path_length=1)
        x509.validate([*chain[:2], wide], [TOP_DER], AT)

    def test_name_constraints(self) -> None:
        for host, fits in (("city.example", True), ("evil.example", False)):
            constraint = lib.NameConstraints([lib.DNSName("city.example")], None)
            middle = TOP.certify(MIDDLE, ca=True, extra=((constraint, True),))
            leaf = MIDDLE.certify(SIGNER, extra=((lib.SubjectAlternativeName([lib.DNSName(host)]), False),))
            if fits:
                assert x509.validate([leaf, middle], [TOP_DER], AT).san_dns == (host,)
            else:
                assert code(x509.validate, [leaf, middle], [TOP_DER], AT) == "trust.chain_invalid"

    @pytest.mark.parametrize("critical", [True, False])
    def test_unknown_extension(self, critical: bool) -> None:
        odd = lib.UnrecognizedExtension(lib.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        leaf = MIDDLE.certify(SIGNER, extra=((odd, critical),))
        if critical:
            assert code(x509.validate, [leaf, MIDDLE_DER], [TOP_DER], AT) == "trust.chain_invalid"
        else:
            x509.validate([leaf, MIDDLE_DER], [TOP_DER], AT)

    def test_signature(self) -> None:
        flipped = LEAF[:-1] + bytes([LEAF[-1] ^ 1])
        assert code(x509.validate, [flipped], [ROOT], AT) == "trust.chain_invalid"
        x509.validate([LEAF], [ROOT], AT)

    def test_roots(self) -> None:
        same_name = certify_root(signer(), Name("Lindau Root", "Lindau", "DE"), at=AT)
        assert code(x509.validate, [LEAF], [], AT) == "trust.chain_unknown_root"
        assert code(x509.validate, [LEAF], [TOP_DER], AT) == "trust.chain_unknown_root"
        assert code(x509.validate, [LEAF], [same_name], AT) == "trust.chain_invalid"
        assert x509.validate([LEAF], [same_name, ROOT], AT).root == ROOT


class TestTime:
    def test_edges(self) -> None:
        last = AT + timedelta(days=397)
        for moment in (AT, last):
            x509.validate([LEAF], [ROOT], moment)
        second = timedelta(seconds=1)
        assert code(x509.validate, [LEAF], [ROOT], AT - second) == "trust.chain_not_yet_valid"
        assert code(x509.validate, [LEAF], [ROOT], last + second) == "trust.chain_expired"

    def test_what_is_remembered_is_not_the_time(self) -> None:
        x509.validate(GOOD, [TOP_DER], AT)
        assert code(x509.validate, GOOD, [TOP_DER], AT + 31 * DAY) == "trust.chain_expired"
        x509.validate(GOOD, [TOP_DER], AT + 29 * DAY)

    def test_expired_intermediate(self) -> None:
        short = TOP.certify(MIDDLE, ca=True, end=AT + DAY)
        x509.validate([SIGNER_DER, short], [TOP_DER], AT)
        assert code(x509.validate, [SIGNER_DER, short], [TOP_DER], AT + 2 * DAY) == "trust.chain_expired"

    def test_renewed_root(self) -> None:
        """The old certificate of a root has ended, the new one has the same name and key."""
        old = TOP.certify(TOP, ca=True, end=AT + DAY)
        new = TOP.certify(TOP, ca=True, begin=AT + DAY)
        later = AT + 2 * DAY
        assert code(x509.validate, GOOD, [old], later) == "trust.chain_expired"
        assert x509.validate(GOOD, [old, new], later).root == new
        assert x509.validate(GOOD, [new, old], AT).root == old
        assert code(x509.validate, GOOD, [new], AT) == "trust.chain_not_yet_valid"
        assert x509.validate(GOOD, [old], AT).not_after == AT + DAY


class TestReading:
    def test_der(self) -> None:
        assert x509.read(LEAF).san_uris == (ISSUER,)
        for bad in (b"", b"junk", LEAF[:-1], LEAF + b"\0", b"\x30\x80", pem(LEAF, "CERTIFICATE").encode()):
            assert code(x509.read, bad) == "x509.der"
        assert code(x509.read, bytes(16_385)) == "x509.too_large"
        assert code(x509.read, bytes(16_384)) == "x509.der"

    def test_every_truncation_and_flip(self) -> None:
        """Hostile DER: a value, or one of our refusals, and nothing else."""
        for position in range(0, len(LEAF), 3):
            for changed in (LEAF[:position], LEAF[:position] + bytes([LEAF[position] ^ 0x80]) + LEAF[position + 1 :]):
                with pytest.raises((Malformed, Refused)):
                    x509.validate([changed], [ROOT], AT)

    def test_keys(self) -> None:
        big = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        for key in (big, ec.generate_private_key(ec.SECP521R1()), ec.generate_private_key(ec.SECP256K1())):
            assert code(x509.public_key, TOP.certify(SIGNER, key=key)) == "x509.key"
        assert x509.public_key(SIGNER_DER).algorithm is Algorithm.ES256

    def test_key_off_the_curve(self) -> None:
        point = LEAF_KEY.public_key.raw
        assert point in LEAF
        changed = LEAF.replace(point, point[:-1] + bytes([point[-1] ^ 1]))
        assert code(x509.public_key, changed) == "x509.key"


class TestCertify:
    def test_root_profile(self) -> None:
        loaded = x509.read(ROOT).loaded
        assert loaded.subject.rfc4514_string() == "CN=Lindau Root,O=Lindau,C=DE"
        constraints = loaded.extensions.get_extension_for_class(lib.BasicConstraints)
        assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
        usage = loaded.extensions.get_extension_for_class(lib.KeyUsage).value
        assert usage.key_cert_sign
        assert not usage.digital_signature
        loaded.verify_directly_issued_by(loaded)

    def test_leaf_profile(self) -> None:
        loaded = x509.read(LEAF).loaded
        usage = loaded.extensions.get_extension_for_class(lib.KeyUsage)
        assert usage.critical
        assert usage.value.digital_signature
        assert not usage.value.key_cert_sign
        assert not x509.read(LEAF).is_ca
        loaded.verify_directly_issued_by(x509.read(ROOT).loaded)
        assert loaded.serial_number.bit_length() == 121

    def test_path_length(self) -> None:
        assert certify_root(ROOT_KEY, Name("R"), at=AT, path_length=1)
        assert code(certify_root, ROOT_KEY, Name("R"), at=AT, path_length=2) == "x509.path_length"

    def test_serial_numbers_come_from_entropy(self) -> None:
        der = certify_root(ROOT_KEY, Name("R"), at=AT, entropy=bytes)
        assert x509.read(der).loaded.serial_number == 1 << 120

    @pytest.mark.parametrize("algorithm", [Algorithm.EDDSA, Algorithm.ES256K, Algorithm.ML_DSA_44])
    def test_algorithms(self, algorithm: Algorithm) -> None:
        other = signer(algorithm)
        assert code(certify_root, other, Name("R"), at=AT) == "x509.algorithm"
        assert code(csr, other, Name("R"), uris=[ISSUER]) == "x509.algorithm"
        assert code(issue, key=other.public_key) == "x509.algorithm"

    def test_names(self) -> None:
        for name in (Name(""), Name("x" * 65), Name("x", country="Germany")):
            with pytest.raises(Misuse, match=r"x509\.name"):
                certify_root(ROOT_KEY, name, at=AT)
        for uris, dns in (([], []), (["https://städtchen.example"], []), ([], ["städtchen.example"])):
            assert code(issue, uris=uris, dns=dns) == "x509.alternative_name"

    def test_lifetime(self) -> None:
        assert issue(lifetime=timedelta(days=3653))
        assert code(issue, lifetime=timedelta(days=3653, seconds=1)) == "x509.outlives_root"
        assert code(issue, at=AT - DAY) == "x509.outlives_root"
        assert code(issue, signer=LEAF_KEY) == "x509.not_the_roots_key"

    @pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384])
    def test_request(self, algorithm: Algorithm) -> None:
        mine = signer(algorithm)
        long = [f"https://city.example/{'x' * 300}"]
        request = lib.load_der_x509_csr(csr(mine, Name("Office", "Lindau", "DE"), uris=long, dns=["city.example"]))
        assert request.is_signature_valid
        assert request.subject.rfc4514_string() == "CN=Office,O=Lindau,C=DE"
        names = request.extensions.get_extension_for_class(lib.SubjectAlternativeName).value
        assert names.get_values_for_type(lib.UniformResourceIdentifier) == long
        assert names.get_values_for_type(lib.DNSName) == ["city.example"]
        point = request.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        assert point == mine.public_key.raw

    def test_extended_key_usages(self) -> None:
        """RFC 5280 §4.2.1.12: none unless asked for."""
        usages = ["1.3.6.1.4.1.99999.1", "2.999.1"]
        for asked in ([], usages):
            assert x509.read(issue(usages=asked)).extended_key_usages == tuple(asked)
            request = lib.load_der_x509_csr(csr(signer(), Name("Office"), uris=[ISSUER], usages=asked))
            assert request.is_signature_valid
            found = [one for one in request.extensions if one.oid == lib.oid.ExtensionOID.EXTENDED_KEY_USAGE]
            assert [one.dotted_string for one in found[0].value] == usages if asked else not found

    @pytest.mark.parametrize("text", ["0.9", "1.3.6.1.4.1.99999.1", "2.999"])
    def test_identifiers(self, text: str) -> None:
        assert x509.OID.fullmatch(text)

    @pytest.mark.parametrize("text", ["", "1", "3.1", "1.", "1.02", "1..2", "1.2 ", "1.x"])
    def test_other_identifiers(self, text: str) -> None:
        assert not x509.OID.fullmatch(text)

    @pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
    def test_openssl_agrees(self, tmp_path: Path) -> None:
        for name, text in (
            ("root", pem(ROOT, "CERTIFICATE")),
            ("leaf", pem(LEAF, "CERTIFICATE")),
            ("request", pem(csr(LEAF_KEY, Name("Office"), uris=[ISSUER]), "CERTIFICATE REQUEST")),
        ):
            (tmp_path / name).write_text(text)
        at = str(int((AT + DAY).timestamp()))
        for command in (
            ["openssl", "verify", "-x509_strict", "-attime", at, "-CAfile", "root", "leaf"],
            ["openssl", "req", "-verify", "-noout", "-in", "request"],
        ):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def issue(**changes: Any) -> bytes:
    asked: dict[str, Any] = {"root": ROOT, "signer": ROOT_KEY, "at": AT, "uris": [ISSUER], "key": LEAF_KEY.public_key}
    asked |= changes
    return certify_issuer(asked.pop("key"), Name("Office"), **asked)
