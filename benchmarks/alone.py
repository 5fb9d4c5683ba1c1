"""The SD-JWT and DCQL cases without the shared harness: a stand-in for its `benchlib`, and a floor of our own.

The floor does the unavoidable cryptography of each case and nothing else, with the counts of the shared one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import secrets
import statistics
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
POOL = 16
ENTRIES = 1_000_000
CRED: dict[str, Any] = {
    "vct": "https://city.example/vct/residency/1",
    "issuer": "https://id.city.example",
    "claims": {
        "given_name": "Imke",
        "family_name": "de Vries-Yılmaz",
        "birth_date": "1991-09-03",
        "age_equal_or_over": {"16": True, "18": True, "21": True, "65": False},
        "address": {
            "street_address": "Kastanjelaan",
            "house_number": "118-A",
            "postal_code": "1055 AB",
            "locality": "Amsterdam",
            "district": "West",
        },
        "nationalities": ["NL", "TR"],
        "resident_since": "2015-02-01",
        "resident_id": "AMS-2015-0000001",
        "expiry_date": "2033-01-31",
    },
    "present": ["given_name", "age_equal_or_over.18", "address.locality"],
    "aud": "https://verifier.example/library",
    "nonce": "n-4T8_KqB5Nk-2e6d03a9",
}
FLOOR = {"sdjwt.present-held.es256": "sdjwt.present.es256", "sdjwt.verify-strangers.es256": "sdjwt.verify.es256"}


def rotate(pool: Any) -> Callable[[], Any]:
    return cycle(pool).__next__


def must_fail(function: Callable[..., Any], *args: Any) -> None:
    try:
        answer = function(*args)
    except Exception:
        return
    assert not answer, "a damaged input was accepted"


def damage_b64(token: str, part: int = -1, sep: str = ".") -> str:
    parts = token.split(sep)
    at = len(parts[part]) // 2
    parts[part] = parts[part][:at] + ("A" if parts[part][at] != "A" else "B") + parts[part][at + 1 :]
    return sep.join(parts)


class Fixtures:
    """What the shared harness makes, made by us: keys, issued cards, presentations, a wallet, DIDs."""

    def __init__(self) -> None:
        self.cred = CRED
        self.now = int(datetime.now(UTC).timestamp())
        self.keys: dict[str, Any] = {}
        self.files: dict[str, Any] = {"dids.json": self._dids(), "wallet.json": self._wallet()}
        drawn = random.Random(1)
        revoked = sorted(drawn.sample(range(ENTRIES), ENTRIES // 100))
        valid = [index + 1 for index in revoked[:520] if index + 1 not in set(revoked)][:512]
        self.files["statuslist.json"] = {"revoked": revoked, "probe": revoked[:512] + valid}

    def json(self, name: str) -> Any:
        return self.files[name]

    def pool(self, name: str) -> list[str]:
        pool: list[str] = self.files[name]["pool"]
        return pool

    def fill(self, adapter: ModuleType) -> None:
        """Keys, then cards and presentations with them."""
        from cityid.edge.signers import load, new_secret
        from cityid.encoding import base64url
        from cityid.keys import jwk

        for kind, algorithm in adapter.KINDS.items():
            for who in ("issuer", "holder"):
                secret = new_secret(algorithm, secrets.token_bytes)
                public = jwk.write(load(algorithm, secret).public_key)
                self.keys[f"{who}_{kind}"] = {
                    "public": public,
                    "private": {**public, "d": base64url.encode(secret)},
                }
        for kind, tag in (("p256", "es256"), ("ed25519", "eddsa")):
            cards = [self._card(adapter, kind, number) for number in range(POOL)]
            self.files[f"sdjwt_issued_{tag}.json"] = {"pool": [card.raw.decode() for card in cards]}
            shown = [self._show(adapter, kind, card) for card in cards]
            self.files[f"sdjwt_presented_{tag}.json"] = {"pool": shown}
        if "statuslist.json" in self.files:
            self.files["tsl_token.json"] = self._list(adapter)

    def _card(self, adapter: ModuleType, kind: str, number: int) -> Any:
        from cityid.credential import Draft, KeyRef, WebIssuer, Window
        from cityid.formats.sd_jwt_vc import SD_JWT_VC

        at = datetime.fromtimestamp(self.now, UTC)
        claims = {**CRED["claims"], "resident_id": f"AMS-2015-{number:07d}"}
        ref = KeyRef(WebIssuer(CRED["issuer"], "issuer-1"))
        holder = adapter.signer(self, "holder", kind).public_key
        window = Window(at, at + timedelta(days=365))
        draft = Draft(adapter.residency(self), CRED["issuer"], ref, claims, holder, window)
        return SD_JWT_VC.issue(draft, adapter.signer(self, "issuer", kind), at=at, entropy=secrets.token_bytes)

    def _show(self, adapter: ModuleType, kind: str, card: Any) -> str:
        from cityid.formats.sd_jwt_vc import SD_JWT_VC

        holder, at = adapter.signer(self, "holder", kind), adapter.now(self)
        asked = adapter.challenge(self)
        raw = SD_JWT_VC.present(card, adapter.paths(self), asked, holder, at=at, entropy=secrets.token_bytes)
        return raw.decode()

    def _list(self, adapter: ModuleType) -> dict[str, Any]:
        """A list as others make it: at the highest level."""
        from cityid.credential import WebIssuer
        from cityid.status.token_status_list import build, issue

        at, uri = datetime.fromtimestamp(self.now, UTC), "https://status.city.example/1"
        values = dict.fromkeys(self.files["statuslist.json"]["revoked"], 1)
        token = issue(
            build(values, bits=1, size=ENTRIES, smallest=True), uri, adapter.signer(self, "issuer", "p256"),
            signed_by=WebIssuer(CRED["issuer"], "issuer-1"), at=at, lifetime=timedelta(days=1), ttl=timedelta(hours=1),
        )  # fmt: skip
        return {"token": token.decode(), "uri": uri}

    def _dids(self) -> dict[str, Any]:
        from cityid.did import key, web
        from cityid.edge.signers import load, new_secret
        from cityid.keys import Algorithm

        kinds = [Algorithm.EDDSA] * POOL + [Algorithm.ES256] * POOL
        keys = [load(kind, new_secret(kind, secrets.token_bytes)).public_key for kind in kinds]
        name = "did:web:id.city.example"
        document = web.document(name, {"key-1": keys[0], "key-2": keys[-1]})
        return {"key": [key.create(one) for one in keys], "web": name, "web_doc": document}

    def _wallet(self) -> dict[str, Any]:
        held: list[dict[str, Any]] = []
        towns = ("Amsterdam", "Utrecht", "Rotterdam", "Den Haag")
        for number in range(1000):
            claims = json.loads(json.dumps(CRED["claims"]))
            claims["address"]["locality"] = towns[number * 7 // 20 % 4]
            if number % 10 < 6:
                vct = CRED["vct"] if number % 20 == 3 else f"https://city.example/vct/other/{number % 17}"
                held.append({"format": "dc+sd-jwt", "vct": vct, "claims": claims})
            elif number % 10 < 9:
                doctype = "residency.1" if number % 50 == 7 else f"other.{number % 13}"
                held.append({"format": "mso_mdoc", "doctype": doctype, "namespaces": {"residency.1": claims}})
            else:
                held.append({"format": "ldp_vc", "type": ["VC", f"Other{number % 5}"], "claims": claims})
        sd_jwt = {
            "id": "residency_sdjwt", "format": "dc+sd-jwt", "meta": {"vct_values": [CRED["vct"]]},
            "claims": [
                {"id": "name", "path": ["given_name"]},
                {"id": "adult", "path": ["age_equal_or_over", "18"], "values": [True]},
                {"id": "city", "path": ["address", "locality"], "values": ["Amsterdam"]},
                {"id": "nat", "path": ["nationalities", None]},
            ],
            "claim_sets": [["name", "adult", "city", "nat"], ["name", "adult", "city"]],
        }  # fmt: skip
        mdoc = {
            "id": "residency_mdoc", "format": "mso_mdoc", "meta": {"doctype_value": "residency.1"},
            "claims": [{"path": ["residency.1", "given_name"]}, {"path": ["residency.1", "resident_id"]}],
        }  # fmt: skip
        sets = [{"options": [["residency_sdjwt"], ["residency_mdoc"]]}]
        return {"credentials": held, "query": {"credentials": [sd_jwt, mdoc], "credential_sets": sets}}


def _floors() -> dict[str, Callable[[], Any]]:
    import nacl.bindings as sodium
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    scheme, curve, sha = ec.ECDSA(hashes.SHA256()), ec.SECP256R1(), hashlib.sha256
    key = ec.generate_private_key(curve)
    public, numbers = key.public_key(), key.public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    own, secret = sodium.crypto_sign_seed_keypair(os.urandom(32))
    small, middle, large, huge = (os.urandom(size) for size in (90, 250, 1300, 1900))
    pools = {size: rotate([(key.sign(m := os.urandom(size), scheme), m) for _ in range(POOL)]) for size in (250, 1300)}
    ed = {size: rotate([sodium.crypto_sign(os.urandom(size), secret) for _ in range(POOL)]) for size in (250, 1300)}

    def salts() -> None:
        os.urandom(16 * 17)
        for _ in range(17):
            sha(small).digest()

    def digests() -> None:
        for _ in range(3):
            sha(small).digest()
        sha(huge).digest()

    def issue_es256() -> None:
        salts()
        key.sign(large, scheme)

    def issue_eddsa() -> None:
        salts()
        sodium.crypto_sign(large, secret)

    def present() -> None:
        sha(huge).digest()
        key.sign(middle, scheme)

    def verify_es256() -> None:
        public.verify(*pools[1300](), scheme)
        ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
        public.verify(*pools[250](), scheme)
        digests()

    def verify_eddsa() -> None:
        sodium.crypto_sign_open(ed[1300](), own)
        sodium.crypto_sign_open(ed[250](), own)
        digests()

    raw = bytearray(ENTRIES // 8)
    for index in random.Random(1).sample(range(ENTRIES), ENTRIES // 100):
        raw[index >> 3] |= 1 << (index & 7)
    whole, packed, list_body = bytes(raw), zlib.compress(raw, 9), os.urandom(26_000)
    list_signature = key.sign(list_body, scheme)

    def tsl_build() -> None:
        zlib.compress(whole, 6)
        key.sign(list_body, scheme)

    def tsl_verify() -> None:
        public.verify(list_signature, list_body, scheme)
        zlib.decompress(packed)

    return {
        "tsl.build": tsl_build,
        "tsl.verify": tsl_verify,
        "sdjwt.issue.es256": issue_es256,
        "sdjwt.issue.eddsa": issue_eddsa,
        "sdjwt.present.es256": present,
        "sdjwt.verify.es256": verify_es256,
        "sdjwt.verify.eddsa": verify_eddsa,
    }


def _rate(op: Callable[[], Any], seconds: float) -> float:
    clock, count = time.perf_counter, 0
    start = clock()
    while (took := clock() - start) < seconds:
        op()
        count += 1
    return count / took


def adapter() -> ModuleType:
    """Our adapter, with this module in the place of the shared `benchlib`."""
    sys.modules["benchlib"] = sys.modules[__name__]
    spec = importlib.util.spec_from_file_location("adapter", HERE / "peers" / "cityid.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def run(cases: list[str], seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Lines such as the shared harness writes, with rounds of ours and of the floor in turn."""
    ours, fixtures, floors, lines = adapter(), Fixtures(), _floors(), []
    fixtures.fill(ours)
    for case in cases:
        made = ours.CASES[case](fixtures)
        ops = {"cityid": made[0] if isinstance(made, tuple) else made}
        batch = made[1].get("batch", 1) if isinstance(made, tuple) else 1
        floor = floors.get(FLOOR.get(case, case))
        if floor is not None:
            ops["floor"] = floor
        rates: dict[str, list[float]] = {name: [] for name in ops}
        for number in range(rounds + 1):  # the first warms up
            for name, op in ops.items():
                rate = _rate(op, seconds / rounds)
                if number:
                    rates[name].append(rate * batch)
        lines += [
            {"case": case, "peer": name, "ops_per_s": statistics.median(found), "round_ops": found}
            for name, found in rates.items()
        ]
    return lines
