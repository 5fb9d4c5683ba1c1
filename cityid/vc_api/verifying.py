"""`POST /credentials/verify` and `/presentations/verify`: the library's own `verify`, with ANYONE for a trust list and
ANYTHING for a question; and around it what a presentation of any number of credentials needs."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast

from cityid import proofs, trust
from cityid.checks import PASSED, Check, Outcome, Step, Verdict, failed, passed
from cityid.credential import Challenge, Keys, Presentation, Purpose, StatusRef, Unbound, Window
from cityid.encoding import json
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import Malformed, Problem, Refused, Unavailable
from cityid.formats import FORMATS, Format, vc_jose
from cityid.formats.data_integrity.ldp_vc import LDP_VC_ANY_CONTEXT
from cityid.formats.data_integrity.presentations import method_of
from cityid.json_schemas import Schemas
from cityid.plan import Steps
from cityid.policy import Policy
from cityid.proofs import sets
from cityid.query.anything import ANYTHING
from cityid.status.lists import KINDS
from cityid.trust.anyone import ANYONE, ANYONE_BY_ANY_KEY
from cityid.vc_api import documents, enveloped, hiding
from cityid.vc_api.model import HIDING, Options
from cityid.verifying import verify

V1: Final = "https://www.w3.org/2018/credentials/v1"
V2: Final = "https://www.w3.org/ns/credentials/v2"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of it: no `problems` is a yes. `controller` is who signed, as far as that was found; `about_status` are
    those of the problems that came up while a status was looked up; `warnings` say what was not judged."""

    problems: tuple[Problem, ...]
    controller: str = ""
    about_status: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """What verifying needs besides the document: the server's options, contexts, and the JSON Schemas at hand."""

    options: Options
    load: Loader = field(repr=False)
    schemas: Schemas = field(default_factory=Schemas)


def credential(
    document: Any, judge: Judge, at: datetime, where: str, occasion: Occasion | None = None
) -> Steps[Judged]:  # fmt: skip
    """Judge a credential, secured inside or enveloped. Proofs inside must be for the `occasion`, as far as there is
    one: an envelope is for none."""
    options, load = judge.options, judge.load
    inside = None
    try:
        if enveloped.is_one(Fields(document, where).value, enveloped.CREDENTIAL):
            name, raw = enveloped.opened(document, enveloped.CREDENTIAL, where)
            inside = enveloped.check_credential(raw, name, options, load, where)
        else:
            whole = _completed(document, where) if options.revealed == "part" else document
            name, raw = "ldp_vc", json.write(whole)
            documents.check_credential(whole, options, load, where)
            if occasion is not None:
                for proof in sets.split(document, where):
                    _check_occasion(proof.members, occasion)
    except (Malformed, Refused) as error:
        return Judged((error.problem,))
    anyone = ANYONE if options.controller == "issuer" else ANYONE_BY_ANY_KEY
    policy = Policy("", ANYTHING, {}, {}, anyone)
    form = FORMATS[name] if options.contexts == "known" else _in_any_context(name)
    formats: dict[str, Any] = {name: _Lenient(form, options, document, load)}
    verdict: Verdict = yield from verify(raw, name, Unbound(), policy, at, formats=formats)
    failed = [
        (check.step, check.problem)
        for check in verdict.checks
        if check.problem is not None and check.outcome in (Outcome.FAILED, Outcome.UNDECIDED)
    ]
    found = tuple(problem for _, problem in failed)
    status = tuple(problem for step, problem in failed if step is Step.STATUS)
    if found:
        return Judged(found, "", status)
    bare = document if inside is None else inside.document
    wrong, unanswered = judge.schemas.judge({name: value for name, value in bare.items() if name != "proof"})
    if wrong or (unanswered and options.schemas == "refuse"):
        return Judged((*wrong, *unanswered))
    controller = _controller(document) if inside is None else enveloped.controller_of(inside, "issuer")
    return Judged((), controller, warnings=unanswered)


def _completed(document: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """A part of a credential that a holder derived, with what every credential has and this part does not show: for the
    rules of the data model. Its proofs are judged over the part itself."""
    found = sets.split(document, where)
    if not any(one.members.suite in HIDING for one in found):
        return document
    made = dict(document)
    made.setdefault("issuer", found[0].members.method.partition("#")[0])
    made.setdefault("credentialSubject", {"id": "urn:hidden"})
    contexts = made.get("@context")
    if isinstance(contexts, list) and contexts[:1] == [V1]:
        made.setdefault("issuanceDate", "1970-01-01T00:00:00Z")
    return made


def _in_any_context(name: str) -> Format:
    return LDP_VC_ANY_CONTEXT if name == "ldp_vc" else cast("Format", vc_jose.in_any_context(name))


def _controller(document: Mapping[str, Any]) -> str:
    """Who signed a credential that was found good."""
    found = document["proof"]
    method = (found[0] if isinstance(found, list) else found)["verificationMethod"]
    return str(method).partition("#")[0]


class _Lenient:
    """A format that passes over what the options let it pass over: status entries of types that are not known here, as
    VC-JOSE-COSE §4 would have it, and when a credential holds."""

    def __init__(self, form: Format, options: Options, document: Mapping[str, Any], load: Loader) -> None:
        self._form, self._options = form, options
        self._document, self._load = document, load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._form, name)

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        found = self._form.read_presentation(raw)
        if self._options.unknown_status == "ignore":
            found = tuple(_with(one, status=_known(one.credential.status)) for one in found)
        if self._options.validity == "ignored":
            found = tuple(_with(one, window=Window()) for one in found)
        return found

    def check(
        self, presentation: Presentation, keys: Keys, challenge: Challenge | Unbound, at: datetime
    ) -> Iterable[Check]:
        """Proofs that a holder has derived are judged apart from any occasion: the API names none."""
        if self._form.NAME != "ldp_vc":
            return self._form.check(presentation, keys, challenge, at)
        found = sets.split(self._document)
        if not any(one.members.suite in HIDING for one in found):
            return self._form.check(presentation, keys, challenge, at)
        for one, ref in zip(found, presentation.credential.signed_by, strict=True):
            try:
                one.members.check_time(at)
                hiding.check(one, keys[ref], load=self._load)
            except (Malformed, Refused) as error:
                return (failed(Step.ISSUER_SIGNATURE, error.problem),)
        return (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="absent"))


