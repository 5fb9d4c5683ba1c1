"""ANYONE and ANYTHING: judging without a trust list and without a question, and who may do so."""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.checks import Accepted, Outcome, Rejected, Step, Verdict
from cityid.credential import CertificateChain, DidUrl, KeyRef, StatusRef, Unbound, WebIssuer, Window
from cityid.did import key
from cityid.formats import FORMATS
from cityid.policy import Policy
from cityid.query.anything import ANYTHING
from cityid.trust import TrustEntry, TrustList
from cityid.trust.anyone import ANYONE, ANYONE_BY_ANY_KEY
from cityid.verifying import verify
from tests.city import NOW, TYPES, no_network
from tests.credentials import DID, ISSUER, VCT, draft
from tests.paths import TREE


def policy(**changed: Any) -> Policy:
    return replace(Policy("", ANYTHING, TYPES, {}, ANYONE), **changed)


def judged(raw: bytes, **changed: Any) -> Verdict:
    return verify(raw, "dc+sd-jwt", Unbound(), policy(**changed), NOW).run(no_network)


REF = KeyRef(DidUrl(DID, "issuer-1"))


class TestAnyone:
    """Controlled Identifiers 1.0 §3.3: the key is the issuer's own, and that is all."""

    def test_a_stranger_by_a_key_of_their_own(self) -> None:
        check = ANYONE.check(REF, DID, ("any",), NOW)
        assert check.outcome is Outcome.PASSED
        assert check.facts == {"issuer": DID, "type": "any", "name": "", "list": "anyone"}
        assert ANYONE.check(REF, DID, (), NOW).facts["type"] == ""

    def test_an_https_issuer_by_a_key_of_their_own(self) -> None:
        web = "https://id.lindau.example"
        assert ANYONE.check(KeyRef(WebIssuer(web, "")), web, (), NOW).outcome is Outcome.PASSED

    def test_another_s_key(self) -> None:
        ref = KeyRef(DidUrl("did:web:other.example", "key"))
        check = ANYONE.check(ref, DID, (), NOW)
        assert check.problem is not None
        assert check.problem.code == "trust.key_of_other"
        assert ANYONE_BY_ANY_KEY.check(ref, DID, (), NOW).outcome is Outcome.PASSED

    def test_a_chain_leads_to_no_root(self) -> None:
        check = ANYONE_BY_ANY_KEY.check(KeyRef(CertificateChain((b"",))), DID, (), NOW)
        assert check.problem is not None
        assert check.problem.code == "trust.unknown_issuer"

    def test_nothing_is_demanded(self) -> None:
        assert ANYONE.status(REF, DID, ("any",)) == "none"
        assert not ANYONE.must_end
        assert ANYONE.status_issuers(REF, NOW) == frozenset()


class TestVerifying:
    """The library's own nine steps, with both in the place of a policy's."""

    def test_all_claims_come_back(self) -> None:
        verdict = judged(card())
        assert isinstance(verdict, Accepted)
        assert [check.outcome for check in verdict.checks] == [Outcome.PASSED] * len(Step)
        assert verdict.claims["address"]["locality"] == "Lindau"
        assert verdict.claims["municipality"] == "Lindau"
        assert verdict.issuer == ISSUER_DID

    def test_what_never_ends_is_taken_where_nobody_is_trusted(self) -> None:
        raw = card(window=Window(NOW))
        assert judged(raw)
        assert reason(judged(raw, trust=with_end())) == "validity.no_end"

    def test_what_has_ended_is_not(self) -> None:
        ended = Window(NOW - timedelta(days=2), NOW - timedelta(days=1))
        assert reason(judged(card(window=ended))) == "validity.expired"

    def test_a_status_that_is_there_is_looked_at(self) -> None:
        raw = card(status=(StatusRef("status_list", "https://id.lindau.example/status/1", 7),))
        assert not judged(raw)

    def test_a_changed_signature(self) -> None:
        raw = card()
        head, mark, rest = raw.partition(b"~")
        changed = head[:-4] + (b"AAAA" if head[-4:] != b"AAAA" else b"BBBB") + mark + rest
        assert reason(judged(changed)) == "signature.invalid"


ISSUER_DID = key.create(ISSUER.public_key)


def card(**changed: Any) -> bytes:
    ref = KeyRef(DidUrl(ISSUER_DID, ISSUER_DID.removeprefix("did:key:")))
    made = draft(**{"issuer": ISSUER_DID, "signed_by": ref, "window": Window(NOW, NOW + timedelta(days=1)), **changed})
    return FORMATS["dc+sd-jwt"].issue(made, ISSUER, at=NOW, entropy=secrets.token_bytes).raw


def with_end() -> TrustList:
    return TrustList((TrustEntry("did", (VCT,), did=ISSUER_DID, status="none"),))


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Rejected)
    return verdict.reason.code


# --- nowhere else -----------------------------------------------------------------------------------------------------

ALLOWED = re.compile(
    r"cityid/(vc_api/.+|trust/anyone|query/anything|formats/data_integrity/ldp_vc)\.py|cli/(inspect\w*|conformance\w*)\.py"
)


def users(tree: Path) -> Iterator[str]:
    """The modules that name one of the values, or import from where they stand."""
    for folder in ("cityid", "cli"):
        for file in sorted((tree / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = [getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "module", "") or ""]
                names += [alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)]
                if any(
                    re.search(
                        r"\b(ANYONE|ANYONE_BY_ANY_KEY|ANYTHING|LDP_VC_ANY_CONTEXT|in_any_context)\b|\b(anyone|anything)$",
                        name,
                    )
                    for name in names
                ):
                    yield str(file.relative_to(tree))


def test_only_the_server_and_inspect_judge_without_trust() -> None:
    found = set(users(TREE))
    assert {name for name in found if not ALLOWED.fullmatch(name)} == set()


@pytest.mark.parametrize(
    "line",
    ["from cityid.trust.anyone import ANYONE", "from cityid.query import anything", "trust.anyone.ANYONE_BY_ANY_KEY"],
)
def test_another_part_that_does_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "cityid").mkdir()
    (tmp_path / "cityid" / "policy.py").write_text(line + "\n")
    assert set(users(tmp_path)) == {"cityid/policy.py"}
    (tmp_path / "cityid" / "policy.py").write_text("from cityid.trust import TrustList\n")
    assert set(users(tmp_path)) == set()
