"""The nouns of a DCQL query (OpenID4VP 1.0 §6): frozen, and compiled when they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cityid import limits
from cityid.credential import CertificateChain, Credential, Path
from cityid.encoding import base64url, paths
from cityid.errors import Malformed, Problem
from cityid.query.select import (
    FREE,
    NO_POSITIONS,
    PAID,
    Budget,
    Names,
    Positions,
    Probe,
    Test,
    TooMuchWork,
    as_names,
    count_shown,
    keep,
    keep_named,
    opened,
    select,
)

if TYPE_CHECKING:
    from cityid.query.solve import Answerable, Unanswerable

Answers: TypeAlias = Callable[[Credential, Mapping[str, Any]], bool]
"""Does a credential meet a `meta`? (`Format.answers`: for formats whose types this package does not know.)"""

SD_JWT_VC: Final = "dc+sd-jwt"
MDOC: Final = "mso_mdoc"
W3C: Final = frozenset({"jwt_vc_json", "ldp_vc", "vc+jwt", "vc+sd-jwt", "vc+cose"})
"""The formats that OpenID4VP 1.0 Annex B defines, and of VCDM 2.0 those that are asked for alike."""
_KNOWN: Final = W3C | {SD_JWT_VC, MDOC}


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """OpenID4VP 1.0 §6.1.1: `aki` (base64url key identifiers), `etsi_tl`, `openid_federation`, or any other type."""

    type: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimQuery:
    """OpenID4VP 1.0 §6.3. `values` None asks for any value; `id` is "" where there is none."""

    path: Path
    id: str = ""
    values: tuple[str | int | bool, ...] | None = None
    intent_to_retain: bool | None = None


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """OpenID4VP 1.0 §6.2: one of `options` (ids of credential queries) satisfies it."""

    options: tuple[tuple[str, ...], ...]
    required: bool = True


@dataclass(frozen=True, slots=True)
class CredentialQuery:
    """OpenID4VP 1.0 §6.1. `claims` and `claim_sets` are empty where the query has none; `claim_sets` hold claim ids."""

    id: str
    format: str
    meta: Mapping[str, Any]
    claims: tuple[ClaimQuery, ...] = ()
    claim_sets: tuple[tuple[str, ...], ...] = ()
    multiple: bool = False
    trusted_authorities: tuple[TrustedAuthority, ...] = ()
    holder_binding: bool = True
    type_sets: tuple[frozenset[str], ...] | None = field(init=False, repr=False, compare=False)
    """The credential's types must include one of these sets; None for formats that are not known here."""
    type_keys: frozenset[str] = field(init=False, repr=False, compare=False)
    """One name of each of `type_sets`: a credential with none of them does not match, unless `any_type`."""
    any_type: bool = field(init=False, repr=False, compare=False)
    """`meta` is empty, so the type is left open."""
    _one_of: bool = field(init=False, repr=False, compare=False)
    _probes: tuple[Probe, ...] = field(init=False, repr=False, compare=False)
    _sets: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    _by_set: tuple[tuple[Probe, ...], ...] = field(init=False, repr=False, compare=False)
    _always: tuple[Test, ...] = field(init=False, repr=False, compare=False)
    _rest: tuple[tuple[int, Test], ...] = field(init=False, repr=False, compare=False)
    _masks: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _costly: bool = field(init=False, repr=False, compare=False)
    _key_ids: frozenset[bytes] = field(init=False, repr=False, compare=False)
    _trees: tuple[Names | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = {claim.id: number for number, claim in enumerate(self.claims)}
        every = tuple(range(len(self.claims)))
        sets = tuple(tuple(numbers[name] for name in names) for names in self.claim_sets) or (every,)
        key_ids = [known.values for known in self.trusted_authorities if known.type == "aki"]
        type_sets = _type_sets(self.format, self.meta)
        object.__setattr__(self, "type_sets", type_sets)
        object.__setattr__(self, "type_keys", frozenset(min(names) for names in type_sets or () if names))
        object.__setattr__(self, "any_type", frozenset() in (type_sets or ()))
        object.__setattr__(self, "_one_of", all(len(names) == 1 for names in type_sets or ()))
        probes = tuple(Probe(claim.path, claim.values) for claim in self.claims)
        object.__setattr__(self, "_probes", probes)
        object.__setattr__(self, "_sets", sets)
        object.__setattr__(self, "_by_set", tuple(tuple(probes[number] for number in names) for names in sets))
        # What each claim set needs is looked at first, values before names, because most credentials fail there.
        always = set(sets[0]).intersection(*sets)
        rest = sorted(set(chain.from_iterable(sets)) - always)
        always_first = sorted(always, key=lambda number: (probes[number].expected is None, number))
        object.__setattr__(self, "_always", tuple(probes[number].holds for number in always_first))
        object.__setattr__(self, "_rest", tuple((1 << number, probes[number].holds) for number in rest))
        object.__setattr__(self, "_masks", tuple(sum(1 << number for number in set(names) - always) for names in sets))
        object.__setattr__(self, "_costly", any(probe.costly for probe in probes))
        # One for each claim set; None where a path has more than names.
        object.__setattr__(self, "_trees", tuple(as_names([probes[number] for number in names]) for names in sets))
        object.__setattr__(self, "_key_ids", frozenset(map(base64url.decode, chain.from_iterable(key_ids))))

    # --- the holder's side ----------------------------------------------------------------------------------------

    def match(
        self, credential: Credential, *, answers: Answers | None = None, at: datetime | None = None
    ) -> Match | None:
        """How `credential` can answer, by the first claim set that it can satisfy (OpenID4VP 1.0 §6.4.1); None if it
        cannot: `why_not` tells.

        `answers` decides `meta` in place of the rules of Annex B; with `at`, a credential outside its window does not
        match.
        """
        return next(iter(self.matches((credential,), answers=answers, at=at)), None)

    def matches(
        self, credentials: Iterable[Credential], *, answers: Answers | None = None, at: datetime | None = None
    ) -> list[Match]:
        """`match` for many credentials, in their order; those that do not match are left out."""
        if answers is None and at is None and not self.trusted_authorities and not self._costly:
            return self._plain_matches(credentials)
        found: list[Match] = []
        masks = self._masks
        for credential in credentials:
            if self._admits(credential, answers, at):
                held = self._held(credential)
                if held is not None:
                    for place, mask in enumerate(masks):
                        if mask & held == mask:
                            found.append(Match(self, credential, place))
                            break
        return found

    def _plain_matches(self, credentials: Iterable[Credential]) -> list[Match]:
        """`matches` for what nearly every query is, as one loop: `_admits` and `_held` without their calls."""
        found: list[Match] = []
        format_, keys, one_key = self.format, self.type_keys, self._one_of and not self.any_type
        always, rest, masks = self._always, self._rest, self._masks
        for credential in credentials:
            if credential.format != format_ or (self.holder_binding and not _binds(credential)):
                continue
            types = credential.types
            if keys.isdisjoint(types) if one_key else not self.admits_type(types):
                continue
            for holds in always:
                if not holds(credential, FREE):
                    break
            else:
                held = 0
                for bit, holds in rest:
                    if holds(credential, FREE):
                        held |= bit
                for place, mask in enumerate(masks):
                    if mask & held == mask:
                        found.append(Match(self, credential, place))
                        break
        return found

    def alternatives(
        self, credential: Credential, *, answers: Answers | None = None, at: datetime | None = None
    ) -> tuple[Match, ...]:
        """Every way in which `credential` can answer, one a claim set, in the order that the verifier prefers."""
        held = self._held(credential) if self._admits(credential, answers, at) else None
        if held is None:
            return ()
        return tuple(Match(self, credential, place) for place, mask in enumerate(self._masks) if mask & held == mask)

    def why_not(
        self, credential: Credential, *, answers: Answers | None = None, at: datetime | None = None
    ) -> tuple[Problem, ...]:
        """Why `credential` does not match; () if it does. Of several claim sets, the one that lacks least is told."""
        if self._admits(credential, answers, at) and (held := self._held(credential)) is not None:
            for mask in self._masks:
                if mask & held == mask:
                    return ()
        return tuple(self._objections(credential, answers, at))

    # --- the verifier's side --------------------------------------------------------------------------------------

    def satisfied(self, credential: Credential, *, answers: Answers | None = None) -> tuple[Problem, ...]:
        """What a presented credential lacks of what was asked; () if nothing. The wallet is not believed: format,
        type, claims, values and authorities are all looked at again (OpenID4VP 1.0 §8.6)."""
        return self.why_not(credential, answers=answers)

    def only(self, claims: Mapping[str, Any], positions: Positions = NO_POSITIONS) -> dict[str, Any]:
        """The claims that were asked for, and nothing else: names keep their nesting, arrays close up. Of several claim
        sets, the claims of the first that is there; {} where nothing was asked for or no set is there."""
        budget = Budget()
        try:
            for place, tree in enumerate(self._trees):
                if tree is not None:
                    for probe in self._by_set[place]:
                        if not probe.there(claims):
                            break
                    else:
                        return keep_named(claims, tree)
                    continue
                found = [probe.find(claims, positions, budget) for probe in self.probes(place)]
                if all(found):
                    return keep(claims, found, positions)
        except TooMuchWork:
            pass
        return {}

    def extra(self, credential: Credential) -> int:
        """How many hideable claims a presented credential shows beyond those asked for."""
        match = self.match(credential, answers=lambda *_: True)
        return 0 if match is None else len(credential.hidden) - len(match.disclose)

    def probes(self, place: int) -> tuple[Probe, ...]:
        """The compiled claims of one claim set."""
        return self._by_set[place]

    # --- judgement ------------------------------------------------------------------------------------------------

    def admits_type(self, types: tuple[str, ...]) -> bool:
        """Do wire names meet `meta` (OpenID4VP 1.0 Annex B)? False for formats that are not known here."""
        if self.type_keys.isdisjoint(types):
            return self.any_type
        return self._one_of or any(names.issubset(types) for names in self.type_sets or ())

    def _admits(self, credential: Credential, answers: Answers | None, at: datetime | None) -> bool:
        return (
            credential.format == self.format
            and (self.admits_type(credential.types) if answers is None else answers(credential, self.meta))
            and (not self.holder_binding or _binds(credential))
            and (at is None or _within(credential, at))
            and (not self.trusted_authorities or self._authority(credential) is None)
        )

    def _held(self, credential: Credential) -> int | None:
        """Which of the claims that some claim sets need are there, as bits; None where one lacks that all need."""
        budget = Budget() if self._costly else FREE
        held = 0
        try:
            for holds in self._always:
                if not holds(credential, budget):
                    return None
            for bit, holds in self._rest:
                if holds(credential, budget):
                    held |= bit
        except TooMuchWork:
            return None
        return held

    def _objections(self, credential: Credential, answers: Answers | None, at: datetime | None) -> Iterator[Problem]:
        if credential.format != self.format:
            yield Problem(
                "query.wrong_format", {"found": credential.format, "asked": self.format}, spec="OpenID4VP 1.0 §6.1"
            )
            return
        if not (self.admits_type(credential.types) if answers is None else answers(credential, self.meta)):
            found = credential.types[0] if credential.types else ""
            yield Problem("query.wrong_type", {"found": found}, spec="OpenID4VP 1.0 §6.1")
            return
        if self.holder_binding and not _binds(credential):
            yield Problem("query.no_holder_key", spec="OpenID4VP 1.0 §6.1")
        if at is not None and not _within(credential, at):
            yield Problem("query.out_of_window")
        if self.trusted_authorities and (problem := self._authority(credential)) is not None:
            yield problem
        try:
            yield from self._lacking(credential)
        except TooMuchWork:
            yield Problem("query.too_much_work", {"limit": limits.DCQL_STEPS})

    def _lacking(self, credential: Credential) -> tuple[Problem, ...]:
        """The problems of the claim set that lacks least."""
        budget = Budget()
        problems: dict[int, Problem] = {}
        for number, claim in enumerate(self.claims):
            if not self._probes[number].holds(credential, budget):
                there = claim.values is not None and select(credential.claims, claim.path, credential.positions, budget)
                code = "query.value_differs" if there else "query.claim_missing"
                section = "§6.4.1" if there else "§7"
                problems[number] = Problem(code, {"path": paths.write(claim.path)}, spec=f"OpenID4VP 1.0 {section}")
        lacking = (tuple(problems[number] for number in numbers if number in problems) for numbers in self._sets)
        return min(lacking, key=len)

    def _authority(self, credential: Credential) -> Problem | None:
        """OpenID4VP 1.0 §6.1.1. Lists and federations cannot be looked up here, so they never match."""
        if not self._key_ids:
            kind = self.trusted_authorities[0].type
            return Problem("query.authority_undecidable", {"type": kind}, spec="OpenID4VP 1.0 §6.1.1")
        for ref in credential.signed_by:
            if isinstance(ref.at, CertificateChain) and not self._key_ids.isdisjoint(_key_ids(ref.at)):
                return None
        return Problem("query.authority_differs", spec="OpenID4VP 1.0 §6.1.1.1")

    def to_json(self) -> dict[str, Any]:
        """The query as it is written on the wire; defaults and unknown members are left out."""
        written: dict[str, Any] = {"id": self.id, "format": self.format, "meta": dict(self.meta)}
        if self.multiple:
            written["multiple"] = True
        if not self.holder_binding:
            written["require_cryptographic_holder_binding"] = False
        if self.trusted_authorities:
            written["trusted_authorities"] = [
                {"type": known.type, "values": list(known.values)} for known in self.trusted_authorities
            ]
        if self.claims:
            written["claims"] = [_claim_json(claim) for claim in self.claims]
        if self.claim_sets:
            written["claim_sets"] = [list(names) for names in self.claim_sets]
        return written


class Match:
    """How one credential answers one credential query."""

    __slots__ = ("_disclose", "_shown", "credential", "place", "query")

    def __init__(self, query: CredentialQuery, credential: Credential, place: int) -> None:
        # Not a dataclass, and the rest is worked out when asked for: a wallet looks at thousands a second.
        self.query: Final = query
        self.credential: Final = credential
        self.place: Final = place
        """Which claim set is answered: 0 where the query has none."""
        self._disclose: frozenset[Path] | None = None
        self._shown: int | None = None

    @property
    def disclose(self) -> frozenset[Path]:
        """The hidden paths that must be opened, and no others."""
        if self._disclose is None:
            self._disclose = opened(self.credential, self.query.probes(self.place))
        return self._disclose

    @property
    def claim_set(self) -> int | None:
        """The index of the claim set that is answered; None where the query has none."""
        return self.place if self.query.claim_sets else None

    @property
    def id(self) -> str:
        """The id of the credential query."""
        return self.query.id

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of the claim set that is answered, with their values."""
        claims, positions = self.credential.claims, self.credential.positions
        budget = Budget(PAID)
        return keep(
            claims, [probe.find(claims, positions, budget) for probe in self.query.probes(self.place)], positions
        )

    @property
    def shown(self) -> int:
        """How many single values the verifier will see: those opened and those that this credential always shows."""
        if self._shown is None:
            credential = self.credential
            self._shown = count_shown(credential.claims, credential.hidden - self.disclose, credential.positions)
        return self._shown

    def __repr__(self) -> str:
        return f"Match({self.query.id!r}, disclose={len(self.disclose)}, claim_set={self.claim_set})"


@dataclass(frozen=True, slots=True)
class Query:
    """A whole DCQL query. `raw` is the object as it was read, unknown members included."""

    credentials: tuple[CredentialQuery, ...]
    sets: tuple[CredentialSet, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def credential(self, id: str) -> CredentialQuery | None:
        """The credential query named `id`."""
        return next((query for query in self.credentials if query.id == id), None)

    def options(
        self, held: Iterable[Credential], *, answers: Answers | None = None, at: datetime | None = None
    ) -> Answerable | Unanswerable:
        """What a wallet that holds `held` (an `Index` for many queries over one wallet) can answer; see `solve`."""
        from cityid.query import solve

        return solve.options(self, held, answers=answers, at=at)

    def judge(self, presented: Mapping[str, int], accepted: Mapping[str, int] | None = None) -> tuple[Problem, ...]:
        """What is wrong with a whole answer; () if nothing. `presented` counts the presentations under each id, as
        sent; `accepted` those that were verified and satisfied their credential query (None: all of them)."""
        from cityid.query import solve

        return tuple(solve.judge(self, presented, presented if accepted is None else accepted))

    def to_json(self) -> dict[str, Any]:
        """The query as it is written on the wire; defaults and unknown members are left out."""
        written: dict[str, Any] = {"credentials": [query.to_json() for query in self.credentials]}
        if self.sets:
            written["credential_sets"] = [_set_json(known) for known in self.sets]
        return written


def _set_json(known: CredentialSet) -> dict[str, Any]:
    written: dict[str, Any] = {"options": [list(option) for option in known.options]}
    return written if known.required else written | {"required": False}


def _claim_json(claim: ClaimQuery) -> dict[str, Any]:
    written: dict[str, Any] = {"id": claim.id} if claim.id else {}
    written["path"] = list(claim.path)
    if claim.values is not None:
        written["values"] = list(claim.values)
    if claim.intent_to_retain is not None:
        written["intent_to_retain"] = claim.intent_to_retain
    return written


def _type_sets(format: str, meta: Mapping[str, Any]) -> tuple[frozenset[str], ...] | None:
    if not meta:
        return (frozenset(),) if format in _KNOWN else None
    if format == SD_JWT_VC:
        return tuple(frozenset((name,)) for name in meta["vct_values"])
    if format == MDOC:
        return (frozenset((meta["doctype_value"],)),)
    if format in W3C:
        return tuple(frozenset(names) for names in meta["type_values"])
    return None


def _binds(credential: Credential) -> bool:
    """Can it be shown for one question only: with a holder's key, or by a proof of its own?"""
    return credential.holder is not None or credential.proves


def _within(credential: Credential, at: datetime) -> bool:
    start, end = credential.window.start, credential.window.end
    return (start is None or start <= at) and (end is None or at < end)


def _key_ids(chain: CertificateChain) -> Iterator[bytes | None]:
    """The authority key identifiers of a chain that nobody has validated yet: a certificate that cannot be read has
    none."""
    from cityid.keys import x509

    for der in chain.certificates:
        try:
            yield x509.read(der).authority_key_id
        except Malformed:
            continue
