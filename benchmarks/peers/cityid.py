# runtime: main
"""cityid's adapter for the shared benchmark harness: the ways that a city, a resident and a service take, whole.

Nothing is remembered between operations that a real office would not remember: the issuer's key (pinned in the trust
list), the compiled query, the frame of a credential type, the resident's own card.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

import integrity
import lists
import w3c
from benchlib import Fixtures, damage_b64, must_fail, rotate

import cityid
from cityid import credential_type, did, status
from cityid import policy as policies
from cityid import query as dcql
from cityid.checks import Accepted, Outcome, Step
from cityid.credential import Challenge, Credential, Draft, KeyRef, StatusRef, WebIssuer, Window
from cityid.edge.signers import load
from cityid.encoding import base64url
from cityid.formats import FORMATS
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.keys import Algorithm, Signer, jwk
from cityid.plan import Request, Response
from cityid.status import token_status_list

KINDS = {"p256": Algorithm.ES256, "ed25519": Algorithm.EDDSA}
STRANGERS = 1_500
"""More holders than `cityid.keys.algorithms.MEMO` has room for: each is new when it comes round again."""

Made = tuple[Callable[[], Any], dict[str, Any]]
Make = Callable[[Fixtures], Made | Callable[[], Any]]


def version() -> str:
    from importlib.metadata import version

    return version("cityid")


# -- what stands before the first operation: a type, keys, a policy with its trust list --


def residency(fx: Fixtures) -> credential_type.CredentialType:
    """The shared credential's type, from a definition such as a city writes: 17 claims that can be hidden each on its
    own."""
    claims: dict[str, Any] = {}

    def claim(path: str, kind: str, shown: str = "choice") -> None:
        claims[path] = {"schema": {"type": kind}, "shown": shown, "labels": {"en": path}}

    for name, value in fx.cred["claims"].items():
        if isinstance(value, dict):
            claim(name, "object", "always")
            for inner, content in value.items():
                claim(f"{name}.{inner}", "boolean" if isinstance(content, bool) else "string")
        elif isinstance(value, list):
            claim(name, "array", "always")
            claim(f"{name}[]", "string")
        else:
            claim(name, "string")
    definition = {
        "id": "residency",
        "title": {"en": "Residency"},
        "lifetime": "1 year",
        "copies": 10,
        "status": "none",
        "names": {"dc+sd-jwt": {"vct": fx.cred["vct"]}},
        "claims": claims,
    }
    return credential_type.read(json.dumps(definition))


def signer(fx: Fixtures, who: str, kind: str) -> Signer:
    made = load(KINDS[kind], base64url.decode(fx.keys[f"{who}_{kind}"]["private"]["d"]))
    assert isinstance(made, Signer)
    return made


def policy(fx: Fixtures, kind: str) -> cityid.Policy:
    """A library's policy file, its trust file, and the city's published keys beside them."""
    files = {
        "trust.toml": f"""
            [[issuer]]
            web = "{fx.cred["issuer"]}"
            mechanism = "web"
            types = ["residency"]
            keys = "city-jwks.json"
            status = "none"
            name = "City of Example"
            """.encode(),
        "city-jwks.json": json.dumps({"keys": [{**fx.keys[f"issuer_{kind}"]["public"], "kid": "issuer-1"}]}).encode(),
    }
    text = """
        purpose = "Library card"
        [ask]
        type = "residency"
        claims = ["given_name", "age_equal_or_over.18", "address.locality"]
        [accept]
        "age_equal_or_over.18" = true
        [trust]
        list = "trust.toml"
        """
    return policies.read(
        text.encode(), types={"residency": residency(fx)}, load=files.__getitem__, formats=frozenset(FORMATS)
    )


def now(fx: Fixtures) -> datetime:
    return datetime.fromtimestamp(fx.now, UTC)


def challenge(fx: Fixtures) -> Challenge:
    return Challenge(fx.cred["aud"], fx.cred["nonce"])


def no_network(request: Request) -> Response:
    raise AssertionError(f"asked the network for {request.url}")


def paths(fx: Fixtures) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in fx.cred["present"])


# -- SD-JWT VC --


def issue(kind: str) -> Make:
    def make(fx: Fixtures) -> Made:
        issuer, holder, made = signer(fx, "issuer", kind), signer(fx, "holder", kind), residency(fx)
        ref = KeyRef(WebIssuer(fx.cred["issuer"], "issuer-1"))
        at = now(fx)
        window = Window(at, at + timedelta(days=365))
        people = []
        for number in range(16):
            claims = json.loads(json.dumps(fx.cred["claims"]))
            people.append({**claims, "resident_id": f"AMS-2011-{90417 + number:07d}"})
        following = rotate(people)

        def op() -> Credential:
            draft = Draft(made, fx.cred["issuer"], ref, following(), holder.public_key, window)
            return SD_JWT_VC.issue(draft, issuer, at=at, entropy=secrets.token_bytes)

        issued = op()
        again = SD_JWT_VC.read(issued.raw)
        assert len(again.hidden) == 17 == issued.raw.count(b"~") - 1, sorted(map(str, again.hidden))
        assert {name: again.claims[name] for name in people[0]} == people[0]
        assert again.holder == holder.public_key
        assert all(c.outcome is Outcome.PASSED for c in SD_JWT_VC.check_issued(again, {ref: issuer.public_key}, at))
        return op, {"bytes": len(issued.raw)}

    return make


def _shown(fx: Fixtures, kind: str, raw: bytes) -> None:
    """The presentation that was measured passes the whole verification."""
    check = judge(fx, kind)
    assert _claims(check(raw))["address"] == {"locality": "Amsterdam"}
    must_fail(check, damage_b64(raw.decode()).encode())


def present(fx: Fixtures) -> Made:
    """From text: the whole card is read again, as strictly as anything foreign."""
    holder, asked, at, wanted = signer(fx, "holder", "p256"), challenge(fx), now(fx), paths(fx)
    following = rotate([raw.encode() for raw in fx.pool("sdjwt_issued_es256.json")])

    def op() -> bytes:
        return SD_JWT_VC.present(SD_JWT_VC.read(following()), wanted, asked, holder, at=at, entropy=secrets.token_bytes)

    _shown(fx, "p256", op())
    return op, {"bytes": len(op())}


def present_held(fx: Fixtures) -> Made:
    """From cards that the wallet has read already."""
    holder, asked, at, wanted = signer(fx, "holder", "p256"), challenge(fx), now(fx), paths(fx)
    following = rotate([SD_JWT_VC.read(raw.encode()) for raw in fx.pool("sdjwt_issued_es256.json")])

    def op() -> bytes:
        return SD_JWT_VC.present(following(), wanted, asked, holder, at=at, entropy=secrets.token_bytes)

    _shown(fx, "p256", op())
    return op, {"bytes": len(op()), "note": "over the floor of sdjwt.present.es256"}


def judge(fx: Fixtures, kind: str) -> Callable[[bytes], cityid.Verdict]:
    accepted, asked, at = policy(fx, kind), challenge(fx), now(fx)

    def check(raw: bytes) -> cityid.Verdict:
        return cityid.verify(raw, "dc+sd-jwt", asked, accepted, at).run(no_network)

    return check


def _claims(verdict: cityid.Verdict) -> Mapping[str, Any]:
    assert isinstance(verdict, Accepted), verdict
    assert [check.step for check in verdict.checks] == list(Step)
    assert all(check.outcome is Outcome.PASSED for check in verdict.checks)
    return verdict.claims


def verify(kind: str, tag: str) -> Make:
    def make(fx: Fixtures) -> Made:
        check = judge(fx, kind)
        pool = [raw.encode() for raw in fx.pool(f"sdjwt_presented_{tag}.json")]
        _must_judge(fx, check, pool[0])
        following = rotate(pool)
        return lambda: check(following()), {"note": "nine checks; one holder, whose loaded key is remembered"}

    return make


def _must_judge(fx: Fixtures, check: Callable[[bytes], cityid.Verdict], raw: bytes) -> None:
    claims = _claims(check(raw))
    name, town = fx.cred["claims"]["given_name"], fx.cred["claims"]["address"]["locality"]
    wanted = {"given_name": name, "age_equal_or_over": {"18": True}, "address": {"locality": town}}
    assert claims == wanted, claims
    for part, mark in ((-1, "."), (1, "~"), (2, "~"), (0, "."), (1, ".")):
        must_fail(check, damage_b64(raw.decode(), part, mark).encode())


def verify_strangers(fx: Fixtures) -> Made:
    """The same, but each holder is somebody new, as at a counter: their key is checked and loaded every time."""
    issuer, made, at = signer(fx, "issuer", "p256"), residency(fx), now(fx)
    ref, window = KeyRef(WebIssuer(fx.cred["issuer"], "issuer-1")), Window(at, at + timedelta(days=365))
    asked, wanted, pool = challenge(fx), paths(fx), []
    for number in range(1, STRANGERS + 1):
        holder = load(Algorithm.ES256, number.to_bytes(32, "big"))
        assert isinstance(holder, Signer)
        draft = Draft(made, fx.cred["issuer"], ref, fx.cred["claims"], holder.public_key, window)
        card = SD_JWT_VC.issue(draft, issuer, at=at, entropy=secrets.token_bytes)
        pool.append(SD_JWT_VC.present(card, wanted, asked, holder, at=at, entropy=secrets.token_bytes))
    check = judge(fx, "p256")
    _must_judge(fx, check, pool[0])
    following = rotate(pool)
    return lambda: check(following()), {
        "note": f"nine checks; {STRANGERS} holders in turn; over the floor of sdjwt.verify.es256"
    }


# -- DCQL --


def match(indexed: bool) -> Make:
    def make(fx: Fixtures) -> Made:
        wallet = fx.json("wallet.json")
        key = jwk.read(fx.keys["holder_p256"]["public"])
        held = [_held(item, key) for item in wallet["credentials"]]
        asked = dcql.read(wallet["query"])
        where: Any = dcql.Index(held) if indexed else held
        found = asked.options(where)
        assert found, found
        counts = [len(found.candidates[name]) for name in ("residency_sdjwt", "residency_mdoc")]
        hand = _by_hand(wallet)
        assert counts == hand, (counts, hand)
        assert 0 < counts[0] < len(held)
        return lambda: asked.options(where), {"matches": counts}

    return make


def _held(item: Mapping[str, Any], key: cityid.keys.PublicKey) -> Credential:
    """As `dcql-js` has it: read already. W3C types are those of the JSON-LD expansion."""
    types = (item["vct"],) if "vct" in item else (item["doctype"],) if "doctype" in item else tuple(item["type"])
    claims = item.get("namespaces") or item["claims"]
    return Credential(item["format"], "", types, claims, frozenset(), key, Window(), (), (), b"")


def _by_hand(wallet: Mapping[str, Any]) -> list[int]:
    """How many credentials should match, counted without any library."""
    sd_jwt, mdoc = wallet["query"]["credentials"]
    vct, doctype = sd_jwt["meta"]["vct_values"][0], mdoc["meta"]["doctype_value"]
    return [
        sum(
            item.get("vct") == vct and item["claims"]["address"]["locality"] == "Amsterdam"
            for item in wallet["credentials"]
        ),
        sum(item.get("doctype") == doctype for item in wallet["credentials"]),
    ]


# -- DIDs --


def did_key(fx: Fixtures) -> Callable[[], Any]:
    pool = fx.json("dids.json")["key"]
    assert did.resolve(pool[0]).run(no_network).did == pool[0]
    must_fail(lambda: did.resolve(pool[0][:-1] + "0").run(no_network))
    following = rotate(pool)
    return lambda: did.resolve(following()).run(no_network)


def did_web(fx: Fixtures) -> Callable[[], Any]:
    """The document is there already, as text: reading it is the work."""
    known = fx.json("dids.json")
    name, body = known["web"], json.dumps(known["web_doc"]).encode()
    response = Response(200, {"content-type": "application/did+json"}, body, now(fx))

    def answer(request: Request) -> Response:
        assert request.url == "https://id.city.example/.well-known/did.json"
        return response

    assert did.resolve(name).run(answer).did == name
    other = Response(200, response.headers, body.replace(b"id.city", b"no.city"), response.received)
    must_fail(lambda: did.resolve(name).run(lambda request: other))
    return lambda: did.resolve(name).run(answer)


def did_webvh(seen: bool) -> Make:
    """A log of five entries: judged for the first time, or once more, as for each further card of a city."""

    def make(fx: Fixtures) -> Callable[[], Any]:
        from cityid.did.webvh import log

        known, at = fx.json("dids.json"), now(fx)
        name, body = known["webvh"], known["webvh_log"].encode()

        def found(data: bytes) -> Any:
            response = Response(200, {}, data, at)
            return did.look_up(name, at).run(lambda request: response)

        def first() -> Any:
            log._remembered.cache_clear()
            return found(body)

        assert found(body).document["id"] == name
        must_fail(lambda: found(body.replace(b"#key-3", b"#key-9")))
        return (lambda: found(body)) if seen else first

    return make


# -- Token Status Lists --


def _place(fx: Fixtures) -> WebIssuer:
    return WebIssuer(fx.cred["issuer"], "issuer-1")


def tsl_build(fx: Fixtures) -> Made:
    """From the register's sparse entries to a signed token: set one by one, checked, compressed as runs."""
    issuer, at, place = signer(fx, "issuer", "p256"), now(fx), _place(fx)
    revoked = dict.fromkeys(fx.json("statuslist.json")["revoked"], 1)

    def op() -> bytes:
        packed = token_status_list.build(revoked, bits=1, size=1_000_000)
        return token_status_list.issue(
            packed, "https://status.city.example/1", issuer, signed_by=place, at=at, lifetime=timedelta(days=1),
            ttl=timedelta(hours=1),
        )  # fmt: skip

    made = token_status_list.read(op(), "jwt")
    made.check(issuer.public_key)
    entries = made.entries()
    assert sum(entries[index] for index in revoked) == len(revoked)
    assert sum(byte.bit_count() for byte in entries.data) == len(revoked)
    note = "run-length strategy, where the floor compresses at level 6"
    return op, {"bytes": len(op()), "note": note}


