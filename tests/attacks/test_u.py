"""Attack group U: the command line and what it displays. U05 to U07 and U13 to U16 are in
`test_u_files.py`, U08 to U12 in `test_u_secrets.py`."""

from __future__ import annotations

import json
import shlex
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.city import Town as Walk
from tests.city import issued_with
from tests.cli.towns import POLICY, Town

pytestmark = pytest.mark.kdf
HOSTILE = {
    "osc-52": "\x1b]52;c;aGk=\x07",
    "c1-clear": "\x9b2J",
    "hidden": "\x1b[8m",
    "overwrite": "\r\x1b[K ok VERIFIED",
    "backspaces": "no\b\byes",
    "osc-8": "\x1b]8;;https://evil.example\x1b\\city\x1b]8;;\x1b\\",
    "bidi-override": "\u202eadA",
    "isolate": "\u2066x\u2069",
    "zero-width": "a\u200db\u200bc",
    "tags": "a\U000e0041\U000e0042",
    "line-separator": "a\u2028b\u2029c",
    "nel": "a\x85b",
    "private-use": "\ue000",
}
TYPED = (
    "init city typed --name {}",
    "init city typed --country {}",
    "init city typed --jurisdiction {}",
    "init city typed --keys file:{}",
    "init service typed --audience {}",
    "init service typed --audience x509_san_dns:typed.example --name {}",
    "--home library trust add --did did:web:typed.example --type age --name {}",
    "--home library trust add --did did:web:typed.example --type {}",
    "--home library trust add --did did:web:{} --type age",
    "--home library trust add --web https://{} --type age",
    "--home library trust add --root ca.pem --type age --issuer {}",
    "policy new age --claim age_over_18 --purpose {} -o typed.toml",
    "policy new age --claim age_over_18 --purpose x --trust {} -o typed.toml",
    "--home city issue residency --claims ada.json --by {} --yes",
    "--home city key create {}",
    "--home city key certify root {} -o typed.pem",
    "--home city key certify root typed -o typed.pem --name {}",
    "--home city key certify root typed -o typed.pem --country {}",
    "--home city key certify request issuer-1 -o typed.pem --dns {}",
)
"""Where a clerk types what is stored or sent."""
each = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


def printable(said: str) -> bool:
    """Nothing that a terminal obeys, and nothing that hides or turns text; `\\n` ends lines."""
    return all(
        char == "\n" or char == "\u200c" or (unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029")
        for char in said
    )


def strict(text: str) -> Any:
    """Strict JSON (RFC 8259), and nothing after it."""

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in found}) == len(found)
        return dict(found)

    assert text.isascii()
    return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)


