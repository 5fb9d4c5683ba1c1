"""SD-JWT VC with software by others, in every pairing of roles; each cell with damaged twins that are refused.

    cell              issues    presents   verifies
    theirs_issues     they      we         we
    theirs_presents   we        they       we
    theirs_verifies   we        we         they

What a peer cannot do stands in `GAPS`, and is shown to be so.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid import query as dcql
from cityid.checks import Accepted, Outcome, Verdict
from cityid.credential import Challenge, Draft, KeyRef, WebIssuer, Window
from cityid.credential_type import CredentialType, Path
from cityid.edge.recorded import offline
from cityid.edge.software_keys import SoftwareSigner, load
from cityid.encoding import base64url
from cityid.errors import Malformed
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.jose import sd_jwt
from cityid.keys import Algorithm, jwk
from cityid.policy import Policy
from cityid.trust import TrustEntry, TrustList
from cityid.verifying import verify
from tests.credentials import VCT, WEB, credential_type
from tests.interop.peers import No, Node, Npm, Peer, PyPi

AT = datetime.now(UTC).replace(microsecond=0)  # a peer takes the time from the clock
NOW = int(AT.timestamp())
START, END = AT - timedelta(hours=1), AT + timedelta(days=1)
AUDIENCE, NONCE = "x509_san_dns:library.lindau.example", "n-0S6_WzA2Mj-7f3c91d2"
ALGORITHMS = (Algorithm.ES256, Algorithm.EDDSA, Algorithm.ES384)

CLAIMS: dict[str, Any] = {
    "given_name": "Zoë 柳",
    "age_over_18": True,
    "address": {"locality": "Lindau (Bodensee)", "postal_code": "88131"},
    "nationalities": ["DE", "FR"],
    "place_of_birth": {"locality": "Åbo", "country": "FI"},
    "municipality": "Lindau",
}
HIDE: dict[str, Any] = {
    "given_name": True,
    "age_over_18": True,
    "address": {"locality": True, "postal_code": True},
    "nationalities": {"0": True, "1": True},
    # hidden as a whole, and a part of it again inside
    "place_of_birth": {"": True, "locality": True},
}
HIDEABLE: tuple[Path, ...] = (
    ("given_name",), ("age_over_18",), ("address", "locality"), ("address", "postal_code"), ("nationalities", None),
    ("place_of_birth",), ("place_of_birth", "locality"),
)  # fmt: skip
SHOW: dict[str, Any] = {
    "given_name": True,
    "address": {"locality": True},
    "nationalities": {"1": True},
    "place_of_birth": {"locality": True},
}
PATHS: tuple[Path, ...] = (
    ("given_name",), ("address", "locality"), ("nationalities", 1), ("place_of_birth",), ("place_of_birth", "locality"),
)  # fmt: skip
SHOWN = {
    "given_name": "Zoë 柳",
    "address": {"locality": "Lindau (Bodensee)"},
    "nationalities": ["FR"],
    "place_of_birth": {"locality": "Åbo", "country": "FI"},
}
ASKED = [["given_name"], ["address", "locality"], ["nationalities", None], ["place_of_birth"]]

GAPS: dict[tuple[str, str], str] = {
    # (peer, what it accepts or cannot do): why
    ("sd-jwt", "expired"): "looks at no time (verifier.py: `TODO: Check exp/nbf/iat`)",
    ("sd-jwt", "sha-512"): "knows sha-256 alone (common.py: HASH_ALG)",
    ("sd-jwt", "binding by EdDSA"): "takes bindings by ES256 alone (verifier.py: `sign_alg or DEFAULT_SIGNING_ALG`)",
    ("sd-jwt", "binding by ES384"): "takes bindings by ES256 alone (verifier.py: `sign_alg or DEFAULT_SIGNING_ALG`)",
    ("sd-jwt", "binding in JSON"): "its sd_hash covers the JSON text, where RFC 9901 §4.3.1 has the compact form",
    ("sd-jwt", "flattened"): "wants `disclosures` beside `payload`, where drafts before RFC 9901 §8.1 had it",
    ("@sd-jwt/core", "audience"): "hands `aud` out and compares nothing (kbjwt.ts)",
    ("@sd-jwt/sd-jwt-vc", "audience"): "hands `aud` out and compares nothing (kbjwt.ts)",
}


class Keys:
    """Fresh keys of one algorithm, for us and as the private JWKs that peers take."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.algorithm = algorithm
        self.alg = algorithm.value
        self.issuer, self.issuer_jwk = self._made()
        self.holder, self.holder_jwk = self._made()
        self.public = jwk.write(self.issuer.public_key)

    def _made(self) -> tuple[SoftwareSigner, dict[str, str]]:
        secret = secrets.token_bytes(48 if self.algorithm is Algorithm.ES384 else 32)
        made = load(self.algorithm, secret)
        assert isinstance(made, SoftwareSigner)
        return made, {**jwk.write(made.public_key), "d": base64url.encode(secret)}

    @property
    def ref(self) -> KeyRef:
        return KeyRef(WebIssuer(WEB, "issuer-1"))

    @property
    def cnf(self) -> dict[str, str]:
        return jwk.write(self.holder.public_key)


