"""PyPI `openvc-core` in what is signed as JWTs: SD-JWT VC, the JWT encoding of VCDM 1.1, status lists of both kinds.
Its Data Integrity proofs are in test_w3c.py, its reader of histories in test_webvh.py."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cityid import query as dcql
from cityid.checks import Outcome, Verdict
from cityid.credential import DidUrl, Draft, KeyRef, WebIssuer, Window
from cityid.edge.recorded import offline
from cityid.encoding import base64url, json
from cityid.errors import Refused
from cityid.formats import FORMATS
from cityid.keys import Algorithm, jwk
from cityid.policy import Policy
from cityid.status import bitstring_status_list as bitstring
from cityid.status import list_credential
from cityid.status import token_status_list as tokens
from cityid.trust import TrustEntry, TrustList
from cityid.verifying import verify
from tests.credentials import VCT, WEB, credential_type
from tests.interop import openvc_peer as peer
from tests.interop.peers import No
from tests.interop.w3c_cells import ASKED, AT, AUDIENCE, END, EXPECTED, NONCE, START
from tests.interop.w3c_gaps import GAPS, OPENVC
from tests.interop.w3c_peers import Key

pytestmark = pytest.mark.interop("long")

IRI, VC = "urn:cityid:residency:1", "https://www.w3.org/2018/credentials#VerifiableCredential"
CLAIMS = {"given_name": "Zoë 柳", "family_name": "Liu", "age_over_18": True, "municipality": "Lindau"}
SHOWN = {"given_name": "Zoë 柳", "age_over_18": True}
HIDEABLE = (("given_name",), ("family_name",), ("age_over_18",))
NAMES = {
    "dc+sd-jwt": {"vct": VCT},
    "jwt_vc_json": {"type": ["VerifiableCredential", "ResidencyCredential"], "types": (IRI, VC)},
}
DAY = timedelta(days=1)


@pytest.fixture(params=[Algorithm.ES256, Algorithm.EDDSA, Algorithm.ES384], ids=lambda one: one.value, scope="module")
def keys(request: pytest.FixtureRequest) -> tuple[Key, Key]:
    """The city's, and the resident's."""
    return Key.new(request.param), Key.new(request.param)


def public(key: Key) -> dict[str, str]:
    return jwk.write(key.signer.public_key)


def flipped(token: str, part: int) -> str:
    """Another bit in one part of a JWT."""
    parts = token.split(".")
    raw = bytearray(base64url.decode(parts[part]))
    raw[len(raw) // 2] ^= 1
    return ".".join([*parts[:part], base64url.encode(bytes(raw)), *parts[part + 1 :]])


def judged(name: str, raw: str, entry: TrustEntry, meta: Any, prefix: tuple[str, ...], **more: Any) -> Verdict:
    claims = [{"path": [*prefix, one]} for one in SHOWN]
    query = dcql.read({"credentials": [{"id": "card", "format": name, "meta": meta, "claims": claims}]})
    policy = Policy("test", query, {}, {}, TrustList((entry,)))
    given = {"challenge": ASKED, "at": AT, **more}
    return verify(raw.encode(), name, given["challenge"], policy, given["at"]).run(offline)


def expected(judge: Callable[..., Verdict], codes: tuple[str, ...]) -> None:
    """What the verifier expects instead, and our codes for it in the order of `EXPECTED`."""
    for instead, code in zip(EXPECTED.values(), codes, strict=True):
        verdict = judge(**instead)
        assert not verdict
        assert verdict.reason.code == code


class TestSdJwtVc:
    FORM = FORMATS["dc+sd-jwt"]
    REF = KeyRef(WebIssuer(WEB, "issuer-1"))

    def verdict(self, city: Key, raw: str, **more: Any) -> Verdict:
        entry = TrustEntry("web", (VCT,), web=WEB, keys={"issuer-1": city.signer.public_key}, status="none")
        return judged("dc+sd-jwt", raw, entry, {"vct_values": [VCT]}, (), **more)

    def card(self, city: Key, holder: Key) -> str:
        kind = credential_type(*HIDEABLE, names=NAMES)
        draft = Draft(kind, WEB, self.REF, CLAIMS, holder.signer.public_key, Window(START, END))
        return self.FORM.issue(draft, city.signer, at=AT, entropy=secrets.token_bytes).raw.decode()

    def shown(self, card: str, holder: Key) -> str:
        paths = [(name,) for name in SHOWN]
        read = self.FORM.read(card.encode())
        return self.FORM.present(read, paths, ASKED, holder.signer, at=AT, entropy=secrets.token_bytes).decode()

    def test_they_issue(self, keys: tuple[Key, Key]) -> None:
        city, holder = keys
        claims = {**CLAIMS, "iss": WEB, "vct": VCT, "exp": int(END.timestamp())}
        card = peer.sd_jwt(claims, [path[0] for path in HIDEABLE], city, "issuer-1", public(holder))
        token = self.shown(card, holder)
        verdict = self.verdict(city, token)
        assert verdict, verdict
        assert verdict.claims == SHOWN
        self.refused_here(city, token)

    def test_they_present(self, keys: tuple[Key, Key]) -> None:
        """It shows all that it was given; what is hidden is left out before."""
        city, holder = keys
        card = self.card(city, holder)
        token = peer.bind_sd_jwt(card, holder, AUDIENCE, NONCE)
        verdict = self.verdict(city, token)
        assert verdict, verdict
        self.refused_here(city, token)

    def refused_here(self, city: Key, token: str) -> None:
        issued, *disclosures, binding = token.split("~")
        for damaged, code in (
            ([flipped(issued, 2), *disclosures, binding], "signature.invalid"),
            ([issued, *disclosures[1:], binding], "binding.sd_hash"),
            ([issued, *disclosures, flipped(binding, 2)], "binding.signature"),
            ([issued, *disclosures, ""], "binding.missing"),
        ):
            verdict = self.verdict(city, "~".join(damaged))
            assert not verdict
            assert verdict.reason.code == code
        codes = ("binding.nonce", "binding.audience", "binding.too_old", "binding.ahead")
        expected(lambda **more: self.verdict(city, token, **more), codes)

    def test_they_verify(self, keys: tuple[Key, Key]) -> None:
        city, holder = keys
        token = self.shown(self.card(city, holder), holder)
        found = peer.verify_sd_jwt(token, public(city), AUDIENCE, NONCE)
        assert {name: found.get(name) for name in CLAIMS if name != "family_name"} == {
            **SHOWN, "municipality": "Lindau",
        }  # fmt: skip
        assert "family_name" not in found
        issued, *disclosures, binding = token.split("~")
        for damaged in (
            [flipped(issued, 2), *disclosures, binding],
            [issued, *disclosures[1:], binding],
            [issued, *disclosures, flipped(binding, 2)],
            [issued, *disclosures, ""],
        ):
            with pytest.raises(No, match=r"SignatureInvalid|ClaimsInvalid"):
                peer.verify_sd_jwt("~".join(damaged), public(city), AUDIENCE, NONCE)
        for audience, nonce in ((AUDIENCE, NONCE[:-1]), (AUDIENCE[:-1], NONCE)):
            with pytest.raises(No, match="ClaimsInvalid"):
                peer.verify_sd_jwt(token, public(city), audience, nonce)


class TestJwtVcJson:
    """VCDM 1.1 §6.3.1."""

    FORM = FORMATS["jwt_vc_json"]

    def verdict(self, city: Key, raw: str, **more: Any) -> Verdict:
        entry = TrustEntry("did", (IRI,), did=city.did, status="none")
        return judged("jwt_vc_json", raw, entry, {"type_values": [[IRI]]}, ("credentialSubject",), **more)

    def card(self, city: Key, holder: Key) -> str:
        ref = KeyRef(DidUrl(city.did, city.did.removeprefix("did:key:")))
        kind = credential_type(*HIDEABLE, names=NAMES)
        draft = Draft(kind, city.did, ref, CLAIMS, holder.signer.public_key, Window(START, END))
        return self.FORM.issue(draft, city.signer, at=AT, entropy=secrets.token_bytes).raw.decode()

    def shown(self, card: str, holder: Key) -> str:
        read = self.FORM.read(card.encode())
        return self.FORM.present(read, (), ASKED, holder.signer, at=AT, entropy=secrets.token_bytes).decode()

    def test_they_issue(self, keys: tuple[Key, Key]) -> None:
        city, holder = keys
        document = {**body(self.card(city, holder))["vc"], "issuer": city.did}
        document["credentialSubject"] = {"id": holder.did, **document["credentialSubject"]}
        card = peer.vc_jwt(document, city, 86_400)
        read = self.FORM.read(card.encode())
        (check,) = self.FORM.check_issued(read, {read.signed_by[0]: city.signer.public_key}, AT)
        assert check.outcome is Outcome.PASSED
        token = self.shown(card, holder)
        verdict = self.verdict(city, token)
        assert verdict, verdict
        assert verdict.claims == {"credentialSubject": SHOWN}
        verdict = self.verdict(city, self.shown(flipped(card, 2), holder))
        assert not verdict
        assert verdict.reason.code == "signature.invalid"

    def test_they_verify(self, keys: tuple[Key, Key]) -> None:
        city, holder = keys
        card = self.card(city, holder)
        token = self.shown(card, holder)
        assert self.verdict(city, token)
        peer.verify_vp_jwt(token, AUDIENCE, NONCE)
        for damaged in (flipped(token, 2), self.shown(flipped(card, 2), holder)):
            with pytest.raises(No, match="SignatureInvalid"):
                peer.verify_vp_jwt(damaged, AUDIENCE, NONCE)
        for audience, nonce in ((AUDIENCE, NONCE[:-1]), (AUDIENCE[:-1], NONCE)):
            with pytest.raises(No, match=r"PresentationBindingError|ClaimsInvalid|audience|nonce"):
                peer.verify_vp_jwt(token, audience, nonce)

    def test_they_present(self, keys: tuple[Key, Key]) -> None:
        """With the context of VCDM 2.0, which has no such encoding; with that of 1.1 it would be good."""
        assert (OPENVC, "context of VP-JWT") in GAPS
        city, holder = keys
        token = peer.vp_jwt([self.card(city, holder)], holder, AUDIENCE, NONCE)
        verdict = self.verdict(city, token)
        assert not verdict
        assert verdict.reason.code == "json.not_an_object"
        claims = body(token)
        claims["vp"]["@context"] = ["https://www.w3.org/2018/credentials/v1"]
        header = token.split(".")[0]
        signing = f"{header}.{base64url.encode(json.write(claims))}"
        again = f"{signing}.{base64url.encode(holder.signer.sign(signing.encode()))}"
        verdict = self.verdict(city, again)
        assert verdict, verdict
        codes = ("binding.nonce", "binding.audience", "binding.too_old", "binding.ahead")
        expected(lambda **more: self.verdict(city, again, **more), codes)


def body(token: str) -> Any:
    return json.read_object(base64url.decode(token.split(".")[1]))


READ = list_credential.READERS["application/vc"]
URI = "https://id.lindau.example/status/3"
VALUES = {0: 1, 7: 1, 8: 1, 4711: 1, 131_071: 1}
PLACES = (*VALUES, 1, 9, 4710)


class TestTokenStatusList:
    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_in_both_directions(self, keys: tuple[Key, Key], bits: int) -> None:
        city, thief = keys
        values = {place: (number % ((1 << bits) - 1)) + 1 for number, place in enumerate(VALUES)}
        packed = tokens.build(values, bits=bits, size=131_072)
        place = DidUrl(city.did, city.did.removeprefix("did:key:"))
        ours = tokens.issue(packed, URI, city.signer, signed_by=place, at=AT, lifetime=DAY, ttl=DAY).decode()
        assert peer.read_status_token(ours, public(city), URI, PLACES) == [values.get(one, 0) for one in PLACES]
        for damaged, key, uri in ((flipped(ours, 2), city, URI), (ours, thief, URI), (ours, city, URI + "0")):
            with pytest.raises(No, match=r"SignatureInvalid|token sub"):
                peer.read_status_token(damaged, public(key), uri, PLACES)

        theirs = peer.status_token(values, bits, 131_072, URI, city, AT, END)
        read = tokens.read(theirs.encode(), "jwt")
        read.check(city.signer.public_key)
        found = read.entries()
        assert [found[one] for one in PLACES] == [values.get(one, 0) for one in PLACES]
        assert (read.uri, read.iat, read.exp, read.ttl) == (URI, AT, END, DAY)
        with pytest.raises(Refused, match=r"signature\.invalid"):
            tokens.read(flipped(theirs, 2).encode(), "jwt").check(city.signer.public_key)


class TestBitstringStatusList:
    def test_in_both_directions(self) -> None:
        """As a credential with a proof inside."""
        city = Key.new(Algorithm.EDDSA)
        packed = bitstring.build(VALUES, size=131_072)
        ours = bitstring.credential(packed, URI, issuer=city.did, at=AT, lifetime=DAY, ttl=DAY)
        assert peer.read_bitstring(ours, PLACES) == [VALUES.get(one, 0) for one in PLACES]
        theirs = peer.bitstring_list(list(VALUES), 131_072, URI, city, START, END)
        read = READ(json.write(theirs))
        read.check(city.signer.public_key)
        found = read.entries()
        assert [found[one] for one in PLACES] == [VALUES.get(one, 0) for one in PLACES]
        theirs["credentialSubject"]["encodedList"] = bitstring.build({}, size=131_072).encoded
        with pytest.raises(Refused, match=r"signature\.invalid"):
            READ(json.write(theirs)).check(city.signer.public_key)