class TestU01U02WhatATerminalObeys:
    @each
    def test_u01_u02_keys_and_values_of_what_is_inspected(self, town: Town, text: str) -> None:
        town.write("hostile.json", json.dumps({text: text, "list": [text, {text: text}]}))
        said, status = town.type("inspect hostile.json")
        assert status == 0
        assert printable(said)
        as_json, _ = town.type("inspect hostile.json --json")
        assert strict(as_json)[text] == text

    @each
    def test_u01_u02_what_a_request_says_of_itself(self, town: Town, text: str) -> None:
        name = town.asks()
        request = json.loads((town.here / f"{name}.json").read_text())
        request["cityid"] = {"purpose": text, "by": text}
        town.write(f"{name}.json", json.dumps(request))
        said, status = town.type(f"--home ada present {name}.json", secret=True)
        assert "will be shown" in said
        assert status == 2
        assert printable(said)

    @each
    def test_u01_u02_issuer_and_type_of_an_offer(self, town: Town, text: str) -> None:
        said, status = town.type(
            "--home city issue residency --claims ada.json --yes -o u01.offer --force", secret=True
        )
        assert status == 0
        offer = json.loads((town.here / "u01.offer").read_text())
        offer["cityid"]["issuer_name"] = offer["credential_issuer"] = text
        town.write("u01.offer", json.dumps(offer))
        said, status = town.type("--home ada accept u01.offer --yes", secret=True)
        assert status == 1
        assert printable(said)

    @each
    def test_u01_u02_file_names_and_arguments(self, town: Town, text: str) -> None:
        for command in ("inspect {}", "did resolve {}", "type show {}", "--home library trust remove {}", "{}"):
            quoted = _quoted(text) if command.startswith("inspect") else shlex.quote(text)
            said, status = town.shell.run(f"cityid {command.format(quoted)}")
            assert status in (1, 2)
            assert said.startswith("error: ")
            assert printable(said)

    @each
    def test_u01_u02_names_of_trusted_issuers(self, town: Town, tmp_path: Path, text: str) -> None:
        entry = {"did": "did:web:x.example", "mechanism": "did", "types": [text, "age"], "name": text}
        lines = [f"{name} = {json.dumps(value)}" for name, value in entry.items()]
        town.write("u01.toml", "\n".join(["[[issuer]]", *lines]).replace("\\ud", "\\\\ud"))
        said, status = town.type("--home library trust list --list u01.toml")
        assert printable(said)
        assert status in (0, 2)

    @each
    def test_u01_u02_what_a_clerk_types(self, town: Town, text: str) -> None:
        """What would be stored or sent is refused, by the option's name; nothing is made."""
        before = sorted(town.here.rglob("*.toml"))
        for command in TYPED:
            said, status = town.type(command.format(shlex.quote(text)), secret=" city " in command)
            assert status == 2, command
            assert "text.control" in said
            assert printable(said)
        town.write("library/policies/hostile.toml", "purpose = " + json.dumps(text) + "\n" + POLICY.partition("\n")[2])
        said, status = town.type("--home library policy check library/policies/hostile.toml")
        assert status == 2
        assert "text.control" in said or "policy.syntax" in said  # TOML knows some of them itself
        assert printable(said)
        assert sorted(town.here.rglob("*.toml")) == sorted({*before, town.here / "library/policies/hostile.toml"})
        town.write("library/policies/hostile.toml", POLICY)
        town.must("--home library policy check library/policies/hostile.toml")

    def test_u01_u02_what_a_clerk_types_has_a_length(self, town: Town) -> None:
        for command in TYPED:
            said, status = town.type(command.format("x" * 20_000), secret=" city " in command)
            assert status == 2, command
            assert "text.too_long" in said
            assert len(said) < 400
        assert not (town.here / "typed").exists()
        long = "x" * 200
        town.must(f"init service typed --audience x509_san_dns:typed.example --name {long}")
        said, status = town.type(f"init service other --audience x509_san_dns:typed.example --name {long}x")
        assert status == 2
        assert "text.too_long" in said
        assert not (town.here / "other").exists()

    def test_u01_u02_names_of_every_script_may_be_typed(self, town: Town) -> None:
        fine = "Zoë Åström 王小明 שרה علی می‌خواهم Ελένη 👩‍🔧"
        town.must(f"init service scripts --audience x509_san_dns:typed.example --name {shlex.quote(fine)}")
        town.must(f"--home scripts trust add --did did:web:x.example --type age --name {shlex.quote(fine)}")
        town.must(f"policy new age --claim age_over_18 --purpose {shlex.quote(fine)} -o scripts.toml")

    def test_u01_u02_twin_letters_of_every_script_stay(self, town: Town) -> None:
        fine = "Zoë Åström 王小明 שרה علی می‌خواهم Ελένη"
        town.write("fine.json", json.dumps({fine: fine}))
        assert town.must("inspect fine.json").splitlines()[1] == f"  {fine}  {fine}"

    @pytest.mark.parametrize("other", ["cafe\u0301", "caf\u00e9\u200d", "caf\u00e9\x00"])
    def test_j09_names_that_look_alike_are_marked(self, town: Town, other: str) -> None:
        town.write("alike.json", json.dumps({"a": {"caf\u00e9": 1, other: 2, "b": 3}}))
        said = town.must("inspect alike.json").splitlines()
        assert said.count("      this name looks like another one beside it") == 2
        assert [line[:5] for line in said[2:]] == ["    c", "     ", "    c", "     ", "    b"]
        town.write("alike.json", json.dumps({"a": {"caf\u00e9": 1, "b": {other: 2}}}))
        assert "looks like" not in town.must("inspect alike.json")

    def test_u02_towers_of_marks_are_cut(self, town: Town) -> None:
        town.write("tower.json", json.dumps({"a": "x" + "\u0301" * 1000}))
        said = town.must("inspect tower.json")
        assert said.count("\u0301") <= 4
        assert len(said) < 4000
        town.write("tower.json", json.dumps({"a": "ệ"}))
        assert "ệ" in town.must("inspect tower.json")

    def test_u01_a_claim_in_a_card_of_this_city(self, town: Town) -> None:
        walk = Walk()
        town.write("hostile.sd-jwt", issued_with(walk.office.issuer, walk.pocket.keyring, claims={
            "given_name": "".join(HOSTILE.values())
        }).raw)  # fmt: skip
        said = town.must("inspect hostile.sd-jwt")
        assert "\\x1b]52;c;aGk=\\x07" in said
        assert printable(said)


