"""RFC 9901 §4.3, §7: key binding, and what issuer, holder and verifier do with an SD-JWT."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cityid import limits
from cityid.encoding.json import kind
from cityid.errors import Misuse, Refused
from cityid.jose import digests, key_binding, sd_jwt, sd_jwt_issue
from cityid.keys import Algorithm, jwk
from tests.sd_jwts import (
    AUDIENCE,
    CNF,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    TYP,
    b64,
    bound,
    check,
    digest,
    disclosure,
    issue,
    one,
    signer,
    token,
)
from tests.spec.test_rfc9901 import BODY, HEADER, TEXT, UNBOUND, WHOLE, code, payload, refusal


class TestSection43KeyBinding:
    def test_a_presentation(self) -> None:
        found = sd_jwt.read(WHOLE, typ=TYP)
        extra = {"transaction_data_hashes": ["x"]}
        kb = key_binding.bind(
            found.prefix, HOLDER, hash=found.processed.hash, audience=AUDIENCE, nonce=NONCE, at=NOW, extra=extra
        )
        read = sd_jwt.read(found.prefix + kb, typ=TYP)
        assert read.binding is not None
        assert read.binding.jws.header == {"alg": "ES256", "typ": "kb+jwt"}
        assert read.binding.claims == {
            "iat": int(NOW.timestamp()), "aud": AUDIENCE, "nonce": NONCE, "sd_hash": digest(WHOLE),
            **extra,
        }  # fmt: skip
        assert check((found.prefix + kb).decode())["a"] == 1

    def test_what_bind_refuses(self) -> None:
        named: dict[str, Any] = {"hash": digests.HASHES["sha-256"], "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        assert code(key_binding.bind, b"a.b.c", HOLDER, **named) == "binding.prefix"
        assert code(key_binding.bind, b"a.b.c~", HOLDER, **named, extra={"nonce": "x"}) == "binding.extra"
        assert key_binding.bind(b"a.b.c~", HOLDER, **named, extra={}).count(b".") == 2

    @pytest.mark.parametrize("name", ["aud", "nonce", "sd_hash"])
    @pytest.mark.parametrize("value", [None, 1, ["x"], {}, True])
    def test_required_strings(self, name: str, value: Any) -> None:
        with pytest.raises(Refused) as caught:
            check(bound(WHOLE, **{name: value}))
        assert caught.value.code == "binding.claim"
        found = "nothing" if value is None else kind(value)
        assert caught.value.problem.facts == {"name": name, "expected": "string", "found": found}

    @pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
    @pytest.mark.parametrize("value", ["1777887000", 1.5, True, []])
    def test_times_are_integers(self, name: str, value: Any) -> None:
        assert code(check, bound(WHOLE, **{name: value})) == "binding.claim"

    def test_iat_is_required(self) -> None:
        assert code(check, bound(WHOLE, iat=None)) == "binding.claim"

    def test_sd_hash_uses_the_hash_of_the_token(self) -> None:
        text = disclosure("salt", "a", 1)
        whole = token({"_sd": [digest(text, "sha512")], "_sd_alg": "sha-512", "cnf": CNF}, text)
        assert check(bound(whole, sd_hash=digest(whole, "sha512")))["a"] == 1
        assert code(check, bound(whole)) == "binding.sd_hash"

    def test_ed25519_holder(self) -> None:
        holder = signer(7, Algorithm.EDDSA)
        body = {**BODY, "cnf": {"jwk": jwk.write(holder.public_key)}}
        assert check(bound(token(body, TEXT), holder))["a"] == 1


class TestSection412Confirmation:
    def test_no_cnf(self) -> None:
        assert sd_jwt.holder_key({}) is None

    def test_jwk(self) -> None:
        assert sd_jwt.holder_key({"cnf": CNF}) == HOLDER.public_key

    @pytest.mark.parametrize("cnf", [None, "x", [], 1])
    def test_no_object(self, cnf: Any) -> None:
        assert code(sd_jwt.holder_key, {"cnf": cnf}) == "binding.cnf"

    @pytest.mark.parametrize("cnf", [{}, {"kid": "x"}, {"jku": "https://x"}, {"x5t#S256": "x"}, {**CNF, "kid": "x"}])
    def test_other_methods(self, cnf: dict[str, Any]) -> None:
        assert code(sd_jwt.holder_key, {"cnf": cnf}) == "binding.cnf_method"

    @pytest.mark.parametrize("name", ["jwe", "jku", "kid", "x5t#S256", "jkt", "osc"])
    def test_a_second_method(self, name: str) -> None:
        assert code(sd_jwt.holder_key, {"cnf": {**CNF, name: "x"}}) == "binding.cnf_method"

    @pytest.mark.parametrize("name", ["x", "JWK", "", "key_storage"])
    def test_members_that_are_no_method_are_ignored(self, name: str) -> None:
        """RFC 7800 §3.1."""
        assert sd_jwt.holder_key({"cnf": {**CNF, name: {"kid": "x"}}}) == HOLDER.public_key
        assert code(sd_jwt.holder_key, {"cnf": {name: "x"}}) == "binding.cnf_method"

    def test_a_jwk_that_is_none(self) -> None:
        assert code(sd_jwt.holder_key, {"cnf": {"jwk": "x"}}) == "json.wrong_type"


class TestSection71Processing:
    def test_a_disclosure_that_belongs_nowhere(self) -> None:
        body, text = one("salt", "a", 1)
        assert refusal(token(body, text, disclosure("salt", "admin", True))) == "sd_jwt.unreferenced"
        assert payload(token(body))  # undisclosed digests are no error

    def test_a_child_without_its_parent(self) -> None:
        child = disclosure("s1", "b", 1)
        parent = disclosure("s2", "a", {"_sd": [digest(child)]})
        body = {"_sd": [digest(parent)]}
        assert payload(token(body, parent, child)) == {"a": {"b": 1}}
        assert payload(token(body, parent)) == {"a": {}}
        assert refusal(token(body, child)) == "sd_jwt.unreferenced"

    def test_the_same_disclosure_twice(self) -> None:
        body, text = one("salt", "a", 1)
        assert refusal(token(body, text, text)) == "sd_jwt.disclosure_twice"

    def test_the_same_digest_twice(self) -> None:
        text, other = disclosure("s", "a", 1), disclosure("s", "FR")
        one_, two = digest(text), digest(other)
        for body in (
            {"_sd": [one_, one_]},
            {"_sd": [one_], "x": {"_sd": [one_]}},
            {"_sd": [one_], "x": [{"...": one_}]},
            {"x": [{"...": one_}, {"...": one_}]},
        ):
            assert refusal(token(body)) == "sd_jwt.digest_twice"
        # whether it was disclosed or not
        assert refusal(token({"_sd": [one_, one_]}, text)) == "sd_jwt.digest_twice"
        assert refusal(token({"x": [{"...": two}, {"...": two}]}, other)) == "sd_jwt.digest_twice"
        inside = disclosure("s", "b", {"_sd": [one_]})
        assert refusal(token({"_sd": [one_, digest(inside)]}, inside)) == "sd_jwt.digest_twice"

    def test_two_disclosures_of_one_name(self) -> None:
        first, second = disclosure("s1", "a", 1), disclosure("s2", "a", 2)
        body = {"_sd": [digest(first), digest(second)]}
        assert refusal(token(body, first, second)) == "sd_jwt.name_taken"
        assert payload(token(body, second)) == {"a": 2}

    def test_nothing_of_the_mechanism_is_left(self) -> None:
        text = disclosure("s", "b", {"_sd": ["decoy"], "c": [{"...": "decoy1"}]})
        body = {"_sd_alg": "sha-256", "_sd": [digest(text), "decoy2"], "a": {"_sd": ["decoy3"]}}
        assert payload(token(body, text)) == {"a": {}, "b": {"c": []}}

    def test_a_disclosure_is_read_strictly(self) -> None:
        for text, expected in (
            (b64('["s","a",{"b":1,"b":2}]'), "json.duplicate"),
            (b64('["s","a",NaN]'), "json.not_finite"),
            (b64('["s","a",1] x'), "json.trailing"),
            (b64(b"\xff"), "json.not_utf8"),
            (b64('["s","a",1]') + "=", "base64url.alphabet"),
            (b64('["s","a",11]') + "A", "base64url.length"),
            ("WyJzIiwiYSIsMTF+", "base64url.alphabet"),
            ("WyJzIiwiYSIsMV1", "base64url.tail"),
        ):
            assert refusal(token({"_sd": [digest(text)]}, text)) == expected

    def test_the_number_of_disclosures(self) -> None:
        texts = [disclosure("s", f"a{n}", n) for n in range(limits.DISCLOSURES + 1)]
        body = {"_sd": [digest(text) for text in texts]}
        assert len(payload(token(body, *texts[:-1]))) == limits.DISCLOSURES
        assert refusal(token(body, *texts)) == "sd_jwt.disclosures"
        assert len(sd_jwt.read(bound(token(body, *texts[:-1])), typ=TYP).payload) == limits.DISCLOSURES
        assert refusal(bound(token(body, *texts))) == "sd_jwt.disclosures"
        assert refusal(token(body, *texts, *texts, *texts)) == "sd_jwt.disclosures"

    def test_the_number_of_digests(self) -> None:
        found = [f"d{n}" for n in range(limits.DIGESTS)]
        assert payload(token({"a": 1, "_sd": found})) == {"a": 1}
        assert refusal(token({"_sd": [*found, "more"]})) == "sd_jwt.digest_count"
        assert refusal(token({"_sd": found, "a": [{"...": "more"}]})) == "sd_jwt.digest_count"
        items = [{"...": text} for text in found]
        assert payload(token({"a": items})) == {"a": []}
        assert refusal(token({"a": [*items, {"...": "more"}]})) == "sd_jwt.digest_count"

    def test_depth_counts_disclosed_values(self) -> None:
        def nest(levels: int) -> Any:
            value: Any = 1
            for _ in range(levels):
                value = [value]
            return value

        for levels, fits in ((limits.DEPTH - 1, True), (limits.DEPTH, False)):
            text = disclosure("s", "a", nest(levels))
            body = {"_sd": [digest(text)]}
            if fits:
                assert payload(token(body, text)) == {"a": nest(levels)}
            else:
                assert refusal(token(body, text)) == "json.too_deep"
        objects: Any = {}
        for _ in range(limits.DEPTH - 1):
            objects = {"a": objects}
        assert payload(token(objects)) == objects
        assert refusal(token({"a": objects})) == "json.too_deep"

    def test_values_are_counted_with_those_disclosed(self) -> None:
        half = [0] * (limits.NODES // 2)
        text = disclosure("s", "a", half)
        assert len(payload(token({"b": half[:-9], "_sd": [digest(text)]}, text))) == 2
        assert refusal(token({"b": half, "_sd": [digest(text)]}, text)) == "json.too_many_values"
        names = {str(number): 0 for number in range(limits.NODES)}
        assert refusal(token({"a": names})) == "json.too_many_values"
        names.popitem()
        assert len(payload(token({"a": names}))["a"]) == limits.NODES - 1

    def test_a_chain_of_disclosures(self) -> None:
        def chain(length: int) -> str:
            texts = [disclosure("s", "a", 1)]
            for _ in range(length - 1):
                texts.append(disclosure("s", "a", {"_sd": [digest(texts[-1])]}))
            return token({"_sd": [digest(texts[-1])]}, *texts)

        assert payload(chain(limits.DISCLOSURE_DEPTH))
        assert refusal(chain(limits.DISCLOSURE_DEPTH + 1)) == "sd_jwt.disclosure_depth"

    def test_a_chain_of_elements(self) -> None:
        def chain(length: int) -> str:
            texts = [disclosure("s", 1)]
            for _ in range(length - 1):
                texts.append(disclosure("s", [{"...": digest(texts[-1])}]))
            return token({"a": [{"...": digest(texts[-1])}]}, *texts)

        assert payload(chain(limits.DISCLOSURE_DEPTH))
        assert refusal(chain(limits.DISCLOSURE_DEPTH + 1)) == "sd_jwt.disclosure_depth"

    def test_what_a_log_shows_tells_no_claims(self) -> None:
        body, text = one("c2FsdA", "family_name", "Öztürk")
        read = sd_jwt.read(token(body | {"given_name": "Ada"}, text), typ=TYP)
        assert repr(read) == f"SdJwt({read.jws!r}, 1 disclosures)"
        assert repr(read.jws) == f"Jws(header={read.jws.header!r})"
        assert repr(read.processed) == "Processed(1 disclosed claims)"


class TestSection72Holder:
    def test_a_key_binding_from_the_issuer(self) -> None:
        body, text = one("s", "a", 1)
        assert sd_jwt.read_issued(token(body, text), typ=TYP).payload["a"] == 1
        assert code(sd_jwt.read_issued, bound(token(body, text)), typ=TYP) == "sd_jwt.bound_by_issuer"

    def _card(self) -> sd_jwt.SdJwt:
        claims = {
            "given_name": "Anna", "address": {"locality": "Lindau", "geo": {"lat": 1}}, "n": ["DE", "FR", "AT"],
            "list": [{"x": 1, "y": 2}, {"x": 3}], "open": {"a": 1},
        }  # fmt: skip
        paths: list[tuple[str | int | None, ...]] = [
            ("given_name",), ("address",), ("address", "locality"), ("address", "geo"), ("n", None), ("list",),
            ("list", None, "x"),
        ]  # fmt: skip
        made = issue(claims, sd_jwt_issue.frame(paths, decoys=1), ISSUER, header=HEADER)
        return sd_jwt.read_issued(made.prefix, typ=TYP)

    @pytest.mark.parametrize(
        ("paths", "expected"),
        [
            ([], {"n": [], "open": {"a": 1}}),
            ([("given_name",)], {"given_name": "Anna", "n": [], "open": {"a": 1}}),
            ([("address",)], {"address": {}, "n": [], "open": {"a": 1}}),
            ([("address", "locality")], {"address": {"locality": "Lindau"}, "n": [], "open": {"a": 1}}),
            ([("address", "geo", "lat")], {"address": {"geo": {"lat": 1}}, "n": [], "open": {"a": 1}}),
            ([("n", 1)], {"n": ["FR"], "open": {"a": 1}}),
            ([("n", None)], {"n": ["DE", "FR", "AT"], "open": {"a": 1}}),
            ([("n",), ("open", "a")], {"n": [], "open": {"a": 1}}),
            ([("list", 0, "y")], {"list": [{"y": 2}, {}], "n": [], "open": {"a": 1}}),
            ([("list", None, "x")], {"list": [{"x": 1, "y": 2}, {"x": 3}], "n": [], "open": {"a": 1}}),
        ],
    )
    def test_select(self, paths: list[tuple[Any, ...]], expected: dict[str, Any]) -> None:
        chosen = sd_jwt.select(self._card(), paths)
        assert payload(chosen.decode()) == expected

    def test_order_as_issued_and_nothing_twice(self) -> None:
        card = self._card()
        paths = [("address", "locality"), ("given_name",), ("address",), ("given_name",), ("address", "geo")]
        sent = sd_jwt.select(card, paths).split(b"~")[1:-1]
        assert sent == [text for text in card.disclosures if text in sent]
        assert len(sent) == 4

    def test_indices_count_what_is_hidden(self) -> None:
        card = sd_jwt.read(sd_jwt.select(self._card(), [("n", 0), ("n", 2)]), typ=TYP)
        assert card.payload["n"] == ["DE", "AT"]
        assert card.processed.positions[("n",)] == (0, 2)
        assert payload(sd_jwt.select(card, [("n", 2)]).decode())["n"] == ["AT"]
        assert code(sd_jwt.select, card, [("n", 1)]) == "sd_jwt.no_such_claim"

    @pytest.mark.parametrize(
        "path",
        [(), ("absent",), ("given_name", "x"), ("n", 4), ("n", "x"), ("address", None), ("list", 1, "y"), (None,)],
    )
    def test_what_is_not_there(self, path: tuple[Any, ...]) -> None:
        with pytest.raises(Misuse, match=r"sd_jwt\.no_such_claim"):
            sd_jwt.select(self._card(), [path])


class TestSection73Verifier:
    def test_accepted(self) -> None:
        assert check(bound(WHOLE))["a"] == 1

    def test_required_and_absent(self) -> None:
        assert code(check, WHOLE) == "binding.missing"

    def test_no_key_to_bind_to(self) -> None:
        assert code(check, bound(token(UNBOUND, TEXT))) == "binding.no_key"

    @pytest.mark.parametrize("typ", ["JWT", "KB+JWT", "application/kb+jwt", "kb+jwt ", 1])
    def test_typ(self, typ: Any) -> None:
        assert code(check, bound(WHOLE, header={"typ": typ})) == "binding.typ"
        assert code(check, bound(WHOLE, header={})) == "binding.typ"

    def test_audience_and_nonce_must_be_given(self) -> None:
        assert code(check, bound(WHOLE, aud=""), audience="") == "binding.no_audience"
        assert code(check, bound(WHOLE, nonce=""), nonce="") == "binding.no_nonce"

    def test_audience(self) -> None:
        assert code(check, bound(WHOLE, aud=AUDIENCE + "/")) == "binding.audience"

    def test_nonce(self) -> None:
        for nonce in ("", NONCE[:-1], NONCE + "x", NONCE.upper(), "ü"):
            assert code(check, bound(WHOLE, nonce=nonce)) == "binding.nonce"
        assert check(bound(WHOLE, nonce="ü"), nonce="ü")

    def test_sd_hash(self) -> None:
        for found in ("", digest(WHOLE[:-1]), digest(WHOLE)[:-1], digest(WHOLE) + "=", "ü"):
            assert code(check, bound(WHOLE, sd_hash=found)) == "binding.sd_hash"

    def test_age_to_the_second(self) -> None:
        now, age, ahead = int(NOW.timestamp()), limits.KB_AGE, limits.KB_AHEAD
        for seconds, expected in ((age.seconds, None), (age.seconds + 1, "binding.too_old")):
            self._at(now - seconds, expected)
        for seconds, expected in ((ahead.seconds, None), (ahead.seconds + 1, "binding.ahead")):
            self._at(now + seconds, expected)
        for iat in (0, -(10**20), now - 10 * 365 * 86400):
            self._at(iat, "binding.too_old")
        assert code(check, bound(WHOLE, iat=10**15)) == "binding.ahead"

    def _at(self, iat: int, expected: str | None) -> None:
        if abs(iat) > 2**53:
            assert code(check, bound(WHOLE, iat=iat)) == "json.integer_too_large"
        elif expected is None:
            assert check(bound(WHOLE, iat=iat))["a"] == 1
        else:
            assert code(check, bound(WHOLE, iat=iat)) == expected

    def test_age_of_the_callers_choice(self) -> None:
        found = sd_jwt.read(bound(WHOLE, iat=int(NOW.timestamp()) - 11), typ=TYP)
        named: dict[str, Any] = {"hash": found.processed.hash, "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        key = HOLDER.public_key
        key_binding.check(found.binding, found.prefix, key, **named, max_age=timedelta(seconds=11))
        named["max_age"] = timedelta(seconds=10)
        assert code(key_binding.check, found.binding, found.prefix, key, **named) == "binding.too_old"

    def test_exp_and_nbf_if_they_are_there(self) -> None:
        now, skew = int(NOW.timestamp()), limits.SKEW.seconds
        assert check(bound(WHOLE, exp=now - skew + 1, nbf=now + skew))["a"] == 1
        assert code(check, bound(WHOLE, exp=now - skew)) == "binding.expired"
        assert code(check, bound(WHOLE, nbf=now + skew + 1)) == "binding.not_yet"

    def test_signed_by_another(self) -> None:
        assert code(check, bound(WHOLE, ISSUER)) == "signature.invalid"
        assert code(check, bound(WHOLE, ISSUER, header={"typ": "kb+jwt", "jwk": jwk.write(ISSUER.public_key)})) == (
            "signature.invalid"
        )