def tsl_verify(fx: Fixtures) -> Made:
    """One fetched list, cold: read strictly, signature, subject, times, inflated, one entry."""
    token, uri = fx.json("tsl_token.json")["token"].encode(), fx.json("tsl_token.json")["uri"]
    key, at = signer(fx, "issuer", "p256").public_key, now(fx)
    statuses = fx.json("statuslist.json")
    following = rotate(statuses["probe"])

    def check(raw: bytes, index: int) -> int:
        read = token_status_list.read(raw, "jwt")
        if read.uri != uri or read.exp is None or not read.iat <= at < read.exp:
            raise AssertionError("another list, or of another time")
        read.check(key)
        return read.entries()[index]

    revoked = set(statuses["revoked"])
    assert all(check(token, index) == (index in revoked) for index in statuses["probe"][:3] + statuses["probe"][-3:])
    must_fail(check, damage_b64(token.decode()).encode(), 0)
    must_fail(check, damage_b64(token.decode(), 1).encode(), 0)
    must_fail(check, token, 1_000_001)
    return lambda: check(token, following()), {"note": "nothing remembered"}


def tsl_lookup(fx: Fixtures) -> Made:
    probe = fx.json("statuslist.json")["probe"]
    entries = token_status_list.read(fx.json("tsl_token.json")["token"].encode(), "jwt").entries()
    assert sum(entries[index] for index in probe) == 512

    def op() -> None:
        for index in probe:
            entries[index]

    return op, {"batch": len(probe)}


