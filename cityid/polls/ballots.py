"""Votes: made by a resident, judged by the platform, published, and counted again by anybody."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cityid import contexts
from cityid.encoding import json, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused
from cityid.keys import PublicKey
from cityid.polls.poll import Poll, of_members
from cityid.polls.voice import FEATURE, Voice, check_form, check_options
from cityid.proofs import bbs2023

Entropy = Callable[[int], bytes]
LIST: Final = 1 << 30
"""Octets of a published list: a vote takes about three thousand."""
_HEADER: Final = b"cityid ballot 1\n"


@dataclass(frozen=True, slots=True)
class Vote:
    """A ballot that was found good: whose pseudonym, which choice, and the ballot itself."""

    pseudonym: str
    choice: str
    ballot: bytes


def _header(poll: Poll, choice: str) -> bytes:
    """The presentation header: a proof is for one choice in one poll."""
    return hashlib.sha256(_HEADER + poll.id.encode("ascii") + b"\n" + choice.encode("utf-8")).digest()


def cast(poll: Poll, voice: Voice, choice: str, *, at: datetime, entropy: Entropy = secrets.token_bytes) -> bytes:
    """A resident's ballot. What the platform would refuse is refused here, before anything is shown.

    Raises:
        Refused: `polls.no_such_choice`, `polls.closed`, `polls.ended`, `polls.not_eligible`, `polls.too_new`,
            `polls.other_issuer`.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    times.check_aware(at)
    _check_choice(poll, choice)
    _check_open(poll, at)
    _check_eligible(poll, voice.document)
    start, end = (times.read_stamp(voice.document[name]) for name in ("validFrom", "validUntil"))
    _check_current(start, end, at)
    document, proof = bbs2023.derive(
        voice.document, voice.proof, selective=[f"/credentialSubject/{name}" for name in poll.claims],
        load=contexts.load, presentation_header=_header(poll, choice), entropy=entropy, feature=FEATURE,
        holder=voice.holder, nym_domain=poll.domain,
    )  # fmt: skip
    return json.write({"poll": poll.id, "choice": choice, "voice": {**document, "proof": proof}})


def check(poll: Poll, ballot: bytes, *, at: datetime) -> Vote:
    """The platform's check of a ballot that comes at `at`. Whether the pseudonym has voted is the box's to say.

    Raises:
        Malformed: `json.*`, `time.*`, `di.*`, `sd.*`, `bbs.*`.
        Refused: `polls.other_poll`, `polls.no_such_choice`, `polls.closed`, `polls.ended`, `polls.marked`,
            `polls.other_issuer`, `polls.not_eligible`, `polls.too_new`, `polls.unknown_key`, `bbs.proof`, `bbs2023.*`.
    """
    times.check_aware(at)
    _check_open(poll, at)
    vote, start, end = _judged(poll, json.read_object(ballot))
    _check_current(start, end, at)
    return vote


def _judged(poll: Poll, value: Any, where: str = "$") -> tuple[Vote, datetime, datetime]:
    fields = Fields(value, where)
    fields.only(("poll", "choice", "voice"))
    if fields.text("poll") != poll.id:
        raise Refused("polls.other_poll", where=fields.at("poll"), expected=poll.id)
    choice = fields.text("choice")
    _check_choice(poll, choice)
    shown = fields.fields("voice")
    proof = shown.object("proof")
    document = {name: each for name, each in shown.value.items() if name != "proof"}
    start, end = check_form(document, poll.claims)
    _check_eligible(poll, document)
    key = _key(poll, shown.fields("proof"))
    check_options(proof, shown.at("proof"))
    pseudonym = bbs2023.check(
        document, proof, key, load=contexts.load, presentation_header=_header(poll, choice), feature=FEATURE,
        nym_domain=poll.domain, where=shown.at("proof"),
    )  # fmt: skip
    return Vote(pseudonym.hex(), choice, json.write(fields.value)), start, end


def key_of(poll: Poll, card: Mapping[str, Any]) -> PublicKey:
    """The key of the poll with which a voice says that it was signed. Raises Malformed `json.*`; Refused
    `polls.unknown_key`."""
    return _key(poll, Fields(dict(card)).fields("proof"))


