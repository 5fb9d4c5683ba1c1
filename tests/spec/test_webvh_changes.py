"""did:webvh 1.0, section by section: what changes a DID, who may, and who watches it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from cityid import limits
from cityid.did import webvh
from cityid.did.webvh import log as logs
from cityid.did.webvh import witness, writing
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import json, multihash
from cityid.keys import multikey
from tests.webvh import (
    NOW,
    PLACE,
    THIEF,
    TWO,
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
    p256,
    refusal,
    word,
)  # fmt: skip


class TestUpdate:
    def test_document_keys_and_parameters(self) -> None:
        made = created(watchers=["https://a.example"])
        new = webvh.document(made.did, {"key-2": B.public_key})
        log = later(made.log, state=new, update_keys=[B.public_key], ttl=5)
        last = judge(log).last
        assert last.state == new
        assert (last.parameters.update_keys, last.parameters.ttl) == ((B.name,), 5)
        assert last.parameters.watchers == ("https://a.example",)
        assert entries(log)[1]["parameters"] == {"updateKeys": [B.name], "ttl": 5}
        last = judge(later(log, 3, B, watchers=[])).last
        assert last.parameters.watchers == ()
        assert last.state == new

    def test_nothing_said_nothing_written(self) -> None:
        assert entries(later(created().log))[1]["parameters"] == {}

    def test_a_broken_log_is_not_continued(self) -> None:
        found = entries(later(created().log))
        found[1]["proof"] = []
        assert refusal(later, lines(found), 3) == "did.webvh_no_proof"

    def test_what_others_would_refuse_is_not_written(self) -> None:
        log = created().log
        assert refusal(later, log, 2, THIEF) == "did.webvh_key_not_authorised"
        assert refusal(later, log, 1) == "did.webvh_time_order"
        assert refusal(later, log, 2, portable=True) == "did.webvh_portable"
        assert refusal(later, log, 2, ttl=-1) == "did.webvh_ttl"

    def test_method_may_be_said_again(self) -> None:
        log = later(created().log)
        assert code(forged(log, lambda entry: entry["parameters"].update(method="did:webvh:1.0"))) == ""
        assert code(forged(log, lambda entry: entry["parameters"].update(method="did:webvh:0.5"))) == "did.webvh_method"


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("ttl", 2**31, ""),
            ("ttl", 2**31 + 1, "did.webvh_ttl"),
            ("ttl", 0, ""),
            ("ttl", -1, "did.webvh_ttl"),
            ("ttl", "60", "json.wrong_type"),
            ("portable", None, "json.wrong_type"),
            ("deactivated", None, "json.wrong_type"),
            ("method", None, "json.wrong_type"),
            ("watchers", ["https://a.example"] * limits.WEBVH_KEYS, ""),
            ("watchers", ["https://a.example"] * (limits.WEBVH_KEYS + 1), "did.webvh_too_many"),
            ("watchers", "https://a.example", "json.wrong_type"),
            ("updateKeys", [A.name] * (limits.WEBVH_KEYS + 1), "did.webvh_too_many"),
            ("nextKeyHashes", ["x"] * (limits.WEBVH_KEYS + 1), "did.webvh_too_many"),
            ("witness", None, ""),
            ("witness", {}, ""),
            ("witness", [], "json.wrong_type"),
            ("nextKeyHashes", None, ""),
            ("portable", True, ""),
            ("nonsense", 1, "json.unknown_member"),
        ],
    )
    def test_first_entry(self, name: str, value: Any, expected: str) -> None:
        assert code(forged(created().log, lambda entry: entry["parameters"].update({name: value}))) == expected

    @pytest.mark.parametrize("name", ["method", "updateKeys", "scid"])
    def test_what_the_first_entry_must_have(self, name: str) -> None:
        assert code(forged(created().log, lambda entry: entry["parameters"].pop(name))) == "json.missing"

    def test_update_keys_of_the_first_entry_are_not_null(self) -> None:
        log = forged(created().log, lambda entry: entry["parameters"].update(updateKeys=None))
        assert code(log) == "did.webvh_key_not_authorised"

    def test_scid_is_said_once(self) -> None:
        log = later(created().log)
        scid = judge(log).scid
        assert code(forged(log, lambda entry: entry["parameters"].update(scid=scid))) == "did.webvh_scid_again"
        assert code(forged(log, lambda entry: entry["parameters"].update(scid="x"))) == "did.webvh_scid_again"

    def test_witness_list_ceiling(self) -> None:
        keys = [Seeded(number).name for number in range(1, limits.WEBVH_KEYS + 2)]
        fit = Witnesses(1, tuple(keys[:-1])).write()
        assert code(forged(created().log, lambda e: e["parameters"].update(witness=fit))) == "did.webvh_unwitnessed"
        many = Witnesses(1, tuple(keys)).write()
        assert code(forged(created().log, lambda e: e["parameters"].update(witness=many))) == "did.webvh_too_many"


class TestDeactivate:
    def test_closed(self) -> None:
        made = created()
        log = webvh.deactivate(made.log, A, day(2))
        last = judge(log).last
        assert last.parameters.deactivated
        assert last.parameters.update_keys == ()
        found = webvh.resolution(judge(log), webvh.asked(""))
        assert found.document is None
        assert found.metadata["deactivated"] is True
        earlier = webvh.resolution(judge(log), webvh.asked("versionNumber=1"))
        assert earlier.document is not None
        assert earlier.metadata["deactivated"] is True

    def test_closed_under_commitment(self) -> None:
        made = created(next_keys=[B.public_key])
        log = webvh.deactivate(made.log, B, day(2))
        last = judge(log).last.parameters
        assert (last.update_keys, last.next_key_hashes, last.deactivated) == ((B.name,), (), True)
        assert refusal(webvh.deactivate, made.log, A, day(2)) == "did.webvh_key_not_committed"

    def test_nothing_follows(self) -> None:
        log = later(created().log, deactivated=True)
        assert refusal(later, log, 3) == "did.webvh_after_deactivation"

    def test_no_more_updates_without_closing(self) -> None:
        log = later(created().log, update_keys=[])
        assert webvh.resolution(judge(log), webvh.asked("")).document is not None
        assert refusal(later, log, 3) == "did.webvh_key_not_authorised"


class TestAuthorizedKeys:
    def test_the_entry_before_says_who_writes(self) -> None:
        log = later(created().log, update_keys=[B.public_key])
        assert code(log) == ""
        assert refusal(later, log, 3, A) == "did.webvh_key_not_authorised"
        assert code(later(log, 3, B)) == ""

    def test_several_proofs_must_all_be_right(self) -> None:
        log = created(update_keys=[B.public_key]).log
        (entry,) = entries(log)
        (other,) = entries(forged(log, lambda _: None, B))
        assert other["versionId"] == entry["versionId"]
        both = {**entry, "proof": entry["proof"] + other["proof"]}
        assert code(lines([both])) == ""
        both["proof"][1]["proofValue"] = entry["proof"][0]["proofValue"]
        assert code(lines([both])) == "signature.invalid"

    def test_one_proof_need_not_be_in_an_array(self) -> None:
        (entry,) = entries(created().log)
        assert code(lines([{**entry, "proof": entry["proof"][0]}])) == ""
        assert code(lines([{**entry, "proof": "x"}])) == "json.not_an_object"

    def test_keys_of_other_kinds(self) -> None:
        name = multikey.write(p256())
        log = forged(
            created().log,
            lambda entry: entry["parameters"].update(updateKeys=[name]),
            verificationMethod=f"did:key:{name}#{name}",
        )
        assert code(log) == "did.webvh_key_kind"


class TestPortability:
    def test_moved(self) -> None:
        made = created(portable=True)
        log = webvh.move(made.log, "new.lindau.example:city", A, day(2))
        last = judge(log).last
        assert last.did == f"did:webvh:{judge(log).scid}:new.lindau.example:city"
        assert last.state["alsoKnownAs"] == [made.did]
        assert last.state["verificationMethod"][0] == {
            "id": f"{last.did}#key-1",
            "type": "Multikey",
            "controller": last.did,
            "publicKeyMultibase": C.name,
        }
        assert code(log, did=made.did) == ""
        again = judge(webvh.move(log, PLACE, A, day(3))).last
        assert again.did == made.did
        assert again.state["alsoKnownAs"] == [made.did, last.did]

    def test_names_that_only_begin_alike_stay(self) -> None:
        made = created(portable=True)
        state = dict(judge(made.log).last.state) | {
            "service": [{"id": f"{made.did}/a", "x": f"{made.did}2", "y": f"{made.did}?a", "n": 1}]
        }
        log = webvh.move(later(made.log, state=state), "n.example", A, day(3))
        (service,) = judge(log).last.state["service"]
        new = judge(log).last.did
        assert service == {"id": f"{new}/a", "x": f"{made.did}2", "y": f"{new}?a", "n": 1}

    def test_only_where_the_first_entry_allows_it(self) -> None:
        assert refusal(webvh.move, created().log, "new.example", A, day(2)) == "did.webvh_moved"
        ended = later(created(portable=True).log, portable=False)
        assert refusal(webvh.move, ended, "new.example", A, day(3)) == "did.webvh_moved"

    def test_under_commitment(self) -> None:
        made = created(portable=True, next_keys=[B.public_key])
        log = webvh.move(made.log, "new.example", B, day(2), update_keys=[B.public_key], next_keys=[C.public_key])
        assert judge(log).last.parameters.next_key_hashes == (webvh.key_hash(C.public_key),)


class TestPreRotation:
    def test_the_hash_is_of_the_text(self) -> None:
        assert webvh.key_hash(B.public_key) == multihash.sha256(B.name.encode())

    def test_committed_keys_come_and_sign_at_once(self) -> None:
        log = created(next_keys=[B.public_key, THIEF.public_key]).log
        log = later(log, 2, B, update_keys=[B.public_key], next_keys=[C.public_key])
        log = later(log, 3, C, update_keys=[C.public_key], next_keys=[])
        assert judge(log).last.parameters.next_key_hashes == ()
        # Given up: from the next entry on, the entry before says who writes, and new keys need no commitment.
        assert code(later(log, 4, C, update_keys=[A.public_key])) == ""
        assert refusal(later, log, 4, A, update_keys=[A.public_key]) == "did.webvh_key_not_authorised"

    def test_the_key_before_does_not_sign(self) -> None:
        log = created(next_keys=[B.public_key]).log
        more: dict[str, Any] = {"update_keys": [B.public_key], "next_keys": []}
        assert refusal(later, log, 2, A, **more) == "did.webvh_key_not_authorised"
        assert code(later(log, 2, B, **more)) == ""

    @pytest.mark.parametrize("missing", ["update_keys", "next_keys"])
    def test_both_must_be_stated(self, missing: str) -> None:
        log = created(next_keys=[B.public_key]).log
        more: dict[str, Any] = {"update_keys": [B.public_key], "next_keys": [C.public_key]}
        assert code(later(log, 2, B, **more)) == ""
        del more[missing]
        assert refusal(later, log, 2, B, **more) == "did.webvh_not_committed"


class TestWitnesses:
    def test_threshold(self) -> None:
        log = created(witnesses=TWO).log
        assert code(log, word(log, W1, W2)) == ""
        assert code(log, word(log, W1, W2, W3)) == ""
        assert code(log, word(log, W1)) == "did.webvh_unwitnessed"
        assert code(log) == "did.webvh_unwitnessed"

    def test_a_later_word_covers_what_came_before(self) -> None:
        log = later(created(witnesses=TWO).log)
        assert code(log, word(log, W1, W2)) == ""
        first = word(lines(entries(log)[:1]), W1, W2, number=2)
        assert code(log, first) == "did.webvh_unwitnessed"
        assert code(log, word(log, W2, proofs=first)) == "did.webvh_unwitnessed"
        assert code(log, word(log, W2, W1, proofs=first)) == ""
        versions = witness.judge(logs.read(log, NOW), first)
        assert len(versions.versions) == 1
        assert versions.broken is not None

    def test_the_first_list_counts_at_once_and_the_next_one_later(self) -> None:
        log = later(created().log, witnesses=Witnesses(1, (W1.name,)))
        assert code(log) == "did.webvh_unwitnessed"
        proofs = word(log, W1)
        assert code(log, proofs) == ""
        log = later(log, 3, witnesses=Witnesses(1, (W2.name,)))
        assert refusal(word, log, W2, proofs=proofs) == "did.webvh_not_a_witness"
        proofs = word(log, W1, proofs=proofs)
        assert code(log, proofs) == ""
        log = later(log, 4)
        assert refusal(word, log, W1, proofs=proofs) == "did.webvh_not_a_witness"
        assert code(log, word(log, W2, proofs=proofs)) == ""

    def test_going_without_needs_their_word_too(self) -> None:
        log = later(created(witnesses=TWO).log, no_witnesses=True)
        assert judge(log, word(log, W1, W2)).last.parameters.witness is None
        first = word(lines(entries(log)[:1]), W1, W2, number=2)
        assert code(log, first) == "did.webvh_unwitnessed"
        log = later(log, 3)
        proofs = word(lines(entries(log)[:2]), W1, W2, number=3)
        assert code(log, proofs) == ""
        assert refusal(word, log, W1) == "did.webvh_not_a_witness"

    def test_a_proof_without_a_file_is_an_empty_file(self) -> None:
        log = created().log
        assert code(log, b"not even JSON") == ""  # nobody is asked, nothing is looked at
        assert code(created(witnesses=TWO).log, b"not even JSON") == "json.syntax"

    def test_the_file(self) -> None:
        log = created(witnesses=TWO).log
        good = json.read(word(log, W1, W2))
        assert witness.read(json.write(good))[0][0] == judge(log, json.write(good)).last.id
        for found, expected in (
            (b"{}", "json.wrong_type"),
            (b"[1]", "json.not_an_object"),
            (b'[{"proof":[]}]', "json.missing"),
            (b'[{"versionId":"x","proof":{}}]', "json.wrong_type"),
            (bytes(limits.WEBVH_LOG + 1), "did.webvh_log_size"),
        ):
            assert code(log, found) == expected
        good[0]["proof"] *= limits.WEBVH_PROOFS // 2
        assert code(log, json.write(good)) == ""
        good[0]["proof"].append(1)
        assert code(log, json.write(good)) == "did.webvh_too_many"
        assert code(log, b'[{"versionId":"x"}]') == "did.webvh_unwitnessed"

    def test_what_counts_for_nothing(self) -> None:
        log = created(witnesses=TWO).log
        good = json.read(word(log, W1, W2))
        for wrong in (1, {}, {**good[0]["proof"][0], "proofValue": good[0]["proof"][1]["proofValue"]}):
            assert code(log, json.write([{**good[0], "proof": [wrong, *good[0]["proof"]]}])) == ""
            assert (
                code(log, json.write([{**good[0], "proof": [wrong, good[0]["proof"][1]]}])) == "did.webvh_unwitnessed"
            )

    def test_ids_without_did_key(self) -> None:
        parameter = {"threshold": 1, "witnesses": [{"id": W1.name}]}
        log = forged(created().log, lambda entry: entry["parameters"].update(witness=parameter))
        assert code(log, word(log, W1)) == ""
        twice = {"threshold": 1, "witnesses": [{"id": W1.name}, {"id": f"did:key:{W1.name}"}]}
        log = forged(created().log, lambda entry: entry["parameters"].update(witness=twice))
        assert code(log) == "did.webvh_witness_twice"

    def test_a_witness_is_an_ed25519_key(self) -> None:
        parameter = {"threshold": 1, "witnesses": [{"id": f"did:key:{multikey.write(p256())}"}]}
        log = forged(created().log, lambda entry: entry["parameters"].update(witness=parameter))
        assert code(log) == "did.webvh_key_kind"

    def test_members_of_the_parameter(self) -> None:
        for value, expected in (
            ({"threshold": 1, "witnesses": [{"id": W1.name, "weight": 1}]}, "did.webvh_unwitnessed"),
            ({"threshold": 1, "witnesses": [{"id": W1.name}], "selfWeight": 1}, "json.unknown_member"),
            ({"threshold": 1}, "json.missing"),
            ({"witnesses": [{"id": W1.name}]}, "json.missing"),
            ({"threshold": 1, "witnesses": []}, "did.webvh_witness_threshold"),
        ):
            log = forged(created().log, lambda entry, value=value: entry["parameters"].update(witness=value))  # type: ignore[misc]
            assert code(log) == expected


class TestWitnessing:
    def test_word_for_the_log_that_was_seen(self) -> None:
        log = created(witnesses=TWO).log
        seen = judge(log, word(log, W1, W2)).last.id
        longer = later(log)
        given = webvh.approve(longer, W1, day(2), seen=seen)
        assert given["versionId"] == entries(longer)[1]["versionId"]
        other = later(log, 3)
        assert refusal(webvh.approve, other, W1, day(4), seen=given["versionId"]) == "did.webvh_forked"
        assert refusal(webvh.approve, log, W1, day(4), seen=given["versionId"]) == "did.webvh_truncated"
        assert refusal(webvh.approve, log, W1, day(4), seen="1") == "did.webvh_version_id"
        assert refusal(webvh.approve, log, THIEF, day(4), seen="") == "did.webvh_not_a_witness"
        assert refusal(webvh.approve, created().log, W1, day(4), seen="") == "did.webvh_not_a_witness"

    def test_a_word_of_no_use(self) -> None:
        log = created(witnesses=TWO).log
        longer = later(log)
        old = json.write(webvh.approve(log, W1, day(1), seen=""))
        assert json.read(webvh.with_proof(b"", old, log, day(2)))
        assert refusal(webvh.with_proof, b"", old, longer, day(2)) == "did.webvh_proof_unused"
        spoiled = old.replace(b"assertionMethod", b"authentication")
        assert refusal(webvh.with_proof, b"", spoiled, log, day(2)) == "did.webvh_proof_unused"

    def test_the_file_keeps_two_of_each(self) -> None:
        log, proofs = created(witnesses=TWO).log, b""
        for number in range(2, 6):
            log = later(log, number)
            proofs = word(log, W1, W1, W2, proofs=proofs)
        kept = json.read(proofs)
        assert [len(item["proof"]) for item in kept] == [2, 2]
        assert [item["versionId"][:1] for item in kept] == ["4", "5"]
        assert code(log, proofs) == ""


class TestKeysOfADocument:
    """`with_keys` leaves everything else as it is."""

    STATE: ClassVar[dict[str, Any]] = {
        **webvh.document("did:webvh:Qm:a.example", {"one": A.public_key, "two": B.public_key}),
        "keyAgreement": [{"id": "did:webvh:Qm:a.example#own", "type": "Multikey"}, "#two"],
        "service": [{"id": "#files"}],
    }

    def test_added(self) -> None:
        made = webvh.with_keys(self.STATE, {"three": C.public_key})
        assert [one["id"].partition("#")[2] for one in made["verificationMethod"]] == ["one", "two", "three"]
        assert made["assertionMethod"][-1] == "did:webvh:Qm:a.example#three"
        assert {name: made[name] for name in ("service", "keyAgreement", "@context", "id")} == {
            name: self.STATE[name] for name in ("service", "keyAgreement", "@context", "id")
        }

    def test_taken_out(self) -> None:
        made = webvh.with_keys(self.STATE, {}, ["two", "own"])
        assert [one["id"].partition("#")[2] for one in made["verificationMethod"]] == ["one"]
        assert made["authentication"] == ["did:webvh:Qm:a.example#one"]
        assert "keyAgreement" not in made
        assert "verificationMethod" not in webvh.with_keys(self.STATE, {}, ["one", "two"])

    def test_put_anew(self) -> None:
        made = webvh.with_keys(self.STATE, {"one": C.public_key})
        assert [one["publicKeyMultibase"] for one in made["verificationMethod"]] == [B.name, C.name]

    @pytest.mark.parametrize(
        ("context", "expected"),
        [
            (None, list(writing.CONTEXTS)),
            ("https://www.w3.org/ns/did/v1", list(writing.CONTEXTS)),
            (["https://www.w3.org/ns/did/v1.1"], ["https://www.w3.org/ns/did/v1.1"]),
            (["https://a.example"], ["https://a.example", *writing.CONTEXTS]),
        ],
    )
    def test_its_context_knows_the_keys(self, context: Any, expected: list[str]) -> None:
        state = {name: value for name, value in self.STATE.items() if name != "@context"}
        if context is not None:
            state["@context"] = context
        assert webvh.with_keys(state, {"three": C.public_key})["@context"] == expected
        assert webvh.with_keys(self.STATE, {})["@context"] == list(writing.CONTEXTS)