def tsl_check(fx: Fixtures) -> Made:
    """The whole STATUS step against a list that is known: asked for (from memory), hashed, judged, with its facts."""
    uri, at = fx.json("tsl_token.json")["uri"], now(fx)
    kept = Response(
        200, {"content-type": token_status_list.JWT}, fx.json("tsl_token.json")["token"].encode(), at
    )  # fmt: skip
    trusted, place = policy(fx, "p256").trust, KeyRef(_place(fx))
    revoked, probe = set(fx.json("statuslist.json")["revoked"]), fx.json("statuslist.json")["probe"]
    following = rotate(probe)

    def check(index: int) -> Any:
        refs = (StatusRef("status_list", uri, index),)
        return status.check(refs, place, trusted, status.Freshness(), at, required=True).run(lambda request: kept)

    for index in probe[:4] + probe[-4:]:
        found = check(index)
        assert (found.outcome is Outcome.PASSED) == (index not in revoked), found
    return lambda: check(following()), {"note": "a list that is known; its 19 kB are hashed each time"}


CASES = {
    "sdjwt.issue.es256": issue("p256"),
    "sdjwt.issue.eddsa": issue("ed25519"),
    "sdjwt.present.es256": present,
    "sdjwt.present-held.es256": present_held,
    "sdjwt.verify.es256": verify("p256", "es256"),
    "sdjwt.verify.eddsa": verify("ed25519", "eddsa"),
    "sdjwt.verify-strangers.es256": verify_strangers,
    "di.eddsa-rdfc-2022.issue": integrity.issue("eddsa-rdfc-2022"),
    "di.eddsa-rdfc-2022.verify": integrity.verify("eddsa-rdfc-2022"),
    "di.eddsa-jcs-2022.issue": integrity.issue("eddsa-jcs-2022"),
    "di.eddsa-jcs-2022.verify": integrity.verify("eddsa-jcs-2022"),
    "di.ecdsa-sd-2023.issue": integrity.issue_hiding("ecdsa-sd-2023"),
    "di.ecdsa-sd-2023.derive": integrity.derive("ecdsa-sd-2023"),
    "di.ecdsa-sd-2023.verify": integrity.verify_hiding("ecdsa-sd-2023"),
    "di.bbs-2023.issue": integrity.issue_hiding("bbs-2023"),
    "di.bbs-2023.derive": integrity.derive("bbs-2023", held=True),
    "di.bbs-2023.verify": integrity.verify_hiding("bbs-2023"),
    "vcjwt.issue": w3c.issue,
    "vcjwt.verify": w3c.verify,
    "rdfc.canonize": integrity.canonize,
    "dcql.match": match(indexed=False),
    "dcql.match-indexed": match(indexed=True),
    "did.key": did_key,
    "did.web": did_web,
    "did.webvh": did_webvh(seen=False),
    "did.webvh-seen": did_webvh(seen=True),
    "tsl.build": tsl_build,
    "tsl.verify": tsl_verify,
    "tsl.lookup": tsl_lookup,
    "tsl.check": tsl_check,
    "bsl.build": lists.build,
    "bsl.verify": lists.verify,
    "bsl.lookup": lists.lookup,
}
