"""Presenting: what could be shown, exactly; a person's yes; and only then a signature.

found = options(wallet, query, at)           # what each answer would show and what stays hidden
consent = Consent(found.best, at)            # made only from the person's yes
shown = present(consent, challenge, wallet, at)
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from cityid import limits
from cityid.credential import Challenge, Credential, Path, Unbound, leaves_of
from cityid.encoding import json, times
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.formats import FORMATS, Format, wire
from cityid.query import Match, Query, Unanswerable, lint
from cityid.query import read as read_query
from cityid.wallet import ME, Card, Copy, Wallet

__all__ = [
    "AskedFor", "Consent", "Nothing", "Option", "Options", "Shown", "leaves", "options", "present",
    "read_request", "sent",
]  # fmt: skip

_URL_SAFE: Final = re.compile(r"[A-Za-z0-9._~-]+")
_PREFIX: Final = "origin:"


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request as it was handed over in a file. Nothing proves who asks: `audience` is their word, and the answer is
    bound to it, so that nobody else can use the answer. `purpose` and `name` are their words too; `expires` is when
    they take no answer any more, where they say so."""

    audience: str
    nonce: str
    query: Query
    purpose: str
    name: str
    state: str
    expires: datetime | None = None

    def check(self, at: datetime) -> None:
        """The request still takes an answer: after its time a card's copy would be used up, and what it says would
        leave the wallet, for nothing.

        Raises:
            Refused: `request.expired`.
        """
        if self.expires is not None and at >= self.expires:
            raise Refused("request.expired", where="$.cityid.expires", end=times.stamp(self.expires))

    @property
    def challenge(self) -> Challenge:
        return Challenge(self.audience, self.nonce)

    def answer(self, shown: Shown) -> bytes:
        """The message that goes back: `{"vp_token": {...}, "state": ...}` (OpenID4VP §8.1)."""
        message: dict[str, Any] = {"vp_token": dict(shown.vp_token)}
        if self.state:
            message["state"] = self.state
        return json.write(message)


def read_request(data: bytes) -> AskedFor:
    """A request in a file: the parameters of OpenID4VP §5 that have a meaning without a network.

    Raises:
        Malformed: `request.*`, `query.*`, `json.*`, `time.not_a_stamp`.
        Refused: `request.transaction_data`, `request.origin`.
    """
    fields = json.Fields(json.read_object(data))
    if fields.text("response_type") != "vp_token":
        raise Malformed("request.response_type", where="$.response_type", spec="OpenID4VP §5.2")
    audience = fields.text("client_id")
    if not audience:
        raise Malformed("request.client_id", where="$.client_id", spec="OpenID4VP §5.2")
    if audience.startswith(_PREFIX):
        raise Refused("request.origin", where="$.client_id", spec="OpenID4VP §5.9.3")
    nonce = fields.text("nonce")
    if not limits.NONCE_MIN <= len(nonce) <= limits.NONCE_MAX or not _URL_SAFE.fullmatch(nonce):
        raise Malformed("request.nonce", where="$.nonce", spec="OpenID4VP §5.2", least=limits.NONCE_MIN)
    if "transaction_data" in fields:
        raise Refused("request.transaction_data", where="$.transaction_data", spec="OpenID4VP §8.4")
    if "scope" in fields:
        raise Malformed("request.scope", where="$.scope", spec="OpenID4VP §5.5")
    state = fields.optional_text("state") or ""
    if state and not _URL_SAFE.fullmatch(state):
        raise Malformed("request.state", where="$.state", spec="OpenID4VP §5.3")
    ours = json.Fields(fields.optional_object("cityid") or {}, "$.cityid")
    expires = ours.optional_text("expires")
    return AskedFor(
        audience,
        nonce,
        read_query(fields.object("dcql_query"), "$.dcql_query", answering=True),
        ours.optional_text("purpose") or "",
        ours.optional_text("by") or "",
        state,
        None if expires is None else times.read_stamp(expires, "$.cityid.expires"),
    )


@dataclass(frozen=True, slots=True)
class Option:
    """One card as an answer to one credential query. `shows` are the claims that would leave, with their values (those
    that this card always shows included); `hides` the paths that stay."""

    id: str
    card: Card
    match: Match
    shows: tuple[tuple[Path, Any], ...]
    hides: tuple[Path, ...]

    @property
    def single_use(self) -> bool:
        """Is an unused copy left, so that two services cannot compare this showing with another?"""
        return self.card.copies_left > 0


