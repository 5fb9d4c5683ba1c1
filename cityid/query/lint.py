"""Over-asking: what a request asks although less would answer. No purpose is known here, so only what is needless
whatever the purpose is told (age and residence: data minimisation, GDPR art. 5(1)(c); ISO 18013-5 on age_over_NN)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, TypeAlias

from cityid.credential_type import CredentialType
from cityid.encoding import paths
from cityid.errors import Problem
from cityid.query.model import MDOC, W3C, ClaimQuery, CredentialQuery, Query

Describe: TypeAlias = Callable[[CredentialQuery], "CredentialType | None"]
"""The type that a credential query asks for, where it is known."""
Claims: TypeAlias = tuple[ClaimQuery, ...]

_BIRTH: Final = frozenset(
    {"age_birth_year", "age_in_years", "birth_date", "birth_year", "birthdate", "dateOfBirth", "date_of_birth", "dob"}
)
_AGE: Final = re.compile(r"age_over_[0-9]{2}")
_AGES: Final = 2
"""age_over_NN in one request: more of them bracket the age (ISO 18013-5 §7.2.5)."""
_WHOLE_ADDRESS: Final = frozenset({"address", "formatted", "full_address", "residence_address", "resident_address"})
_FINE_ADDRESS: Final = _WHOLE_ADDRESS | {"house_number", "resident_house_number", "resident_street", "street_address"}
_AREA: Final = frozenset({"district", "municipality"})
_PLACE: Final = _AREA | {"city", "locality", "region", "resident_city", "resident_state"}
_NAME: Final = frozenset({"family_name", "given_name", "name"})
_OBJECT: Final = frozenset({"address", "age_equal_or_over", "place_of_birth", "residence_address"})
"""Objects that are commonly hideable member by member."""
_SMALL: Final = _AREA
"""Objects whose members tell the same thing twice (a code and its name)."""
_RESIDENT_OF: Final = re.compile(r"resident[-_]of")


def lint(query: Query, describe: Describe | None = None) -> tuple[Problem, ...]:
    """What `query` asks needlessly; () if nothing is found. Facts name claims as `address.locality`, never values.

    Claims count as asked together where one answer may need them all: in one claim set, or in credential queries of one
    option. Codes: `query.over_asking_*`.
    """
    found = chain(_each(query, describe), _together(query, describe))
    return tuple({(problem.code, *problem.facts.values()): problem for problem in found}.values())


def _each(query: Query, describe: Describe | None) -> Iterator[Problem]:
    for asked in query.credentials:
        for claims in _alternatives(asked):
            yield from _needless(claims)
        yield from _order(asked)
        known = describe(asked) if describe is not None else None
        for claim in asked.claims:
            if _divisible(asked, claim, known):
                yield _problem("query.over_asking_object", claim=claim)
            if claim.intent_to_retain:
                yield _problem("query.over_asking_retention", claim=claim)
        if not asked.claims and asked.format in W3C and asked.format != "vc+sd-jwt":
            yield Problem("query.over_asking_everything", {"id": asked.id, "format": asked.format})


def _needless(claims: Claims) -> Iterator[Problem]:
    """The rules about claims that are asked together, in one credential or in several."""
    age = _first(claims, _is_age)
    birth = _first(claims, _is_birth)
    if age and birth:
        yield _problem("query.over_asking_birthdate", claim=birth, instead=age)
    ages = {_name(claim) for claim in claims if _is_age(claim)}
    if len(ages) > _AGES:
        yield Problem("query.over_asking_ages", {"count": len(ages), "limit": _AGES})
    for fine, coarse in ((_WHOLE_ADDRESS, _PLACE), (_FINE_ADDRESS, _AREA)):
        whole = next((claim for claim in claims if _name(claim) in fine), None)
        part = next((claim for claim in claims if not coarse.isdisjoint(claim.path)), None)
        if whole and part:
            yield _problem("query.over_asking_address", claim=whole, instead=part)
            return


def _order(asked: CredentialQuery) -> Iterator[Problem]:
    """A birth date preferred to an age predicate (specification §6.4.1 recommends the opposite)."""
    birth: ClaimQuery | None = None
    for claims in _alternatives(asked):
        age = _first(claims, _is_age)
        found = _first(claims, _is_birth)
        if birth and age and not found:
            yield _problem("query.over_asking_order", claim=birth, instead=age)
            return
        birth = birth or (None if age else found)


def _divisible(asked: CredentialQuery, claim: ClaimQuery, known: CredentialType | None) -> bool:
    """Is a whole object asked for whose members could be shown one by one?"""
    if _name(claim) in _SMALL:
        return False
    if known is None:
        return asked.format != MDOC and claim.path[-1] in _OBJECT
    depth = len(claim.path)
    inside = [path for path, rule in known.claims.items() if rule.hideable and path[:depth] == claim.path]
    return any(isinstance(path[depth], str) for path in inside if len(path) > depth)


def _together(query: Query, describe: Describe | None) -> Iterator[Problem]:
    """The same rules over credential queries that one answer needs together."""
    always = {asked.id: _always(asked) for asked in query.credentials}
    anonymous = {asked.id for asked in query.credentials if _is_resident_of(asked, describe)}
    groups: Iterable[tuple[str, ...]] = (tuple(always),)
    if query.sets:
        certain = {known.options[0] for known in query.sets if known.required and len(known.options) == 1}
        base = tuple(dict.fromkeys(chain.from_iterable(certain)))
        groups = dict.fromkeys((*base, *option) for known in query.sets for option in known.options)
    for group in groups:
        claims = tuple(chain.from_iterable(always[name] for name in dict.fromkeys(group)))
        yield from _needless(claims)
        person = _first(claims, _is_name)
        if person and not anonymous.isdisjoint(group):
            yield _problem("query.over_asking_name", claim=person)


def _is_resident_of(asked: CredentialQuery, describe: Describe | None) -> bool:
    """Is it a credential that proves where someone lives without saying who they are?"""
    known = describe(asked) if describe is not None else None
    if known is not None:
        return known.id == "resident-of"
    return any(_RESIDENT_OF.search(name) for name in chain.from_iterable(asked.type_sets or ()))


def _alternatives(asked: CredentialQuery) -> Iterator[Claims]:
    """The claims that are asked together, less those that no rule is about."""
    telling = {claim.id: claim for claim in asked.claims if _is_telling(claim)}
    if not asked.claim_sets:
        yield tuple(claim for claim in asked.claims if _is_telling(claim))
    for names in asked.claim_sets:
        yield tuple(telling[name] for name in names if name in telling)


def _is_telling(claim: ClaimQuery) -> bool:
    if _is_age(claim) or _is_birth(claim):
        return True
    return _name(claim) in _FINE_ADDRESS or not _PLACE.isdisjoint(claim.path)


def _always(asked: CredentialQuery) -> Claims:
    """The claims that every answer to `asked` needs."""
    needed = [set(names) for names in asked.claim_sets]
    return tuple(claim for claim in asked.claims if all(claim.id in names for names in needed))


def _first(claims: Claims, rule: Callable[[ClaimQuery], bool]) -> ClaimQuery | None:
    return next((claim for claim in claims if rule(claim)), None)


def _name(claim: ClaimQuery) -> str:
    """The last name in a path: `nationalities` in `nationalities[]`."""
    return next((part for part in reversed(claim.path) if isinstance(part, str)), "")


def _is_age(claim: ClaimQuery) -> bool:
    if _AGE.fullmatch(_name(claim)):
        return True
    return "age_equal_or_over" in claim.path[:-1]


def _is_birth(claim: ClaimQuery) -> bool:
    return _name(claim) in _BIRTH


def _is_name(claim: ClaimQuery) -> bool:
    return _name(claim) in _NAME


def _problem(code: str, **claims: ClaimQuery) -> Problem:
    return Problem(code, {name: paths.write(claim.path) for name, claim in claims.items()})