def _peers() -> Iterator[Any]:
    yield pytest.param("sd-jwt", marks=pytest.mark.interop)
    for name in ("@sd-jwt/core", "@sd-jwt/sd-jwt-vc"):
        yield pytest.param(name, marks=pytest.mark.interop("npm"))


@pytest.fixture(params=list(_peers()))
def peer(request: pytest.FixtureRequest) -> Peer:
    if request.param == "sd-jwt":
        return PyPi()
    node: Node = request.getfixturevalue("node")
    return Npm(node, "core" if request.param == "@sd-jwt/core" else "vc", request.param)


@pytest.fixture(params=ALGORITHMS, ids=lambda algorithm: algorithm.value)
def keys(request: pytest.FixtureRequest) -> Keys:
    return Keys(request.param)


# -- our three roles --


def our_type() -> CredentialType:
    return credential_type(*HIDEABLE)


def we_issue(keys: Keys) -> str:
    draft = Draft(our_type(), WEB, keys.ref, CLAIMS, keys.holder.public_key, Window(START, END))
    return SD_JWT_VC.issue(draft, keys.issuer, at=AT, entropy=secrets.token_bytes).raw.decode()


def we_present(keys: Keys, token: str) -> str:
    """As a wallet does: the card is checked before it is kept, and read from what was kept."""
    card = SD_JWT_VC.read(token.encode())
    checks = SD_JWT_VC.check_issued(card, {keys.ref: keys.issuer.public_key}, AT)
    assert [check.outcome for check in checks] == [Outcome.PASSED], checks
    challenge = Challenge(AUDIENCE, NONCE)
    return SD_JWT_VC.present(card, PATHS, challenge, keys.holder, at=AT, entropy=secrets.token_bytes).decode()


