"""Group D of the catalogue for did:webvh: histories that are forged, shortened, forked or too large."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cityid import did as dids
from cityid import limits
from cityid.did import webvh
from cityid.did.webvh import identifier
from cityid.did.webvh import log as logs
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import json, multibase
from cityid.errors import CityIdError, Malformed, Refused
from tests.webvh import (
    NOW,
    THIEF,
    W1,
    W2,
    W3,
    A,
    B,
    C,
    Seeded,
    code,
    created,
    day,
    entries,
    forged,
    judge,
    later,
    lines,
    rehashed,
    served,
    signed,
    word,
)  # fmt: skip

SCID = "QmXhVjFG6EBTosDastaaHMRypm2qSv4SMGctADsx878Yux"


def two() -> bytes:
    return later(created().log)


class TestD07AndD08Hosts:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1", "%5B::1%5D", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "x.localhost",
            "127%2E0%2E0%2E1", "127.0.0.1%3A8080", "127.0.0.1%3a8080", "example.com%2fevil", "example.com%252e",
            "example.com%40evil.example", "example.com%23", "example.com%3f", "example.com%5c", "example.com%00",
            "example.com:..:x", "example.com::x", "example.com:.:x", "example.com:%2e%2e:x",
        ],
    )  # fmt: skip
    def test_d07_d08_d09_no_request(self, host: str) -> None:
        asked: list[str] = []
        with pytest.raises(Malformed) as error:
            dids.look_up(f"did:webvh:{SCID}:{host}", NOW).run(served({}, asked))
        assert error.value.code in ("did.web_host", "did.web_path", "did.web_port", "did.syntax")
        assert asked == []

    def test_d08_twin(self) -> None:
        for port in ("%3A8080", "%3a8080"):
            found = identifier.read(f"did:webvh:{SCID}:example.com{port}:a")
            assert found.log == "https://example.com:8080/a/did.jsonl"

    @pytest.mark.parametrize(
        "did", ["did:webvh", "did:webvh:", "did:webvh:x", f"did:webvh:{SCID}", "did:webvh::x.example"]
    )
    def test_d33_too_few_segments(self, did: str) -> None:
        with pytest.raises(Malformed):
            identifier.read(did)
        assert identifier.read(f"did:webvh:{SCID}:x.example").scid == SCID


class TestD22Chain:
    def test_d22_gap(self) -> None:
        assert code(forged(two(), lambda _: None)) == ""
        assert code(forged(two(), lambda _: None, number=3)) == "did.webvh_version_number"

    def test_d22_number_repeated(self) -> None:
        assert code(forged(two(), lambda _: None, number=1)) == "did.webvh_version_number"
        found = entries(two())
        assert code(lines([found[0], found[1], found[1]])) == "did.webvh_version_number"
        assert code(lines([found[1]])) == "json.missing"

    @pytest.mark.parametrize(
        "change",
        ["{0}", "{0}-", "{0}-{1}-{1}", "0{0}-{1}", "{0}--{1}", "{0}-{1}0", "+{0}-{1}", "{0}-{1}\n", " {0}-{1}", "-{1}"],
    )
    def test_d22_version_id_form(self, change: str) -> None:
        found = entries(two())
        number, _, digest = found[1]["versionId"].partition("-")
        found[1]["versionId"] = change.format(number, digest)
        assert code(lines([found[0], signed(found[1], A)])) == "did.webvh_version_id"

    @pytest.mark.parametrize("codec", [b"\x13\x40", b"\x16\x20", b"\x12\x1f", b"\x12\x20"])
    def test_d22_entry_hash_of_another_algorithm(self, codec: bytes) -> None:
        import hashlib

        from cityid.encoding import jcs

        found = entries(two())
        bare = {name: value for name, value in found[1].items() if name != "proof"}
        data = jcs.canonical(bare | {"versionId": found[0]["versionId"]})
        digest = {b"\x13": hashlib.sha512, b"\x16": hashlib.sha3_256}.get(codec[:1], hashlib.sha256)(data).digest()
        bare["versionId"] = "2-" + multibase.encode(codec + digest[: codec[1]])[1:]
        expected = "" if codec == b"\x12\x20" else "did.webvh_entry_hash"
        assert code(lines([found[0], signed(bare, A)])) == expected

    def test_d22_genesis_is_not_its_hash(self) -> None:
        (entry,) = entries(created().log)
        assert code(lines([signed(rehashed(entry), A)])) == ""
        other = {**entry, "versionTime": "2026-01-02T00:00:01Z"}
        other["versionId"] = rehashed(other)["versionId"]
        assert code(lines([signed(other, A)])) == "did.webvh_scid"
        entry["parameters"]["scid"] = entry["parameters"]["scid"][:-1] + "0"
        assert code(lines([signed(entry, A)])) == "did.webvh_scid_form"

    def test_d22_hash_of_the_first_entry(self) -> None:
        (entry,) = entries(created().log)
        entry["versionId"] = entry["versionId"][:-1] + ("x" if entry["versionId"][-1] != "x" else "y")
        assert code(lines([signed(entry, A)])) == "did.webvh_entry_hash"

    def test_d22_an_entry_in_the_middle_changed(self) -> None:
        found = entries(later(two(), 3))
        assert code(lines(found)) == ""
        found[1]["state"]["service"] = []
        assert code(lines(found)) == "did.webvh_entry_hash"
        found = entries(later(two(), 3))
        assert code(lines([found[0], signed(found[1], THIEF), found[2]])) == "did.webvh_key_not_authorised"
        found[1]["proof"][0]["proofValue"] = found[2]["proof"][0]["proofValue"]
        assert code(lines(found)) == "signature.invalid"


class TestD23Scid:
    def test_d23_in_the_first_entry(self) -> None:
        made = created()
        other = made.did.replace(judge(made.log).scid, SCID)
        assert code(forged(made.log, lambda e: e["state"].update(id=e["state"]["id"]))) == ""
        assert code(forged(made.log, lambda e: e["state"].update(id=other)), did=made.did) == "did.webvh_other_scid"

    def test_d23_in_a_later_entry_of_a_portable_did(self) -> None:
        made = created(portable=True)
        log = webvh.move(made.log, "new.example", A, day(2))
        assert code(log) == ""
        stolen = f"did:webvh:{SCID}:new.example"
        assert code(forged(log, lambda e: e["state"].update(id=stolen)), did=made.did) == "did.webvh_other_scid"

    def test_d23_asked_for_another(self) -> None:
        made = created()
        assert code(made.log, did=f"did:webvh:{SCID}:id.lindau.example") == "did.webvh_other_scid"

    def test_d23_state_id_that_is_no_did(self) -> None:
        made = created(portable=True)
        for text, expected in (("did:web:a.example", "did.method"), ("x", "did.syntax"), (7, "json.wrong_type")):
            found = forged(two(), lambda e, text=text: e["state"].update(id=text))  # type: ignore[misc]
            assert logs.read(found, NOW).broken.code == expected  # type: ignore[union-attr]
        log = webvh.move(made.log, "new.example", A, day(2))
        assert code(forged(log, lambda e: e["state"].update(id=e["state"]["id"] + "%2F"))) == "did.web_host"

    def test_d23_moved_without_saying_so(self) -> None:
        log = webvh.move(created(portable=True).log, "new.example", A, day(2))
        assert code(forged(log, lambda e: e["state"].pop("alsoKnownAs"))) == "did.webvh_also_known_as"
        assert code(forged(log, lambda e: e["state"].update(alsoKnownAs=["did:web:a.example"]))) == (
            "did.webvh_also_known_as"
        )

    def test_d23_moved_without_leave(self) -> None:
        log = webvh.move(created(portable=True).log, "new.example", A, day(2))
        assert code(log) == ""
        assert code(forged(log, lambda e: e["parameters"].update(portable=False))) == "did.webvh_moved"


class TestD24PreRotation:
    def log(self) -> bytes:
        made = created(next_keys=[B.public_key])
        return later(made.log, 2, B, update_keys=[B.public_key], next_keys=[C.public_key])

    def test_d24_inherited_keys(self) -> None:
        assert code(forged(self.log(), lambda _: None, B)) == ""
        for name in ("updateKeys", "nextKeyHashes"):
            log = forged(self.log(), lambda e, name=name: e["parameters"].pop(name), B)  # type: ignore[misc]
            assert code(log) == "did.webvh_not_committed"
        assert code(forged(self.log(), lambda e: e["parameters"].clear(), A)) == "did.webvh_not_committed"

    def test_d24_extra_key(self) -> None:
        log = forged(self.log(), lambda e: e["parameters"]["updateKeys"].append(THIEF.name), B)
        assert code(log) == "did.webvh_key_not_committed"
        log = forged(self.log(), lambda e: e["parameters"]["updateKeys"].append(A.name), B)
        assert code(log) == "did.webvh_key_not_committed"

    def test_d24_null_does_not_help(self) -> None:
        log = forged(self.log(), lambda e: e["parameters"].update(updateKeys=None), A)
        assert code(log) == "did.webvh_key_not_authorised"

    def test_d24_the_old_key_signs(self) -> None:
        assert code(forged(self.log(), lambda _: None, A)) == "did.webvh_key_not_authorised"


class TestD25Times:
    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            ("2026-01-02T00:00:01Z", ""),
            ("2026-01-02T00:00:00.001+00:00", ""),
            ("2026-01-02T00:00:00Z", "did.webvh_time_order"),
            ("2026-01-01T23:59:59Z", "did.webvh_time_order"),
            ("2026-01-03T00:00:00+01:00", "did.webvh_zone"),
            ("2026-01-03T00:00:00-00:00", "did.webvh_zone"),
            ("2026-01-03T00:00:00", "time.not_a_stamp"),
            ("2026-01-03", "time.not_a_stamp"),
            ("2026-01-03 00:00:00Z", "time.not_a_stamp"),
            ("2026-05-01T00:05:00Z", ""),
            ("2026-05-01T00:05:01Z", "did.webvh_future"),
            ("9999-12-31T23:59:59Z", "did.webvh_future"),
        ],
    )
    def test_d25(self, time: str, expected: str) -> None:
        assert code(forged(two(), lambda e: e.update(versionTime=time))) == expected


class TestD26Witnesses:
    @pytest.mark.parametrize(
        ("threshold", "expected"),
        [(1, ""), (2, ""), (0, "did.webvh_witness_threshold"), (3, "did.webvh_witness_threshold"),
         (-1, "did.webvh_witness_threshold"), (1.0, "json.wrong_type"), (1.5, "json.wrong_type"),
         ("1", "json.wrong_type"), (True, "json.wrong_type"), (None, "json.wrong_type")],
    )  # fmt: skip
    def test_d26_threshold(self, threshold: Any, expected: str) -> None:
        value = {"threshold": threshold, "witnesses": [{"id": f"did:key:{one.name}"} for one in (W1, W2)]}
        log = forged(created().log, lambda e: e["parameters"].update(witness=value))
        if expected:
            assert code(log) == expected
        else:
            assert code(log, word(log, W1, W2)) == ""

    def test_d26_one_witness_three_times(self) -> None:
        value = {"threshold": 3, "witnesses": [{"id": f"did:key:{W1.name}"}] * 3}
        log = forged(created().log, lambda e: e["parameters"].update(witness=value))
        assert code(log) == "did.webvh_witness_twice"

    def test_d26_one_witness_speaks_twice(self) -> None:
        log = created(witnesses=Witnesses(2, (W1.name, W2.name))).log
        good = json.read(word(log, W1, W2))
        first, second = good[0]["proof"]
        assert code(log, json.write([{**good[0], "proof": [first, second]}])) == ""
        assert code(log, json.write([{**good[0], "proof": [first, first]}])) == "did.webvh_unwitnessed"
        assert code(log, json.write([{**good[0], "proof": [first]}] * 2)) == "did.webvh_unwitnessed"

    def test_d26_a_proof_for_what_is_not_published(self) -> None:
        log = created(witnesses=Witnesses(1, (W1.name,))).log
        longer = later(log)
        ahead = word(longer, W1)
        assert code(longer, ahead) == ""
        assert code(log, ahead) == "did.webvh_unwitnessed"

    def test_d26_a_proof_of_another_did(self) -> None:
        witnesses = Witnesses(1, (W1.name,))
        log, other = created(witnesses=witnesses).log, created(B, witnesses=witnesses).log
        assert code(other, word(other, W1)) == ""
        assert code(log, word(other, W1)) == "did.webvh_unwitnessed"
        renamed = json.read(word(other, W1))
        renamed[0]["versionId"] = judge(log, word(log, W1)).last.id
        assert code(log, json.write(renamed)) == "did.webvh_unwitnessed"

    def test_d26_rotated_out(self) -> None:
        log = created(witnesses=Witnesses(1, (W1.name,))).log
        proofs = word(log, W1)
        log = later(log, 2, witnesses=Witnesses(1, (W2.name,)))
        proofs = word(log, W1, proofs=proofs)
        log = later(log, 3)
        last = {"versionId": entries(log)[-1]["versionId"]}
        (statement,) = entries(lines([signed({**last}, W1)]))
        assert code(log, json.write([*json.read(proofs), statement])) == "did.webvh_unwitnessed"
        assert code(log, word(log, W2, proofs=proofs)) == ""

    @pytest.mark.parametrize(
        "change",
        [
            {"cryptosuite": "ecdsa-jcs-2019"}, {"cryptosuite": "eddsa-rdfc-2022"}, {"proofPurpose": "authentication"},
            {"type": "Ed25519Signature2020"}, {"verificationMethod": f"did:key:{W1.name}#{W2.name}"},
            {"verificationMethod": f"did:key:{W1.name}"}, {"verificationMethod": f"did:web:a.example#{W1.name}"},
            {"@context": "https://www.w3.org/ns/credentials/v2"}, {"created": "yesterday"},
        ],
    )  # fmt: skip
    def test_d26_proofs_of_other_kinds(self, change: dict[str, str]) -> None:
        log = created(witnesses=Witnesses(1, (W1.name,))).log
        name = {"versionId": entries(log)[0]["versionId"]}
        (good,) = entries(lines([signed(name, W1)]))
        assert code(log, json.write([good])) == ""
        (wrong,) = entries(lines([signed(name, W1, **change)]))
        assert code(log, json.write([wrong])) == "did.webvh_unwitnessed"


class TestD27Rollback:
    def resolve(self, log: bytes, did: str, seen: str) -> str:
        exchange = served({identifier.read(did).log: log})
        try:
            dids.look_up(did, NOW, seen).run(exchange)
        except CityIdError as error:
            return error.code
        return ""

    def test_d27_truncated(self) -> None:
        made = created()
        whole = later(later(made.log, 2, update_keys=[B.public_key]), 3, B)
        seen = judge(whole).last.id
        assert self.resolve(whole, made.did, seen) == ""
        assert self.resolve(later(whole, 4, B), made.did, seen) == ""
        assert self.resolve(lines(entries(whole)[:2]), made.did, seen) == "did.webvh_truncated"
        assert self.resolve(lines(entries(whole)[:2]), made.did, "") == ""  # nobody can know who has not seen more

    def test_d27_forked(self) -> None:
        made = created()
        one, other = later(made.log, 2), later(made.log, 3)
        seen = judge(one).last.id
        assert self.resolve(one, made.did, seen) == ""
        assert self.resolve(other, made.did, seen) == "did.webvh_forked"
        assert self.resolve(later(other, 4), made.did, seen) == "did.webvh_forked"

    def test_d27_what_was_seen_must_be_a_version(self) -> None:
        made = created()
        assert self.resolve(made.log, made.did, "1") == "did.webvh_version_id"


class TestD28Proofs:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({}, ""),
            ({"cryptosuite": "ecdsa-jcs-2019"}, "di.suite"),
            ({"cryptosuite": "eddsa-rdfc-2022"}, "di.suite"),
            ({"cryptosuite": None}, "json.wrong_type"),
            ({"proofPurpose": "authentication"}, "di.purpose"),
            ({"type": "Ed25519Signature2020"}, "di.type"),
            ({"verificationMethod": f"did:key:{A.name}"}, "did.webvh_proof_method"),
            ({"verificationMethod": f"did:key:{THIEF.name}#{A.name}"}, "did.webvh_proof_method"),
            ({"verificationMethod": f"did:key:{A.name}#{THIEF.name}"}, "did.webvh_proof_method"),
            ({"verificationMethod": f"{A.name}#{A.name}"}, "did.webvh_proof_method"),
            ({"@context": ["https://www.w3.org/ns/did/v1"]}, "di.context"),
            ({"created": "2026"}, "time.not_a_stamp"),
            ({"created": 2026}, "json.wrong_type"),
            ({"id": "urn:uuid:1", "created": "2026"}, "time.not_a_stamp"),
            ({"expires": "soon"}, "time.not_a_stamp"),
            ({"nonce": "1", "created": "2026-01-01T00:00:00Z"}, ""),
        ],
    )
    def test_d28_options(self, change: dict[str, Any], expected: str) -> None:
        assert code(forged(two(), lambda _: None, **change)) == expected

    @pytest.mark.parametrize("name", ["cryptosuite", "type", "proofPurpose", "verificationMethod", "proofValue"])
    def test_d28_absent(self, name: str) -> None:
        found = entries(two())
        del found[1]["proof"][0][name]
        assert code(lines(found)) == "json.missing"

    @pytest.mark.parametrize(
        ("value", "expected"),
        [("z", "multibase.alphabet"), ("u" + "A" * 86, "multibase.base"), ("z" + "1" * 200, "multibase.too_long"),
         ("z2", "signature.invalid")],
    )  # fmt: skip
    def test_d28_proof_value(self, value: str, expected: str) -> None:
        found = entries(two())
        found[1]["proof"][0]["proofValue"] = value
        assert code(lines(found)) == expected

    @pytest.mark.parametrize("proof", [[], None])
    def test_d28_no_proof(self, proof: Any) -> None:
        found = entries(two())
        found[1]["proof"] = proof
        assert code(lines(found)) == "did.webvh_no_proof"
        del found[1]["proof"]
        assert code(lines(found)) == "did.webvh_no_proof"

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({}, ""),
            ({"method": "did:webvh:1.0"}, ""),
            ({"method": "did:webvh:99.0"}, "did.webvh_method"),
            ({"method": "did:webvh:1.0-rc1"}, "did.webvh_method"),
            ({"method": "didwebvh:1.0"}, "did.webvh_method"),
            ({"prerotation": True}, "json.unknown_member"),
            ({"portable": False}, ""),
            ({"portable": True}, "did.webvh_portable"),
        ],
    )
    def test_d28_parameters(self, change: dict[str, Any], expected: str) -> None:
        assert code(forged(two(), lambda e: e["parameters"].update(change))) == expected

    def test_d28_portable_again(self) -> None:
        log = later(later(created(portable=True).log, 2, portable=False), 3)
        assert code(forged(log, lambda e: e["parameters"].update(portable=True))) == "did.webvh_portable"
        log = later(created(portable=True).log)
        assert code(forged(log, lambda e: e["parameters"].update(portable=True))) == "did.webvh_portable"

    def test_d28_parameters_null(self) -> None:
        assert code(forged(two(), lambda e: e.update(parameters={}))) == ""
        assert code(forged(two(), lambda e: e.update(parameters=None))) == "json.wrong_type"
        assert code(forged(two(), lambda e: e.update(parameters=[]))) == "json.wrong_type"


class TestD29Closed:
    def test_d29(self) -> None:
        made = created()
        log = webvh.deactivate(made.log, A, day(10))
        exchange = served({identifier.read(made.did).log: log})
        assert dids.look_up(made.did, NOW).run(exchange).document is None
        earlier = dids.look_up(f"{made.did}?versionTime=2026-01-05T00:00:00Z", NOW).run(exchange)
        assert earlier.document is not None
        assert earlier.metadata["deactivated"] is True
        # What was signed before is not believed any more: nobody takes care of its status, nor of stolen keys.
        for signed_at in (None, day(5)):
            with pytest.raises(Refused) as error:
                dids.key_at(made.did, "key-1", "assertionMethod", NOW, signed_at).run(exchange)
            assert error.value.code == "did.deactivated"
        open_ = served({identifier.read(made.did).log: later(made.log, 10)})
        assert dids.key_at(made.did, "key-1", "assertionMethod", NOW, day(5)).run(open_) == C.public_key


class TestD30Size:
    def test_d30_too_many_entries(self) -> None:
        assert code(two()) == ""
        log = created().log
        with pytest.raises(Malformed) as error:
            logs.read(log + b"{}\n" * 50_000, NOW)
        assert error.value.code == "did.webvh_too_many"

    def test_d30_a_line_of_four_mebibytes(self) -> None:
        log = created().log
        big = b'{"versionId":"' + b"x" * (4 << 20) + b'"}'
        with pytest.raises(Malformed) as error:
            logs.read(log + big, NOW).whole()
        assert error.value.code == "json.too_large"

    def test_d30_blank_and_torn_lines(self) -> None:
        log = two()
        assert code(log.replace(b"\n", b"\r\n")) == ""
        first, second = log.splitlines()
        assert code(b"\n".join([first, b"", second, b""]), did=entries(log)[0]["state"]["id"]) == "json.syntax"
        for torn in (second[:-1], second[: len(second) // 2], b" "):
            broken = logs.read(b"\n".join([first, torn]), NOW)
            assert len(broken.versions) == 1
            assert broken.broken is not None
            assert broken.broken.code == "json.syntax"
        assert code(log + b"\n", did=entries(log)[0]["state"]["id"]) == "json.syntax"

    def test_d30_work(self) -> None:
        """A log as long as may be, every entry of which must be checked, ends in time."""
        from time import process_time

        (entry,) = entries(created().log)
        proofs = {**entry, "proof": entry["proof"] * limits.WEBVH_ENTRIES}
        began = process_time()
        assert code(lines([proofs])) == ""
        assert process_time() - began < 2.5  # 0.2 s where nobody else is at work
        assert judge(lines([entry]), at=NOW + timedelta(days=1)).last.number == 1


def test_names_are_not_shared() -> None:
    assert len({one.name for one in (A, B, C, THIEF, W1, W2, W3, Seeded(50))}) == 8
