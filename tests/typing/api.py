"""Ordinary uses of the public names. Type-checked by mypy --strict, never run: what stands here must keep compiling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never, assert_type

from cityid import (
    FORMATS,
    Accepted,
    Asked,
    Challenge,
    Check,
    CityIdError,
    Consent,
    Credential,
    CredentialType,
    Issuer,
    Malformed,
    Misuse,
    Outcome,
    Plan,
    Policy,
    Problem,
    Refused,
    Rejected,
    Request,
    Response,
    Step,
    Unavailable,
    Unbound,
    Verdict,
    accept,
    begin,
    explain,
    load_policy,
    options,
    present,
    verify,
    verify_answer,
)
from cityid.cards import CardRequest, Cards, Offer
from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.files import types
from cityid.edge.http import Http
from cityid.edge.http_async import AsyncHttp
from cityid.edge.messages import Audience, Said
from cityid.edge.recorded import Recorder, Replay, offline, read_record
from cityid.edge.software_keys import FileKeyring, MemoryKeyring
from cityid.edge.wallet_file import WalletFile
from cityid.keys import KeyAgreement, Keyring, PublicKey, Signer
from cityid.presenting import Nothing, Options, Shown, sent
from cityid.register import Register
from cityid.sessions import Sessions
from cityid.trust import TrustList
from cityid.verifying import AnswerAccepted, AnswerRejected
from cityid.wallet import Card, Wallet

AT = datetime(2026, 11, 22, tzinfo=UTC)


def a_service_asks_for_one_card(card: bytes, nonce: str) -> Mapping[str, Any] | None:
    policy = load_policy("library.toml")
    challenge = Challenge("x509_san_dns:library.example", nonce)
    plan = verify(card, "dc+sd-jwt", challenge, policy, AT)
    assert_type(plan, Plan[Verdict])
    verdict = plan.run(Http())
    if verdict:
        assert_type(verdict, Accepted)
        return verdict.claims
    assert_type(verdict, Rejected)
    assert_type(verdict.reason, Problem)
    return None


def only_yes_has_claims(verdict: Accepted | Rejected) -> object:
    if not verdict:
        return verdict.claims  # type: ignore[attr-defined]
    match verdict:
        case Accepted():
            return verdict.issuer
        case _:
            assert_never(verdict)


def or_an_exception(card: bytes, challenge: Challenge, policy: Policy) -> str:
    try:
        return verify(card, "dc+sd-jwt", challenge, policy, AT).run(Http()).require().issuer
    except Refused as error:
        return error.code
    except (Malformed, Unavailable, Misuse) as error:
        return explain(error.problem, audience=Audience.PERSON).text


def a_plan_is_no_answer(card: bytes, policy: Policy) -> None:
    if verify(card, "dc+sd-jwt", Unbound(), policy, AT):
        # mypy knows that nobody gets here: a plan has judged nothing yet
        print("not reached")  # type: ignore[unreachable]


async def in_a_loop(card: bytes, challenge: Challenge, policy: Policy) -> bool:
    verdict = await verify(card, "dc+sd-jwt", challenge, policy, AT).run_async(AsyncHttp())
    return bool(verdict)


async def not_connected(card: bytes, challenge: Challenge, policy: Policy) -> tuple[Verdict, Verdict]:
    now = verify(card, "dc+sd-jwt", challenge, policy, AT).run(offline)
    return now, await verify(card, "dc+sd-jwt", challenge, policy, AT).run_async(offline)


def a_whole_answer(token: Mapping[str, Any], asked: Asked, sessions: Sessions) -> list[Mapping[str, Any]]:
    verdict = verify_answer(token, asked, AT, sessions=sessions, formats=FORMATS).run(Http())
    if verdict:
        assert_type(verdict, AnswerAccepted)
        return [one.claims for group in verdict.accepted.values() for one in group]
    assert_type(verdict, AnswerRejected)
    assert_type(verdict.undecided, bool)
    return []


def what_was_checked(verdict: Verdict) -> list[str]:
    failed: list[Check] = [check for check in verdict.checks if check.outcome is Outcome.FAILED]
    said: list[Said] = [explain(check) for check in failed]
    return [step.value for step in Step] + [one.text for one in said]


def recorded_and_replayed(card: bytes, challenge: Challenge, policy: Policy) -> Verdict:
    recorder = Recorder(Http())
    verify(card, "dc+sd-jwt", challenge, policy, AT).run(recorder)
    record = read_record(recorder.record(AT, {}).write())
    return verify(card, "dc+sd-jwt", challenge, policy, record.at).run(Replay(record))


def an_exchange_of_ones_own(request: Request) -> Response:
    return Response(200, {"content-type": "application/json"}, b"{}", AT)


def a_city_issues(issuer: Issuer, request: CardRequest) -> Cards:
    offer = issuer.offer("residency", {"given_name": "Ada"}, by="clerk-1", at=AT)
    assert_type(offer, Offer)
    return issuer.answer(request, at=AT)


def a_resident_takes_and_shows(
    offer: Offer, cards: Cards, wallet: Wallet, trust: TrustList, asked: Asked
) -> Shown | None:
    request = begin(offer, wallet, AT)
    assert_type(request, CardRequest)
    card = accept(cards, wallet, trust, AT).run(an_exchange_of_ones_own)
    assert_type(card, Card)
    assert_type(card.credential, Credential)
    found = options(wallet, asked.query, AT)
    if not found:
        assert_type(found, Nothing)
        return None
    assert_type(found, Options)
    shown = present(Consent(found.best, AT), asked.challenge, wallet, AT)
    sent(shown, asked.challenge.audience, wallet, AT)
    return shown


def stores_fit_their_protocols(
    wallet: WalletFile, file: FileKeyring
) -> tuple[Wallet, Register, Sessions, Keyring, Keyring]:
    return wallet, SqliteRegister("register.sqlite"), SqliteSessions("sessions.sqlite"), MemoryKeyring(), file


def keys_are_capabilities(keyring: Keyring, key: PublicKey) -> tuple[Signer, KeyAgreement | None]:
    signer = keyring.signer(key)
    key.verify(signer.sign(b"message"), b"message")
    return signer, None


def types_are_data() -> CredentialType:
    return types()["residency"]


def every_no_has_a_code(error: CityIdError) -> str:
    return error.problem.code
