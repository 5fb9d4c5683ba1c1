"""The trust file: what it may say, how it is changed, and its schema."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cityid import trust
from cityid.credential import KeyRef, WebIssuer
from cityid.edge.recorded import offline
from cityid.errors import Misuse
from cityid.keys.certify import pem
from cityid.trust import TrustList
from tests.credentials import DID, ISSUER, NOW, VCT, WEB, did_document, did_ref, jwks, outcome
from tests.paths import TREE
from tests.spec.test_trust import BEGIN, LEAF, NAMES, OTHER_ROOT, ROOT

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

    def test_remove_one_whose_name_is_in_its_certificates(self) -> None:
        """By the name under which `cityid trust list` shows it; others under the same root stay."""
        named = one(did="", mechanism='"x5c"', root='"ca.pem"', issuer='"https://id.bregenz.example"')
        other = named.replace("bregenz", "wangen")
        assert trust.remove(named + other, "https://id.bregenz.example") == other
        assert trust.remove(named + other, "ca.pem") == ""

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
            "issuer", "status_issuer", "status_eku", "status_lists", "log", "witness_proofs", "seen",
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
