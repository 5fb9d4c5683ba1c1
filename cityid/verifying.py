"""Verifying: gather only what is worth gathering, then judge; nine Steps, each exactly once in each verdict.

The order is a security property: nothing is fetched before the issuer is trusted, no key is used before it was found
where the trust entry says, and nobody asks for a status before all else has passed. Claims exist only after yes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn, TypeAlias

from cityid import limits, status, trust
from cityid.checks import (
    NOT_REACHED,
    PASSED,
    Accepted,
    Check,
    Outcome,
    Rejected,
    Step,
    Verdict,
    failed,
    undecided,
    waived,
)
from cityid.credential import Challenge, Credential, KeyRef, Presentation, Unbound
from cityid.credential_type.definition import VERIFIABLE_CREDENTIAL
from cityid.encoding.times import check_aware
from cityid.errors import Malformed, Misuse, Problem, Refused, Unavailable
from cityid.formats import FORMATS, Format, wire
from cityid.keys import PublicKey
from cityid.plan import Steps, plan
from cityid.policy import Policy
from cityid.query import CredentialQuery, Query
from cityid.sessions import Sessions

__all__ = ["AnswerAccepted", "AnswerRejected", "AnswerVerdict", "Asked", "not_open", "verify", "verify_answer"]

_ORDER: Final = tuple(Step)
_OK: Final = Outcome.PASSED
# Yes is the common answer, and reaching a member through its enum costs more than the answer.
_STRUCTURE: Final = PASSED[Step.STRUCTURE]
_ISSUER_KEY: Final = PASSED[Step.ISSUER_KEY]
_VALIDITY: Final = PASSED[Step.VALIDITY]
_QUERY: Final = PASSED[Step.QUERY]
_CONDITIONS: Final = PASSED[Step.CONDITIONS]
_STATUS: Final = Step.STATUS


@plan
def verify(
    raw: bytes,
    format: str,  # the field's own word
    challenge: Challenge | Unbound,
    policy: Policy,
    at: datetime,
    *,
    formats: Mapping[str, Format] = FORMATS,
) -> Steps[Verdict]:
    """Judge exactly one credential, shown as `raw`, against a policy that asks for one.

    Whatever a stranger sends gives a verdict.

    Raises:
        Misuse: `policy.several_queries` (use `verify_answer`), `format.unknown`, `binding.wanted`, `policy.not_given`,
            `verify.not_bytes`, `time.naive`.
        Unavailable: `install.extra`, when the format needs an extra that is not installed.
    """
    if type(raw) is not bytes:  # a bytearray could change while it is judged
        raise Misuse("verify.not_bytes", found=type(raw).__name__)
    if at.tzinfo is None:
        raise Misuse("time.naive")
    if len(policy.query.credentials) != 1:
        raise Misuse("policy.several_queries", count=len(policy.query.credentials))
    audience = challenge.audience if isinstance(challenge, Challenge) else ""
    return (yield from _judge(raw, format, policy.query.credentials[0], challenge, audience, policy, at, formats))


def _judge(
    raw: bytes,
    name: str,
    asked: CredentialQuery,
    challenge: Challenge | Unbound,
    audience: str,
    policy: Policy,
    at: datetime,
    formats: Mapping[str, Format],
) -> Steps[Verdict]:
    form = formats.get(name)
    if form is None:
        raise Misuse("format.unknown", format=name)
    if asked.holder_binding and not isinstance(challenge, Challenge):
        raise Misuse("binding.wanted", id=asked.id)
    try:
        shown = form.read_presentation(raw)
    except Malformed as error:
        return _rejected([failed(Step.STRUCTURE, error.problem)])
    if len(shown) != 1:
        return _rejected([failed(Step.STRUCTURE, "presentation.several", count=len(shown))])
    presentation = shown[0]
    credential = presentation.credential
    checks = [_STRUCTURE]

    trusted = _trusted(credential, asked, policy, at)
    checks.append(trusted)
    if trusted.outcome is not _OK:
        return _rejected(checks)

    keys: dict[KeyRef, PublicKey] = {}
    found = yield from _gather(presentation, policy, at, keys)
    checks.append(found)
    if found.outcome is not _OK:
        return _rejected(checks)

    signed = tuple(form.check(presentation, keys, challenge, at))
    checks += signed
    if not _all_passed(signed):
        return _rejected(checks)

    required = policy.trust.status(credential.signed_by[0], credential.issuer, credential.types) == "required"
    local = (
        _valid(credential, audience, at, must_end=policy.trust.must_end),
        _answers(credential, asked, form),
        _meets(credential, asked, policy, at),
    )
    checks += local
    if not _all_passed(local):
        return _rejected(checks)

    if _STATUS in policy.waive:
        checks.append(waived(Step.STATUS))
    else:
        checks.append(
            (
                yield from status.check(
                    credential.status, credential.signed_by[0], policy.trust, policy.freshness, at, required=required
                )
            )
        )
        if checks[-1].outcome is not _OK:
            return _rejected(checks)
    return Accepted(tuple(checks), asked.only(credential.claims, credential.positions), credential.issuer)


def _all_passed(checks: Collection[Check]) -> bool:
    for check in checks:  # noqa: SIM110  # a generator costs more than the checks
        if check.outcome is not _OK:
            return False
    return True


def _rejected(checks: list[Check]) -> Rejected:
    reached = {check.step: check for check in checks}
    return Rejected(tuple(reached.get(step, NOT_REACHED[step]) for step in _ORDER))


def _trusted(credential: Credential, asked: CredentialQuery, policy: Policy, at: datetime) -> Check:
    check: Check | None = None
    for ref in credential.signed_by:
        check = policy.trust.check(ref, credential.issuer, credential.types, at)
        if check.outcome is not _OK:
            return check
        for name in _relied_on(credential.types, asked) if len(credential.types) > 1 else ():
            further = policy.trust.check(ref, credential.issuer, (name,), at)
            if further.outcome is not _OK:
                return further
    return failed(Step.ISSUER_TRUSTED, "trust.unsigned") if check is None else check


def _relied_on(types: tuple[str, ...], asked: CredentialQuery) -> Iterable[str]:
    """Names beside the credential's own first one by which it answers the query: whoever is trusted for permits must
    not call one a residency as well."""
    wanted = frozenset().union(*asked.type_sets or ())
    return (name for name in types[1:] if name in wanted and name != VERIFIABLE_CREDENTIAL)


def _gather(presentation: Presentation, policy: Policy, at: datetime, keys: dict[KeyRef, PublicKey]) -> Steps[Check]:
    """Fill `keys` with every key that the presentation needs: the issuer's as of when the credential begins."""
    credential = presentation.credential
    for ref in (*credential.signed_by, *presentation.shown_by):
        signed = credential.window.start if ref in credential.signed_by else None
        try:
            keys[ref] = yield from trust.key(ref, policy.trust, at, signed)
        except Unavailable as error:
            return undecided(Step.ISSUER_KEY, error.problem)
        except (Refused, Malformed) as error:
            return failed(Step.ISSUER_KEY, error.problem)
    return _ISSUER_KEY


