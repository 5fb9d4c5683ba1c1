"""RFC 9901 §8, §9: the JSON forms, security; and what the RFC and the reference implementation print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cityid import limits
from cityid.jose import jws, key_binding, sd_jwt, sd_jwt_issue, sd_jwt_shape
from cityid.keys import PublicKey, jwk
from tests.sd_jwts import (
    AUDIENCE,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    TYP,
    bound,
    digest,
    disclosure,
    issue,
    raw_jws,
    token,
)
from tests.spec.test_rfc9901 import BODY, HEADER, TEXT, WHOLE, _decoded, code, payload
from tests.vectors import load, vectors


class TestSection8Json:
    def _card(self) -> sd_jwt.SdJwt:
        return sd_jwt.read(WHOLE, typ=TYP)

    def test_both_forms_with_and_without_key_binding(self) -> None:
        card = self._card()
        named: dict[str, Any] = {"hash": card.processed.hash, "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        kb = key_binding.bind(card.prefix, HOLDER, **named)
        for write in (sd_jwt.flattened, sd_jwt.general):
            again = sd_jwt.read_json(json.dumps(write(card)), typ=TYP)
            assert (again.payload, again.prefix, again.binding) == (card.payload, card.prefix, None)
            shown = sd_jwt.read_json(write(card, kb), typ=TYP)
            key_binding.check(shown.binding, shown.prefix, HOLDER.public_key, **named)
            compact = sd_jwt.read(card.prefix + kb, typ=TYP)
            assert write(compact) == write(card, kb)
            assert shown.binding == compact.binding

    def test_without_disclosures(self) -> None:
        card = sd_jwt.read(token({"a": 1}), typ=TYP)
        document = jws.flattened(card.jws)
        assert sd_jwt.read_json(document, typ=TYP).prefix == card.prefix

    @pytest.mark.parametrize("name", ["disclosures", "kb_jwt"])
    def test_in_the_second_header(self, name: str) -> None:
        card = self._card()
        document = sd_jwt.general(card)
        second = {**jws.flattened(card.jws), "header": {"kid": "two"}}
        second.pop("payload")
        document["signatures"].append(second)
        assert sd_jwt.read_json(document, typ=TYP).payload == card.payload
        second["header"] = {name: []}
        assert code(sd_jwt.read_json, document, typ=TYP) == "sd_jwt.misplaced"

    def test_the_first_signature_is_the_one(self) -> None:
        card, other = self._card(), sd_jwt.read(token(BODY, TEXT, by=HOLDER), typ=TYP)
        first, second = sd_jwt.general(other), jws.general(card.jws)
        first["signatures"] += second["signatures"]
        found = sd_jwt.read_json(first, typ=TYP)
        assert code(jws.check, found.jws, ISSUER.public_key) == "signature.invalid"
        jws.check(found.jws, HOLDER.public_key)

    @pytest.mark.parametrize("name", ["disclosures", "kb_jwt"])
    def test_in_the_protected_header(self, name: str) -> None:
        found = jws.read_compact(raw_jws({"alg": "ES256", "typ": TYP, name: []}), typ=TYP)
        assert code(sd_jwt.read_json, jws.flattened(found), typ=TYP) == "sd_jwt.misplaced"

    @pytest.mark.parametrize("found", ["x", [1], {}, None])
    def test_disclosures_are_strings(self, found: Any) -> None:
        document = jws.flattened(self._card().jws, {"disclosures": found})
        assert code(sd_jwt.read_json, document, typ=TYP) == "json.wrong_type"
        document = jws.flattened(self._card().jws, {"kb_jwt": [found]})
        assert code(sd_jwt.read_json, document, typ=TYP) == "json.wrong_type"

    def test_number_and_form_of_disclosures(self) -> None:
        card = self._card()
        texts = [disclosure("s", f"a{n}", n) for n in range(limits.DISCLOSURES + 1)]
        full = sd_jwt.read(token({"_sd": [digest(text) for text in texts]}), typ=TYP)
        found = sd_jwt.read_json(jws.flattened(full.jws, {"disclosures": texts[1:]}), typ=TYP)
        assert len(found.payload) == limits.DISCLOSURES
        assert code(sd_jwt.read_json, jws.flattened(full.jws, {"disclosures": texts}), typ=TYP) == "sd_jwt.disclosures"
        for text, expected in (
            ("", "sd_jwt.empty_disclosure"),
            ("é", "sd_jwt.unreferenced"),
            ("a~b", "sd_jwt.unreferenced"),
        ):
            document = jws.flattened(card.jws, {"disclosures": [text]})
            assert code(sd_jwt.read_json, document, typ=TYP) == expected

    def test_an_element_that_is_no_object(self) -> None:
        document = sd_jwt.general(self._card())
        document["signatures"].append("x")
        assert code(sd_jwt.read_json, document, typ=TYP) == "json.not_an_object"

    @pytest.mark.parametrize("name", ["disclosures", "kb_jwt"])
    def test_the_place_that_drafts_gave(self, name: str) -> None:
        shown = sd_jwt.read(bound(WHOLE), typ=TYP)
        document = sd_jwt.flattened(shown)
        document[name] = document["header"].pop(name)
        assert sd_jwt.read_json(document, typ=TYP).payload == shown.payload
        assert sd_jwt.read_json(document, typ=TYP).binding == shown.binding
        document["header"][name] = document[name]
        assert code(sd_jwt.read_json, document, typ=TYP) == "sd_jwt.misplaced"

    def test_other_unprotected_members_decide_nothing(self) -> None:
        document = sd_jwt.flattened(self._card())
        document["header"]["kid"] = "https://evil.example"
        assert sd_jwt.read_json(document, typ=TYP).payload == self._card().payload


class TestSection9Security:
    @pytest.mark.parametrize("path", [("iss",), ("aud",), ("exp",), ("nbf",), ("cnf",), ("cnf", "jwk"), ("exp", "x")])
    def test_claims_that_are_never_hidden(self, path: tuple[str, ...]) -> None:
        assert code(sd_jwt_issue.frame, [path]) == "sd_jwt.unhideable"

    def test_entries_of_aud_may_be_hidden(self) -> None:
        made = issue({"aud": ["a", "b"]}, sd_jwt_issue.frame([("aud", None)]), ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == {"aud": ["a", "b"]}

    def test_formats_name_more(self) -> None:
        assert code(sd_jwt_issue.frame, [("vct",)], unhideable=("vct",)) == "sd_jwt.unhideable"
        assert sd_jwt_issue.frame([("vct",)]).decoys == 0

    def test_salts(self) -> None:
        made = issue({"a": ["x"] * 300}, sd_jwt_issue.frame([("a", None)]), ISSUER, header=HEADER)
        salts = [json.loads(_decoded(text.decode()))[0] for text in made.disclosures]
        assert len(set(salts)) == 300
        assert min(map(len, salts)) >= 22  # 132 bits

    @pytest.mark.parametrize("give", [bytes, lambda n: b"\x01" * (n - 1), lambda n: b""])
    def test_bad_entropy(self, give: Any) -> None:
        frame = sd_jwt_issue.frame([("a",), ("b",)])
        named: dict[str, Any] = {"header": HEADER, "entropy": give}
        assert code(issue, {"a": 1, "b": 1}, frame, ISSUER, **named) == "sd_jwt.entropy"

    @pytest.mark.parametrize(("missing", "expected"), [(1, "sd_jwt.entropy"), (0, "")])
    def test_decoys_want_all_of_their_chance(self, missing: int, expected: str) -> None:
        frame = sd_jwt_issue.frame([("a",)], decoys=2)
        asked: list[int] = []

        def give(count: int) -> bytes:
            asked.append(count)
            return bytes(range(count - missing * (len(asked) == 2)))

        if expected:
            assert code(issue, {"a": 1}, frame, ISSUER, header=HEADER, entropy=give) == expected
        else:
            assert issue({"a": 1}, frame, ISSUER, header=HEADER, entropy=give).disclosures
        assert len(asked) == 2

    def test_shapes_are_forgotten(self) -> None:
        frame = sd_jwt_issue.frame([])
        for number in range(sd_jwt_shape.MOST):
            issue({f"claim {number}": 1}, frame, ISSUER, header=HEADER)
        assert len(frame.shapes) == sd_jwt_shape.MOST
        made = issue({"one more": 1}, frame, ISSUER, header=HEADER)
        assert len(frame.shapes) == 1
        assert payload(made.prefix.decode()) == {"one more": 1}

    def test_chance_comes_from_the_caller(self) -> None:
        drawn: list[int] = []

        def entropy(count: int) -> bytes:
            drawn.append(count)
            return bytes((index + len(drawn)) % 256 for index in range(count))

        frame = sd_jwt_issue.frame([("a",), ("b",)], decoys=1)
        first = issue({"a": 1, "b": 1}, frame, ISSUER, header=HEADER, entropy=entropy)
        drawn.clear()
        second = issue({"a": 1, "b": 1}, frame, ISSUER, header=HEADER, entropy=entropy)
        assert first.disclosures == second.disclosures
        assert first.jws.payload == second.jws.payload


EXAMPLES = {
    "flat.json": 1, "jws-json-flattened.json": 2, "main-example.json": 2, "sd-jwt-vc-pid.json": 2,
    "simple-structured.json": 1, "structured-one-open.json": 1, "structured.json": 1,
}  # fmt: skip
"""What each printed example is run as: serialisations, or (1) its payload and disclosures signed again by us."""


class TestPrintedExamples:
    """§5, §6, §8, appendix A; `section4-snippets.json` is run in TestSection42Disclosures."""

    @staticmethod
    def _key() -> PublicKey:
        return jwk.read(load(vectors("sd-jwt") / "issuer-public-key.jwk.json"))

    def test_every_file_is_here(self) -> None:
        files = {file.name for file in (vectors("sd-jwt") / "rfc9901").iterdir()}
        assert files == set(EXAMPLES) | {"section4-snippets.json"}

    @pytest.mark.parametrize("name", sorted(EXAMPLES))
    def test_example(self, name: str) -> None:
        case = load(vectors("sd-jwt") / "rfc9901" / name)
        run = 0
        for form in ("sdJwt", "presentation"):
            if form in case:
                run += 1
                found = sd_jwt.read(case[form], typ=("example+sd-jwt", "dc+sd-jwt"))
                jws.check(found.jws, self._key())
                if form == "presentation":
                    assert found.payload == case["processedPayload"]
                    self._check_binding(found, case.get("kbJwtPayload"))
                    damaged = case[form].replace("~", "~WyJzIiwiYWRtaW4iLHRydWVd~", 1)
                    assert code(sd_jwt.read, damaged, typ=None) == "sd_jwt.unreferenced"
        for form in ("sdJwtJson", "sdJwtKbJson"):
            if form in case:
                run += 1
                found = sd_jwt.read_json(json.dumps(case[form]), typ="example+sd-jwt")
                jws.check(found.jws, self._key())
                claims = found.binding.claims if found.binding is not None else None
                assert (claims is not None) is (form == "sdJwtKbJson")
                self._check_binding(found, claims)
        if "disclosures" in case:
            self._check_disclosures(case)
            # the payload and the disclosures as printed, signed by us: all of it reads back as what went in
            run = run or 1
            whole = token(case["sdJwtPayload"], *[item["disclosure"] for item in case["disclosures"]])
            found = sd_jwt.read(whole, typ=TYP)
            assert case["inputClaims"] == {name: found.payload[name] for name in case["inputClaims"]}
            assert len(found.processed.hidden) == len(case["disclosures"])
        assert run == EXAMPLES[name]

    @staticmethod
    def _check_disclosures(case: dict[str, Any]) -> None:
        for item in case["disclosures"]:
            assert digest(item["disclosure"]) == item["digest"]
            assert json.loads(_decoded(item["disclosure"])) == item["contents"]

    @staticmethod
    def _check_binding(found: sd_jwt.SdJwt, claims: Any) -> None:
        assert (found.binding is None) is (claims is None)
        if found.binding is None:
            return
        assert found.binding.claims == claims
        at = datetime.fromtimestamp(claims["iat"], UTC)
        named: dict[str, Any] = {"hash": found.processed.hash, "audience": claims["aud"], "at": at}
        key = sd_jwt.holder_key(found.payload)
        key_binding.check(found.binding, found.prefix, key, **named, nonce=claims["nonce"])
        assert code(key_binding.check, found.binding, found.prefix, key, **named, nonce="other") == "binding.nonce"
        more = found.prefix + b"WyJzIiwxXQ~"
        assert code(key_binding.check, found.binding, more, key, **named, nonce=claims["nonce"]) == "binding.sd_hash"


JSON_CASES = {"examples/json_serialization_flattened", "testcases/json_serialization_flattened"}
"""Cases that the reference implementation writes in the form of an older draft."""


def _texts(found: sd_jwt.SdJwt) -> list[str]:
    return [text.decode() for text in found.disclosures]


class _Sd:
    """A value or a member name marked `!sd` in a specification file."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Loader(yaml.SafeLoader):
    pass