def we_verify(keys: Keys, raw: str, *, audience: str = AUDIENCE, nonce: str = NONCE, at: datetime = AT) -> Verdict:
    pinned = {"issuer-1": keys.issuer.public_key}
    trust = TrustList((TrustEntry("web", (VCT,), web=WEB, keys=pinned, status="none"),))
    item = {"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [{"path": p} for p in ASKED]}
    policy = Policy("test", dcql.read({"credentials": [item]}), {}, {}, trust)
    return verify(raw.encode(), "dc+sd-jwt", Challenge(audience, nonce), policy, at).run(offline)


def they_issue(peer: Peer, keys: Keys, **more: Any) -> str:
    claims = {"iss": WEB, "vct": VCT, "iat": NOW - 3600, "exp": NOW + 86400, **CLAIMS}
    header = {"kid": "issuer-1"}
    return peer.issue(claims, HIDE, keys.issuer_jwk, keys.cnf, alg=keys.alg, header=header, **more)


def they_present(peer: Peer, keys: Keys, token: str, **more: Any) -> str:
    return peer.present(token, SHOW, keys.holder_jwk, alg=keys.alg, audience=AUDIENCE, nonce=NONCE, at=NOW, **more)


def they_verify(
    peer: Peer,
    keys: Keys,
    token: Any,
    *,
    audience: str = AUDIENCE,
    nonce: str = NONCE,
    at: int = NOW,
    bound: bool = True,
) -> Mapping[str, Any]:
    audience, nonce = (audience, nonce) if bound else ("", "")
    return peer.verify(token, keys.public, alg=keys.alg, audience=audience, nonce=nonce, at=at)


def accepted(verdict: Verdict) -> None:
    assert isinstance(verdict, Accepted), verdict
    assert verdict.claims == SHOWN


# -- damage --


def change(part: int, mark: str) -> Callable[[str], str]:
    """Another character in the middle of one part, so that the length stays and the text still decodes."""

    def changed(token: str) -> str:
        parts = token.split(mark)
        at = len(parts[part]) // 2
        at -= at % 4  # a first character of four: no unused bits
        parts[part] = parts[part][:at] + ("B" if parts[part][at] != "B" else "C") + parts[part][at + 1 :]
        return mark.join(parts)

    return changed


def _without_a_disclosure(token: str) -> str:
    issued, _, *rest = token.split("~")
    return "~".join([issued, *rest])


def _signature_of_issuer(token: str) -> str:
    issued, *rest = token.split("~")
    return "~".join([change(2, ".")(issued), *rest])


def _unbound(token: str) -> str:
    return token[: token.rindex("~") + 1]


DAMAGE: dict[str, Callable[[str], str]] = {
    "issuer's signature": _signature_of_issuer,
    "payload": change(1, "."),
    "disclosure": change(1, "~"),
    "disclosure left out": _without_a_disclosure,
    "binding's signature": change(-1, "."),
    "binding's payload": change(-2, "."),
    "binding left out": _unbound,
}
CODES = {
    "issuer's signature": {"signature.invalid"},
    "payload": {"json.syntax", "json.not_utf8", "signature.invalid", "sd_jwt.unreferenced"},
    "disclosure": {"sd_jwt.unreferenced"},
    "disclosure left out": {"binding.sd_hash", "sd_jwt.unreferenced"},
    "binding's signature": {"binding.signature"},
    "binding's payload": {"json.syntax", "json.not_utf8", "binding.sd_hash", "binding.claim", "binding.signature"},
    "binding left out": {"binding.missing"},
}
EXPECTED: dict[str, tuple[dict[str, Any], str]] = {
    # what the verifier expects instead, and our code for it
    "audience": ({"audience": "x509_san_dns:bar.lindau.example"}, "binding.audience"),
    "nonce": ({"nonce": "n-another-one-0000000"}, "binding.nonce"),
    "expired": ({"at": AT + timedelta(days=3)}, "binding.too_old"),
}


def we_refuse_each_damage(keys: Keys, shown: str) -> None:
    for name, damage in DAMAGE.items():
        verdict = we_verify(keys, damage(shown))
        assert not verdict, name
        assert verdict.reason.code in CODES[name], name
    for name, (instead, code) in EXPECTED.items():
        verdict = we_verify(keys, shown, **instead)
        assert not verdict, name
        assert verdict.reason.code == code, name


class TestTheirsIssues:
    def test_we_take_it_present_it_and_verify_it(self, peer: Peer, keys: Keys) -> None:
        shown = we_present(keys, they_issue(peer, keys))
        accepted(we_verify(keys, shown))
        we_refuse_each_damage(keys, shown)

    @pytest.mark.parametrize("damage", ["issuer's signature", "payload", "disclosure"])
    def test_a_damaged_card_is_not_taken(self, peer: Peer, keys: Keys, damage: str) -> None:
        card = DAMAGE[damage](they_issue(peer, keys))
        assert _judged(keys, card) in CODES[damage]

    @pytest.mark.parametrize("hash", ["sha-384", "sha-512"])
    def test_other_hash_functions(self, peer: Peer, hash: str) -> None:
        keys = Keys(Algorithm.ES256)
        if isinstance(peer, PyPi):
            assert (peer.name, "sha-512") in GAPS
            assert PyPi.issue.__kwdefaults__ == {"decoys": False, "form": "compact"}
            pytest.skip(GAPS[peer.name, "sha-512"])
        shown = we_present(keys, they_issue(peer, keys, hash=hash))
        assert sd_jwt.read(shown, typ="dc+sd-jwt").processed.hash.name == hash
        accepted(we_verify(keys, shown))
        we_refuse_each_damage(keys, shown)


def _judged(keys: Keys, card: str) -> str:
    """The code of what a wallet finds wrong with a card."""
    try:
        read = SD_JWT_VC.read(card.encode())
    except Malformed as error:
        return error.code
    (check,) = SD_JWT_VC.check_issued(read, {keys.ref: keys.issuer.public_key}, AT)
    return "" if check.problem is None else check.problem.code


class TestTheirsPresents:
    def test_what_we_issued(self, peer: Peer, keys: Keys) -> None:
        shown = they_present(peer, keys, we_issue(keys))
        accepted(we_verify(keys, shown))
        we_refuse_each_damage(keys, shown)


class TestTheirsVerifies:
    def test_what_we_issued_and_presented(self, peer: Peer, keys: Keys) -> None:
        shown = we_present(keys, we_issue(keys))
        if (peer.name, f"binding by {keys.alg}") in GAPS:
            with pytest.raises(No, match=r"requested .ES256."):
                they_verify(peer, keys, shown)
            shown, bound = _unbound(shown), False
        else:
            bound = True
        found = they_verify(peer, keys, shown, bound=bound)
        assert {name: found[name] for name in SHOWN} == SHOWN
        assert "age_over_18" not in found

    @pytest.mark.parametrize("damage", DAMAGE)
    def test_a_damaged_one_is_refused(self, peer: Peer, keys: Keys, damage: str) -> None:
        shown = we_present(keys, we_issue(keys))
        with pytest.raises(No):
            they_verify(peer, keys, DAMAGE[damage](shown))

    @pytest.mark.parametrize("expected", EXPECTED)
    def test_another_expectation_is_refused(self, peer: Peer, keys: Keys, expected: str) -> None:
        shown = we_present(keys, we_issue(keys))
        instead = dict(EXPECTED[expected][0])
        if "at" in instead:
            instead["at"] = int(instead["at"].timestamp())
        if (peer.name, f"binding by {keys.alg}") in GAPS:
            pytest.skip(GAPS[peer.name, f"binding by {keys.alg}"])
        if (peer.name, expected) in GAPS:
            assert they_verify(peer, keys, shown, **instead)  # the gap is still there
            return
        with pytest.raises(No):
            they_verify(peer, keys, shown, **instead)


class TestJsonSerialisations:
    """RFC 9901 §8: flattened and general."""

    @pytest.mark.interop
    def test_theirs_from_pypi(self) -> None:
        """The peer puts `disclosures` and `kb_jwt` beside `payload`, as drafts had it; we read both places."""
        peer, keys = PyPi(), Keys(Algorithm.ES256)
        card = they_issue(peer, keys, form="json")
        assert "disclosures" in json.loads(card)
        accepted(we_verify(keys, we_present(keys, card)))
        other = json.loads(card)
        other["disclosures"][0] = change(0, "~")(other["disclosures"][0])
        with pytest.raises(Malformed, match=r"sd_jwt\.unreferenced"):
            SD_JWT_VC.read(json.dumps(other).encode())

    @pytest.mark.interop
    def test_bound_by_pypi(self) -> None:
        peer, keys = PyPi(), Keys(Algorithm.ES256)
        assert ("sd-jwt", "binding in JSON") in GAPS
        shown = they_present(peer, keys, they_issue(peer, keys, form="json"), form="json")
        refused = we_verify(keys, shown)
        assert not refused
        assert refused.reason.code == "binding.sd_hash"

    @pytest.mark.interop
    def test_ours_at_pypi(self) -> None:
        peer, keys = PyPi(), Keys(Algorithm.ES256)
        assert ("sd-jwt", "flattened") in GAPS
        with pytest.raises(No, match="disclosures"):
            they_verify(peer, keys, _flattened(we_present(keys, we_issue(keys))))

    @pytest.mark.interop("npm")
    @pytest.mark.parametrize("kind", ["core", "vc"])
    def test_theirs_from_npm(self, node: Node, kind: str) -> None:
        peer, keys = Npm(node, kind, kind), Keys(Algorithm.ES256)
        shown = dict(peer.flatten(they_present(peer, keys, we_issue(keys))))
        accepted(we_verify(keys, json.dumps(shown)))
        shown["header"]["disclosures"].pop()
        refused = we_verify(keys, json.dumps(shown))
        assert not refused
        assert refused.reason.code in {"binding.sd_hash", "sd_jwt.unreferenced"}

    @pytest.mark.interop("npm")
    @pytest.mark.parametrize("kind", ["core", "vc"])
    @pytest.mark.parametrize("form", [sd_jwt.flattened, sd_jwt.general], ids=["flattened", "general"])
    def test_ours_at_npm(self, node: Node, kind: str, form: Callable[[sd_jwt.SdJwt], dict[str, Any]]) -> None:
        peer, keys = Npm(node, kind, kind), Keys(Algorithm.ES256)
        shown = form(sd_jwt.read(we_present(keys, we_issue(keys)), typ="dc+sd-jwt"))
        found = they_verify(peer, keys, shown)
        assert {name: found[name] for name in SHOWN} == SHOWN
        header = shown["header"] if "header" in shown else shown["signatures"][0]["header"]
        header["disclosures"].pop()
        with pytest.raises(No):
            they_verify(peer, keys, shown)


def _flattened(shown: str) -> dict[str, Any]:
    return sd_jwt.flattened(sd_jwt.read(shown, typ="dc+sd-jwt"))


@pytest.mark.interop
def test_decoys_from_pypi() -> None:
    peer, keys = PyPi(), Keys(Algorithm.ES256)
    shown = we_present(keys, they_issue(peer, keys, decoys=True))
    accepted(we_verify(keys, shown))
    we_refuse_each_damage(keys, shown)


@pytest.mark.interop("npm")
def test_the_peers_are_those_that_are_pinned(node: Node) -> None:
    versions = node.ask(op="versions")
    assert versions["@sd-jwt/core"].startswith("0.19.")
    assert versions["@sd-jwt/sd-jwt-vc"].startswith("0.19.")
    assert versions["dcql"].startswith("3.")