def _valid(credential: Credential, audience: str, at: datetime, *, must_end: bool) -> Check:
    """RFC 7519 §4.1.3-5 with a skew of `limits.SKEW`: for nobody or for us, from `start` inclusive until `end`
    exclusive. A credential without a status must end, or nothing would ever take it back; `must_end` is false only
    where nobody is trusted anyway."""
    start, end = credential.window.start, credential.window.end
    if start is not None and end is not None and end <= start:
        return failed(Step.VALIDITY, "validity.reversed", spec="RFC 7519 §4.1.4")
    if start is not None and at + limits.SKEW < start:
        return failed(Step.VALIDITY, "validity.not_yet", spec="RFC 7519 §4.1.5", start=_text(start))
    if end is not None and at - limits.SKEW >= end:
        return failed(Step.VALIDITY, "validity.expired", spec="RFC 7519 §4.1.4", end=_text(end))
    if end is None and must_end and not credential.status:
        return failed(Step.VALIDITY, "validity.no_end")
    if "aud" in credential.claims and not _is_for(credential.claims["aud"], audience):
        return failed(Step.VALIDITY, "validity.audience", spec="RFC 7519 §4.1.3")
    return _VALIDITY


def _is_for(aud: Any, audience: str) -> bool:
    """Are we among those whom the issuer meant? Nobody is where no name of ours is known; no array has ""."""
    return bool(audience) and (aud == audience or (isinstance(aud, list) and audience in aud))


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _answers(credential: Credential, asked: CredentialQuery, form: Format) -> Check:
    problems = asked.satisfied(credential, answers=form.answers)
    return failed(Step.QUERY, problems[0]) if problems else _QUERY