@dataclass(frozen=True, slots=True)
class Options:
    """What could be shown. `best` is the least-disclosing answer, one option for each needed query; `by_id` has every
    card that answers a query, the least-disclosing first. `warnings` tell of over-asking: a request that has any is
    not agreed to by default."""

    best: tuple[Option, ...]
    by_id: Mapping[str, tuple[Option, ...]]
    warnings: tuple[Problem, ...]

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing in the wallet answers the request. `reasons` say why, by query id; they are for the holder and never
    leave the wallet (OpenID4VP §15.9)."""

    reasons: Mapping[str, tuple[Problem, ...]]

    def __bool__(self) -> Literal[False]:
        return False


@dataclass(frozen=True, slots=True)
class Consent:
    """The person's yes to exactly these options. Nothing else makes one. `reuse` is their yes to showing a copy that
    was shown before, where no unused one is left."""

    options: tuple[Option, ...]
    at: datetime
    reuse: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A signed answer: the `vp_token` (OpenID4VP §8.1) and the copies that it used up."""

    vp_token: Mapping[str, list[Any]]
    copies: tuple[tuple[Option, Copy], ...]


def options(
    wallet: Wallet, query: Query, at: datetime, *, person: str = ME, formats: Mapping[str, Format] = FORMATS
) -> Options | Nothing:
    """What the wallet can answer a query with, and what each answer would show, from the cards of one person: those of
    several are never mixed. Signs nothing, uses nothing up."""
    held: dict[int, tuple[Card, Credential]] = {}
    for card in wallet.held(person=person):
        credential = card.credential
        held[id(credential)] = (card, credential)

    def answers(credential: Credential, meta: Mapping[str, Any]) -> bool:
        return credential.format in formats and formats[credential.format].answers(credential, meta)

    found = query.options([credential for _, credential in held.values()], answers=answers, at=at)
    if isinstance(found, Unanswerable):
        return Nothing(found.reasons)
    by_id = {
        name: tuple(sorted((_option(held[id(match.credential)][0], match) for match in matches), key=_preference))
        for name, matches in found.candidates.items()
    }
    best = tuple(by_id[name][0] for name in found.ids)
    return Options(best, MappingProxyType(by_id), lint(query))


def _option(card: Card, match: Match) -> Option:
    shows, hides = _split(match.credential, match.disclose)
    return Option(match.id, card, match, shows, hides)


def _split(credential: Credential, disclose: Collection[Path]) -> tuple[tuple[tuple[Path, Any], ...], tuple[Path, ...]]:
    """What opening `disclose` shows of the holder, and what stays hidden."""
    shows: list[tuple[Path, Any]] = []
    hides: list[Path] = []
    for path, value, _ in leaves(credential):
        covers = (path[:length] for length in range(1, len(path) + 1))
        if all(cover in disclose for cover in covers if cover in credential.hidden):
            shows.append((path, value))
        else:
            hides.append(path)
    return tuple(shows), tuple(hides)


def _preference(option: Option) -> tuple[int, bool]:
    """The least shown first; among equals, a card that has an unused copy left. Sorting keeps the query's own order."""
    return option.match.shown, not option.single_use


def leaves(credential: Credential) -> tuple[tuple[Path, Any, bool], ...]:
    """Every single value in a card that is about its holder: path as issued, value, and whether it can be hidden."""
    return tuple(
        (path, value, any(path[:length] in credential.hidden for length in range(1, len(path) + 1)))
        for path, value in leaves_of(credential.claims, credential.positions)
    )


def present(
    consent: Consent,
    challenge: Challenge,
    wallet: Wallet,
    at: datetime,
    *,
    formats: Mapping[str, Format] = FORMATS,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> Shown:
    """Sign what was agreed to, with copies that are reserved before the first signature: a lost copy is better than one
    that links two showings.

    Raises:
        Misuse: `present.nothing`, `time.naive`.
        Refused: `wallet.no_copy_left`, `present.copy_differs` (the reserved copy would show something else),
            `keys.unknown` and `wallet.not_bound` where the holder's key is not in this wallet.
    """
    times.check_aware(at)
    if not consent.options:
        raise Misuse("present.nothing")
    used = tuple((option, _reserve(option, consent, wallet, at)) for option in consent.options)
    token: dict[str, list[Any]] = {}
    for option, copy in used:
        query = option.match.query
        form = formats[option.card.format]
        bound = query.holder_binding
        signer = wallet.keyring.signer(copy.key) if bound and not copy.credential.proves else None
        raw = form.present(
            copy.credential, option.match.disclose, challenge if bound else Unbound(), signer, at=at, entropy=entropy
        )
        token.setdefault(option.id, []).append(wire.write(raw, option.card.format))
    return Shown(MappingProxyType(token), used)


def _reserve(option: Option, consent: Consent, wallet: Wallet, at: datetime) -> Copy:
    copy = wallet.reserve(option.card.id, at, allow_reuse=consent.reuse)
    if _split(copy.credential, option.match.disclose)[0] != option.shows:
        raise Refused("present.copy_differs")
    return copy


def sent(shown: Shown, to: str, wallet: Wallet, at: datetime, *, name: str = "", purpose: str = "") -> None:
    """Write into the wallet's history what was shown to whom: the paths of the claims, never their values; and what the
    service said of itself."""
    for option, copy in shown.copies:
        wallet.shown(copy, to, tuple(path for path, _ in option.shows), at, name=name, purpose=purpose)