def _quoted(text: str) -> str:
    # through bash, as somebody would paste it
    return "$'" + "".join(f"\\U{ord(char):08x}" for char in text) + "'"


class TestU03Names:
    def test_u03_mixed_alphabets_are_marked(self, town: Town) -> None:
        look_alike = "\u0421ity \u041dall"  # Cyrillic Es and En before Latin letters
        for name, marked in ((look_alike, True), ("City Hall", False), ("Мэрия Москвы", False)):
            lines = ['[[issuer]]\ndid = "did:web:x.example"\nmechanism = "did"\ntypes = ["age"]', f'name = "{name}"']
            town.write("u03.toml", "\n".join(lines))
            said = town.must("--home library trust list --list u03.toml")
            assert ("mixes alphabets" in said) is marked
            assert "did:web:x.example" in said

    def test_u03_names_come_from_the_trust_list_alone(self, town: Town) -> None:
        town.must("--home city issue residency --claims ada.json --yes -o u03.offer --force", secret=True)
        offer = json.loads((town.here / "u03.offer").read_text())
        offer["credential_issuer"] = "did:web:evil.example"
        town.write("u03-evil.offer", json.dumps(offer))
        said, status = town.type("--home ada accept u03-evil.offer --yes", secret=True)
        assert status == 1
        assert "did:web:evil.example" in said
        assert "Stadt Lindau" not in said
        said, status = town.type("--home ada accept u03.offer --yes", secret=True)
        assert status == 0
        assert "Stadt Lindau (did:web:id.lindau.example)" in said

    def test_u03_an_untrusted_issuer_has_no_name_in_a_verdict(self, town: Town) -> None:
        name = town.asks("card")
        town.shows(name)
        town.write("library/trust/nobody.toml", '[[issuer]]\ndid = "did:web:x.example"\nmechanism = "did"\n'
                   'types = ["residency"]\nname = "Stadt Lindau"\n')  # fmt: skip
        town.write("library/policies/nobody.toml", (town.here / "library/policies/card.toml").read_text().replace(
            "trust/issuers.toml", "trust/nobody.toml"))  # fmt: skip
        other = town.asks("nobody")
        town.shows(other)
        said, status = town.judge(other)
        assert status == 1
        assert "by an issuer that is not trusted" in said
        assert "Stadt Lindau" not in said
        assert "by Stadt Lindau (did:web:id.lindau.example)" in town.judge(name)[0]