def _construct(loader: _Loader, node: yaml.Node) -> _Sd:
    if isinstance(node, yaml.MappingNode):
        return _Sd(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return _Sd(loader.construct_sequence(node, deep=True))
    return _Sd(node.value)


_Loader.add_constructor("!sd", _construct)


def _marked(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths marked `!sd`."""
    found: list[tuple[Any, ...]] = []
    if isinstance(value, _Sd):
        return [at, *_marked(value.value, at)]
    if isinstance(value, dict):
        for name, item in value.items():
            step = name.value if isinstance(name, _Sd) else name
            found += [(*at, str(step))] if isinstance(name, _Sd) else []
            found += _marked(item, (*at, str(step)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _marked(item, (*at, index))
    return found


def _cases() -> list[str]:
    root = vectors("sd-jwt") / "sd-jwt-python-specs"
    return sorted(str(file.parent.relative_to(root)) for file in root.rglob("specification.yml"))


class TestReferenceImplementation:
    """Each case of sd-jwt-python: its own output is read and checked, then its claims are issued and shown by us."""

    @staticmethod
    def _generated(case: str) -> dict[str, Any]:
        made: dict[str, Any] = load(vectors("sd-jwt") / "reference-generated" / f"{case.replace('/', '-')}.json")
        return made

    @staticmethod
    def _read(text: str) -> sd_jwt.SdJwt:
        return sd_jwt.read_json(text, typ=None) if text.startswith("{") else sd_jwt.read(text, typ=None)

    def test_every_case_has_its_output(self) -> None:
        outputs = {file.stem for file in (vectors("sd-jwt") / "reference-generated").iterdir()}
        assert outputs == {case.replace("/", "-") for case in _cases()}
        assert len(outputs) == 21

    @pytest.mark.parametrize("case", _cases())
    def test_case(self, case: str) -> None:
        made = self._generated(case)
        settings = self._settings(case)
        issuer = jwk.read({n: v for n, v in settings["key_settings"]["issuer_keys"][0].items() if n != "d"})
        issued, shown = self._read(made["sd_jwt_issuance"]), self._read(made["sd_jwt_presentation"])
        for found in (issued, shown):
            jws.check(found.jws, issuer)
        assert made["user_claims"] == {name: issued.payload[name] for name in made["user_claims"]}
        assert shown.payload == made["verified_contents"]
        assert issued.processed.hidden.items() >= shown.processed.hidden.items()
        # theirs issued, we show the same
        chosen = sd_jwt.select(issued, tuple(shown.processed.hidden))
        assert sd_jwt.read(chosen, typ=None).payload == made["verified_contents"]
        if made["sd_jwt_presentation"].startswith("{"):
            # sd-jwt 0.10.4 hashes the issuance as JSON text; §8.1 hashes the compact form, so its binding is refused
            assert case in JSON_CASES
            claims = made["kb_jwt_payload"]
            assert claims["sd_hash"] == digest("~".join([made["sd_jwt_issuance"], *_texts(shown), ""]))
            named: dict[str, Any] = {"audience": claims["aud"], "nonce": claims["nonce"], "hash": shown.processed.hash}
            named["at"] = datetime.fromtimestamp(claims["iat"], UTC)
            key = sd_jwt.holder_key(shown.payload)
            assert code(key_binding.check, shown.binding, shown.prefix, key, **named) == "binding.sd_hash"
            kb = key_binding.bind(shown.prefix, HOLDER, **named)
            rebound = sd_jwt.read_json(sd_jwt.flattened(shown, kb), typ=None)
            key_binding.check(rebound.binding, rebound.prefix, HOLDER.public_key, **named)
        elif "kb_jwt_payload" in made:
            TestPrintedExamples._check_binding(shown, made["kb_jwt_payload"])
        else:
            assert shown.binding is None

    @staticmethod
    def _settings(case: str) -> dict[str, Any]:
        path: Path = vectors("sd-jwt") / "sd-jwt-python-specs" / case.split("/")[0] / "settings.yml"
        settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        return settings

    @pytest.mark.parametrize("case", _cases())
    def test_the_same_case_issued_by_us(self, case: str) -> None:
        made = self._generated(case)
        folder = vectors("sd-jwt") / "sd-jwt-python-specs" / case
        specification = yaml.load((folder / "specification.yml").read_text("utf-8"), _Loader)
        paths = _marked(specification["user_claims"])
        decoys = 3 if specification.get("add_decoy_claims") else 0
        theirs = self._read(made["sd_jwt_issuance"])
        assert set(paths) == set(theirs.processed.hidden)
        ours = issue(theirs.payload, sd_jwt_issue.frame(paths, decoys=decoys), ISSUER, header=HEADER)
        assert set(ours.processed.hidden) == set(paths)
        again = sd_jwt.read_issued(ours.prefix, typ=TYP)
        assert again.payload == theirs.payload
        wanted = tuple(self._read(made["sd_jwt_presentation"]).processed.hidden)
        assert payload(sd_jwt.select(again, wanted).decode()) == made["verified_contents"]
        expected = specification.get("expect_verified_user_claims")
        if expected is not None:
            assert expected == {name: made["verified_contents"][name] for name in expected}