def _meets(credential: Credential, asked: CredentialQuery, policy: Policy, at: datetime) -> Check:
    for condition in policy.conditions.get(asked.id, ()):
        problem = condition.judge(credential.claims, at, policy.given, credential.positions)
        if problem is not None:
            return failed(Step.CONDITIONS, problem)
    if "credentialSchema" in credential.claims and credential.format != "dc+sd-jwt":
        document = {name: value for name, value in credential.claims.items() if name != "aud"}  # the signature's word
        return policy.schemas.check(document)
    return _CONDITIONS


# -- whole answers --


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was put: its session's name, the query, what binds the answer, and what is accepted."""

    id: str
    query: Query
    challenge: Challenge
    policy: Policy


@dataclass(frozen=True, slots=True)
class AnswerAccepted:
    """Yes to a whole answer. `accepted` has the verdicts by query id; `discarded` the checks of presentations that were
    refused and not needed."""

    accepted: Mapping[str, tuple[Accepted, ...]]
    discarded: Mapping[str, tuple[tuple[Check, ...], ...]]

    def __bool__(self) -> Literal[True]:
        return True

    def require(self) -> AnswerAccepted:
        return self


@dataclass(frozen=True, slots=True)
class AnswerRejected:
    """No to a whole answer, or no answer (`undecided`). `problems` say what is wrong with the answer as a whole;
    `checks` are those of each presentation by query id. There are no claims."""

    problems: tuple[Problem, ...]
    checks: Mapping[str, tuple[tuple[Check, ...], ...]]
    undecided: bool

    @property
    def reason(self) -> Problem:
        """The first reason: a failed or undecided check where there is one, else what is wrong with the whole."""
        verdicts = [Rejected(checks) for group in self.checks.values() for checks in group]
        wanted = Outcome.UNDECIDED if self.undecided else Outcome.FAILED
        for verdict in verdicts:
            if any(check.outcome is wanted for check in verdict.checks):
                return verdict.reason
        return self.problems[0]

    def __bool__(self) -> Literal[False]:
        return False

    def require(self) -> NoReturn:
        """Raises Refused with the first reason."""
        raise Refused(self.reason)


AnswerVerdict: TypeAlias = AnswerAccepted | AnswerRejected
_NO_CHECKS: Final[Mapping[str, tuple[tuple[Check, ...], ...]]] = MappingProxyType({})
# A wrong nonce anywhere means that somebody mixes answers: OpenID4VP §14.1.2 refuses the whole.
_POISON: Final = "binding.nonce"


@plan
def verify_answer(
    vp_token: Mapping[str, Any],
    asked: Asked,
    at: datetime,
    *,
    sessions: Sessions,
    formats: Mapping[str, Format] = FORMATS,
) -> Steps[AnswerVerdict]:
    """Judge a whole answer (OpenID4VP §8.1, §8.6): every presentation, then whether what was accepted is enough.

    The session is taken first: a yes or a no spends it, and it is given back only where no answer could be had.

    Raises:
        Misuse: as `verify`.
    """
    check_aware(at)
    try:
        sessions.take(asked.id, at)
    except Refused as error:
        return not_open(error.problem)
    try:
        verdict = yield from _judge_all(vp_token, asked, at, formats)
    except BaseException:
        sessions.give_back(asked.id)
        raise
    if not verdict and verdict.undecided:
        sessions.give_back(asked.id)
    else:
        sessions.spend(asked.id)
    return verdict