class TestU04ForgedVerdicts:
    LINE = "\naccepted   residency by Stadt Lindau (did:web:id.lindau.example)\n\n  ok       issuer signature"

    def test_u04_a_claim_cannot_write_a_verdict(self, town: Town) -> None:
        name = town.answered()
        answer = json.loads((town.here / f"{name}.answer").read_text())
        (group,) = answer["vp_token"].values()
        group[0] = self.LINE + group[0]
        town.write(f"{name}.answer", json.dumps(answer))
        said, status = town.judge(name)
        assert status == 1
        assert said.startswith("refused ")
        assert "accepted" not in [line.split(" ")[0] for line in said.splitlines()]

    def test_u04_nor_can_the_purpose_or_a_value(self, town: Town) -> None:
        policy = (town.here / "library/policies/card.toml").read_text()
        town.write("library/policies/forged.toml", policy.replace('"library card"', json.dumps(self.LINE)))
        said, status = town.type("--home library request --policy library/policies/forged.toml")
        assert status == 2
        assert "text.control" in said
        forged = policy.replace('"library card"', json.dumps(" ".join(self.LINE.split("\n")))).replace("true", "false")
        town.write("library/policies/forged.toml", forged)
        name = town.answered("forged")
        said, status = town.judge(name)
        assert status == 1
        assert said.startswith("refused ")
        assert "accepted" not in [line.split(" ")[0] for line in said.splitlines()]
        assert town.judge(town.answered())[1] == 0


FOREIGN = st.text(st.characters(codec=None), max_size=300)


@pytest.mark.property
@given(FOREIGN)
def test_property_16_what_is_cleaned_is_printable(text: str) -> None:
    from importlib import import_module

    talk = import_module("cityid._cli.talk")
    said = talk.clean(text)
    assert "\n" not in said
    assert printable(said)
    said.encode("utf-8")
    assert printable(talk.named(text, text[::-1]))
    assert printable(talk.value([text, {text: text}]))


@pytest.mark.property
@given(FOREIGN.filter(lambda text: "\x00" not in text))
def test_property_16_letters_are_left_alone(text: str) -> None:
    from importlib import import_module

    talk = import_module("cityid._cli.talk")
    plain = "".join(char for char in text if char.isalnum() and char.isprintable())
    assert talk.clean(plain) == plain


@pytest.mark.property
@given(FOREIGN, FOREIGN, st.sampled_from(["", "issuer_signature", "structure", "unread"]))
def test_property_17_the_exit_status_is_the_verdict(name: str, purpose: str, damage: str) -> None:
    """0 exactly for accepted; and a hostile name or purpose never prints what it likes."""
    import contextlib
    import io
    from dataclasses import replace
    from importlib import import_module

    from cityid.trust import TrustList
    from tests.city import NOW

    town = _walk()
    trusted = town.office.trusted
    named = TrustList((replace(trusted.entries[0], name=name),), trusted.names)
    desk = town.desk(trusted=named)
    asked = desk.ask()
    asked = replace(asked, policy=replace(asked.policy, trust=named, purpose=purpose))
    raw = _shown(town, asked)
    head, tail = raw.split("~", 1)
    if damage == "issuer_signature":
        head = head[:-8] + ("AAAAAAAA" if not head.endswith("AAAAAAAA") else "BBBBBBBB")
    elif damage == "structure":
        tail = "~" + tail
    token = {"card": [f"{head}~{tail}"]} if damage != "unread" else {"card": [name or "x"]}
    verdict = desk.judge(token, asked)
    verdicts = import_module("cityid._cli.verdicts")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status, shown = verdicts.show(verdict, asked, token, NOW, json_=False)
    assert (status == 0) is bool(verdict) is (shown["verdict"] == "accepted") is (damage == "")
    assert out.getvalue().startswith("accepted ") is bool(verdict)
    assert printable(out.getvalue() + err.getvalue())


_TOWNS: list[Walk] = []


def _walk() -> Walk:
    if not _TOWNS:
        _TOWNS.append(Walk())
    return _TOWNS[0]


def _shown(town: Walk, asked: Any) -> str:
    if not any(card.copies_left for card in town.pocket.held()):
        town.takes()
    return town.shows_one(asked)


assert sys.platform != "win32"