def _with(presentation: Presentation, **changed: Any) -> Presentation:
    return replace(presentation, credential=replace(presentation.credential, **changed))


def _known(refs: Iterable[StatusRef]) -> tuple[StatusRef, ...]:
    return tuple(ref for ref in refs if ref.kind in KINDS)


# --- presentations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a presentation must have been made for, as far as whoever asks says so."""

    challenge: str | None = None
    domain: frozenset[str] | None = None


def presentation(document: Any, occasion: Occasion, judge: Judge, at: datetime, where: str) -> Steps[Judged]:
    """Judge a presentation: its proofs, and each credential in it. All that is wrong is told."""
    options, load = judge.options, judge.load
    around = None
    try:
        if enveloped.is_one(document, enveloped.PRESENTATION):
            around = enveloped.presentation(document, options, where)
            document = around.document
        inside = documents.check_presentation(document, options, load, where)
    except (Malformed, Refused) as error:
        return Judged((error.problem,))
    found: list[Problem] = []
    status: list[Problem] = []
    warnings: list[Problem] = []
    controller = ""
    try:
        if around is None:
            controller = yield from _signed(document, occasion, options, load, at, where)
        else:
            controller = yield from enveloped.signed(around, occasion, options, at, where)
    except (Malformed, Refused, Unavailable) as error:
        found.append(error.problem)
    for index, one in enumerate(inside):
        place = f"{where}.verifiableCredential[{index}]"
        if controller and _is_self_asserted(one):
            found += _model(one, options, load, place)
        else:
            judged = yield from credential(one, judge, at, place)
            found += judged.problems
            status += judged.about_status
            warnings += judged.warnings
    return Judged(tuple(found), "" if found else controller, tuple(status), tuple(warnings))


def _is_self_asserted(document: Any) -> bool:
    """Is it one that the presentation's own proof secures? (That its issuer is the holder, the data model says.)"""
    if not isinstance(document, Mapping) or "proof" in document or enveloped.is_one(document, enveloped.CREDENTIAL):
        return False
    contexts = document.get("@context")
    return (contexts[:1] if isinstance(contexts, list) else [contexts]) == [V2]


def _model(document: Mapping[str, Any], options: Options, load: Loader, where: str) -> tuple[Problem, ...]:
    """What is wrong with a credential as a document."""
    try:
        documents.check_credential(document, options, load, where)
    except (Malformed, Refused) as error:
        return (error.problem,)
    return ()


def _signed(
    document: Mapping[str, Any], occasion: Occasion, options: Options, load: Loader, at: datetime, where: str
) -> Steps[str]:
    """Who signed a presentation for this occasion, all of whose proofs hold.

    Raises:
        Malformed, Refused, Unavailable: whatever is wrong with a proof, or with finding its key.
    """
    if "proof" not in document:
        if options.unsecured_presentations and occasion == Occasion():
            return ""
        raise Refused("vc_api.unsecured", where=where, spec="VCDM 2.0 §4.13")
    controller = ""
    for one in sets.split(document, where):
        _check_occasion(one.members, occasion)
        one.members.check_time(at)
        ref = method_of(one.members, Purpose.AUTHENTICATION)
        key = yield from trust.key(ref, None, at)
        proofs.check(one.document, one.proof, key, purpose=Purpose.AUTHENTICATION, load=load, where=one.members.where)
        did = str(ref.at).partition("#")[0]
        controller = controller or did
        if options.controller == "issuer":
            _check_holder(document.get("holder"), did, where)
    return controller


def _check_occasion(proof: proofs.Proof, occasion: Occasion) -> None:
    """Data Integrity 1.0 §4.4, steps 4 and 5.

    Raises:
        Refused: `di.domain`, `di.challenge`.
    """
    spec = "Data Integrity 1.0 §4.4"
    if occasion.domain is not None and proof.domain != occasion.domain:
        raise Refused("di.domain", where=f"{proof.where}.domain", spec=spec)
    if occasion.challenge is not None:
        found = "" if proof.challenge is None else f"={proof.challenge}"
        if not hmac.compare_digest(found.encode("utf-8"), f"={occasion.challenge}".encode()):
            raise Refused("di.challenge", where=f"{proof.where}.challenge", spec=spec)


def _check_holder(holder: Any, signer: str, where: str) -> None:
    """Whoever a presentation says is its holder is the one who signed it (VCDM 2.0 §4.13).

    Raises:
        Refused: `vc_api.holder`.
    """
    named = holder.get("id") if isinstance(holder, Mapping) else holder
    if named is not None and named != signer:
        raise Refused("vc_api.holder", where=f"{where}.holder", spec="VCDM 2.0 §4.13", found=str(named), signer=signer)


def occasion_of(options: Fields) -> Occasion:
    """`options.challenge` and `options.domain` (one or several).

    Raises:
        Malformed: `json.wrong_type`.
    """
    domain = options.value.get("domain")
    listed = (
        None
        if domain is None
        else frozenset(options.texts("domain") if isinstance(domain, list) else (options.text("domain"),))
    )
    return Occasion(options.optional_text("challenge"), listed)