def not_open(problem: Problem) -> AnswerRejected:
    """The verdict on an answer whose session could not be taken: `binding.spent`, `binding.session_expired` or
    `binding.session_unknown`."""
    if problem.code == "session.spent":
        found = Problem("binding.spent")
    elif problem.code == "session.expired":
        found = Problem("binding.session_expired")
    else:
        found = Problem("binding.session_unknown")
    return AnswerRejected((found,), _NO_CHECKS, undecided=False)


def _judge_all(
    vp_token: Mapping[str, Any], asked: Asked, at: datetime, formats: Mapping[str, Format]
) -> Steps[AnswerVerdict]:
    try:
        shown = _read_token(vp_token, asked.query)
    except Malformed as error:
        return AnswerRejected((error.problem,), _NO_CHECKS, undecided=False)
    sent = {name: len(group) for name, group in shown.items()}
    # An answer that could not be whole even if all of it were good costs no cryptography.
    problems = asked.query.judge(sent)
    if problems:
        return AnswerRejected(problems, _NO_CHECKS, undecided=False)
    accepted: dict[str, list[Accepted]] = {}
    refused: dict[str, list[Rejected]] = {}
    for item in asked.query.credentials:
        challenge = asked.challenge if item.holder_binding else Unbound()
        for raw in shown.get(item.id, ()):
            verdict = yield from _judge(
                raw, item.format, item, challenge, asked.challenge.audience, asked.policy, at, formats
            )
            if isinstance(verdict, Accepted):
                accepted.setdefault(item.id, []).append(verdict)
            else:
                refused.setdefault(item.id, []).append(verdict)
    checks = MappingProxyType({name: tuple(v.checks for v in group) for name, group in refused.items()})
    problems = asked.query.judge(sent, {name: len(group) for name, group in accepted.items()})
    verdicts = [verdict for group in refused.values() for verdict in group]
    poisoned = tuple(verdict.reason for verdict in verdicts if verdict.reason.code == _POISON)
    if problems or poisoned:
        undecided = all(verdict.undecided for verdict in verdicts)
        return AnswerRejected((*poisoned, *problems), checks, undecided=undecided)
    return AnswerAccepted(MappingProxyType({n: tuple(g) for n, g in accepted.items()}), checks)


def _read_token(vp_token: Any, query: Query) -> Mapping[str, list[bytes]]:
    """The presentations of a vp_token by query id (OpenID4VP §8.1).

    Raises:
        Malformed: `answer.*`, `base64url.*`.
    """
    forms = {item.id: item.format for item in query.credentials}
    if not isinstance(vp_token, Mapping):
        raise Malformed("answer.not_an_object", spec="OpenID4VP §8.1")
    shown: dict[str, list[bytes]] = {}
    total = 0
    for name, group in vp_token.items():
        if not isinstance(group, list) or not group:
            raise Malformed("answer.not_an_array", where=f"$.{name}", spec="OpenID4VP §8.1")
        total += len(group)
        if total > limits.PRESENTATIONS:
            raise Malformed("answer.too_many", limit=limits.PRESENTATIONS)
        shown[str(name)] = [
            _read_shown(raw, forms.get(name, ""), f"$.{name}[{index}]") for index, raw in enumerate(group)
        ]
    return shown


def _read_shown(raw: Any, form: str, where: str) -> bytes:
    if not isinstance(raw, str | dict):
        raise Malformed("answer.not_text", where=where, spec="OpenID4VP §8.1")
    return wire.read(raw, form, where)