def _key(poll: Poll, proof: Fields) -> PublicKey:
    method = proof.text("verificationMethod")
    if method not in poll.keys:
        raise Refused("polls.unknown_key", where=proof.where, key=method)
    return poll.keys[method]


def _check_choice(poll: Poll, choice: str) -> None:
    if choice not in poll.options:
        raise Refused("polls.no_such_choice", where="$.choice", choice=choice)


def _check_open(poll: Poll, at: datetime) -> None:
    if not poll.opens <= at < poll.closes:
        raise Refused("polls.closed", opens=times.stamp(poll.opens), closes=times.stamp(poll.closes))


def _check_current(start: datetime, end: datetime, at: datetime) -> None:
    if not start <= at < end:
        raise Refused("polls.ended", start=times.stamp(start), end=times.stamp(end))


def _check_eligible(poll: Poll, document: Mapping[str, Any]) -> None:
    if document["issuer"] != poll.issuer:
        raise Refused("polls.other_issuer", where="$.issuer", expected=poll.issuer)
    subject = document["credentialSubject"]
    wanted = {"municipality_code": poll.municipality, "district_code": poll.district, f"age_over_{poll.age}": True}
    for name in poll.claims[:-1]:
        if type(subject[name]) is not type(wanted[name]) or subject[name] != wanted[name]:
            raise Refused("polls.not_eligible", where=f"$.credentialSubject.{name}", name=name)
    fields = Fields(subject, "$.credentialSubject")
    if times.read_date(fields.text("voice_since"), fields.at("voice_since")) > poll.roll_day:
        raise Refused("polls.too_new", where="$.credentialSubject.voice_since", roll_day=poll.roll_day.isoformat())


def publish(poll: Poll, votes: Iterable[Vote]) -> bytes:
    """The list that anybody can count again: the poll, the counts, and each ballot, in the order of pseudonyms, which
    says nothing about the order in which they came."""
    ordered = sorted(votes, key=lambda vote: vote.pseudonym)
    counts = {option: sum(vote.choice == option for vote in ordered) for option in poll.options}
    ballots = [{"pseudonym": vote.pseudonym, **json.read_object(vote.ballot)} for vote in ordered]
    return json.write({"counts": counts, "poll": poll.members(), "ballots": ballots})


def recount(published: bytes, *, mine: bytes | None = None) -> Mapping[str, int]:
    """Judge and count each ballot of a published list. Needs no secret and no network. `mine` is a ballot that must
    be in it.

    Raises:
        Malformed: `json.*`, and those of `check`.
        Refused: `polls.second_vote`, `polls.counts_differ`, `polls.missing`, `polls.ended`, and those of `check`.
    """
    fields = Fields(json.read_object(published, limit=LIST, nodes=False))
    fields.only(("counts", "poll", "ballots"))
    poll = of_members(fields.object("poll"), "$.poll")
    counts = dict.fromkeys(poll.options, 0)
    seen: dict[str, str] = {}
    last = ""
    for index, each in enumerate(fields.array("ballots")):
        where = f"$.ballots[{index}]"
        entry = Fields(each, where)
        named = entry.text("pseudonym")
        vote, start, end = _judged(
            poll, {name: part for name, part in entry.value.items() if name != "pseudonym"}, where
        )
        if not (start < poll.closes and poll.opens < end):
            raise Refused("polls.ended", where=where, start=times.stamp(start), end=times.stamp(end))
        if named != vote.pseudonym:
            raise Refused("polls.pseudonym", where=where)
        if named in seen:
            raise Refused("polls.second_vote", where=where, pseudonym=named)
        if named < last:
            raise Malformed("polls.order", where=where)
        last = named
        seen[named] = vote.choice
        counts[vote.choice] += 1
    if fields.object("counts") != counts:
        raise Refused("polls.counts_differ", where="$.counts", counted=sum(counts.values()))
    if mine is not None:
        own, _, _ = _judged(poll, json.read_object(mine))
        if seen.get(own.pseudonym) != own.choice:
            raise Refused("polls.missing", pseudonym=own.pseudonym)
    return MappingProxyType(counts)
