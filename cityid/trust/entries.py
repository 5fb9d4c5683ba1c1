"""The trust list and its judgement: local, without any network, before anything else is believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from cityid.checks import Check, Step, failed, passed
from cityid.credential import CertificateChain, DidUrl, KeyPlace, KeyRef, Purpose, WebIssuer
from cityid.did import DidDocument, webvh
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import PublicKey, x509
from cityid.keys.algorithms import CURVES

Mechanism = Literal["did", "x5c", "web"]
StatusRule = Literal["required", "none"]

_NO_NAMES: Final[Mapping[str, Collection[str]]] = MappingProxyType({})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_ALWAYS: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_AT: Final = Step.ISSUER_TRUSTED


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One issuer, or one root whose certificates name issuers.

    Exactly one of `did`, `web` and `roots` (DER) is given, and `mechanism` says so again: a typo in one of them must
    not open another door. `types` are type ids or wire names. `since` is inclusive, `until` exclusive. `issuer` narrows
    a root to certificates of one issuer. `document`, `history` and `keys` pin what would otherwise be fetched.

    Raises:
        Misuse: `trust_file.*`.
    """

    mechanism: Mechanism
    types: tuple[str, ...]
    did: str = ""
    web: str = ""
    roots: tuple[bytes, ...] = field(default=(), repr=False)
    issuer: str = ""
    since: datetime | None = None
    until: datetime | None = None
    status: StatusRule = "required"
    name: str = ""
    source: str = ""
    """How the file names the roots."""
    document: DidDocument | None = field(default=None, repr=False)
    keys: Mapping[str, PublicKey] | None = field(default=None, repr=False)
    history: webvh.Log | None = field(default=None, repr=False)
    """Of a did:webvh: its log, judged by its witnesses."""
    seen: str = ""
    """The versionId of its log that was seen last: a log that does not go on from there is refused."""
    status_issuer: str = ""
    """Who else may sign this issuer's status lists: a DID or an https issuer."""
    status_eku: str = ""
    """With roots: the extended key usage (an OID) by which another certificate of the issuer, under the same root, may
    sign its status lists (Token Status List §11.3)."""
    status_lists: tuple[str, ...] = ()
    """Lists, and documents that name lists (Token Status List §9), to be fetched ahead."""

    def __post_init__(self) -> None:
        given = [name for name, value in (("did", self.did), ("web", self.web), ("x5c", self.roots)) if value]
        if len(given) != 1:
            raise Misuse("trust_file.one_of", found=", ".join(given))
        if self.mechanism != given[0]:
            raise Misuse("trust_file.mechanism", mechanism=self.mechanism, expected=given[0])
        if not self.types or "" in self.types:
            raise Misuse("trust_file.no_types")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise Misuse("trust_file.period")
        for member, given_for in (("document", "did"), ("keys", "web"), ("issuer", "x5c"), ("status_eku", "x5c")):
            if getattr(self, member) and self.mechanism != given_for:
                raise Misuse("trust_file.pin", member=member, mechanism=self.mechanism)
        for member in ("history", "seen"):
            if getattr(self, member) and not self.did.startswith("did:webvh:"):
                raise Misuse("trust_file.no_history", member=member)
        if self.history is not None and self.document is not None:
            raise Misuse("trust_file.one_of", found="document, log")

    @property
    def subject(self) -> str:
        """Whom the entry is about: the DID, the https issuer, the issuer of a narrowed root, or the root's source."""
        return self.did or self.web or self.issuer or self.source


@dataclass(frozen=True, slots=True)
class _Grant:
    """One entry for one wire name, with its answer made beforehand."""

    entry: TrustEntry
    since: datetime
    until: datetime
    check: Check


@dataclass(frozen=True, slots=True)
class TrustList:
    """Whose word counts. `names` maps a type id to its wire names, so that "residency" in an entry matches a vct.
    `title` is how verdicts call the list. `remembered` is, by SCID, the last entry of logs that was seen, as `seen` in
    an entry: both count.

    Raises:
        Misuse: `trust_file.contradiction`, `trust_file.duplicate`.
    """

    entries: tuple[TrustEntry, ...]
    names: Mapping[str, Collection[str]] = field(default_factory=lambda: _NO_NAMES, repr=False)
    title: str = ""
    remembered: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    _pinned: Mapping[str, Mechanism] = field(init=False, repr=False, compare=False)
    _grants: Mapping[tuple[str, str], _Grant] = field(init=False, repr=False, compare=False)
    _chained: tuple[Mapping[str, _Grant], ...] = field(init=False, repr=False, compare=False)
    _keys: Mapping[KeyPlace, PublicKey] = field(init=False, repr=False, compare=False)
    _documents: Mapping[str, TrustEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pinned: dict[str, Mechanism] = {}
        grants: dict[tuple[str, str], _Grant] = {}
        chained: list[Mapping[str, _Grant]] = []
        keys: dict[KeyPlace, PublicKey] = {}
        documents: dict[str, TrustEntry] = {}
        for index, entry in enumerate(self.entries):
            where = f"issuer[{index}]"
            issuer = entry.did or entry.web or entry.issuer
            if issuer and pinned.setdefault(issuer, entry.mechanism) != entry.mechanism:
                raise Misuse("trust_file.contradiction", where=where, issuer=issuer)
            by_type = self._grant(entry)
            if entry.roots:
                for earlier in chained:
                    one = next(iter(earlier.values())).entry
                    if set(one.roots) & set(entry.roots) and one.issuer == entry.issuer and earlier.keys() & by_type:
                        raise Misuse("trust_file.duplicate", where=where, issuer=entry.subject)
                chained.append(by_type)
                continue
            for wire, grant in by_type.items():
                if (issuer, wire) in grants:
                    raise Misuse("trust_file.duplicate", where=where, issuer=issuer)
                grants[issuer, wire] = grant
            if entry.document is not None or entry.keys is not None or entry.history is not None:
                # Two entries of one issuer, for other types, would leave open whose pin counts.
                if documents.setdefault(issuer, entry) is not entry:
                    raise Misuse("trust_file.pinned_twice", where=where, issuer=issuer)
                _load(entry, keys)
        for name, value in (
            ("_pinned", pinned), ("_grants", grants), ("_chained", tuple(chained)), ("_keys", keys),
            ("_documents", documents),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    def _grant(self, entry: TrustEntry) -> dict[str, _Grant]:
        granted = {}
        for name in entry.types:
            facts: dict[str, Any] = {"issuer": entry.subject, "type": name, "name": entry.name, "list": self.title}
            grant = _Grant(entry, entry.since or _ALWAYS[0], entry.until or _ALWAYS[1], passed(_AT, **facts))
            for wire in (name, *self.names.get(name, ())):
                granted[wire] = grant
        return granted

    def check(self, signed_by: KeyRef, issuer: str, types: tuple[str, ...], at: datetime) -> Check:
        """May `issuer`, proved as `signed_by` says, issue a credential whose own type is `types[0]`, at `at`? Other
        types give no authority (SD-JWT VC, `aka_vcts`). A chain is validated here.

        A failed check has one of `trust.unknown_issuer`, `trust.mechanism`, `trust.key_of_other`, `trust.type`,
        `trust.period`, `trust.issuer_name`, `trust.leaf_for_status`, `trust.chain_*`, `x509.*`.
        """
        place = signed_by.at
        wire = types[0] if types else ""
        if isinstance(place, CertificateChain):
            return self._check_chain(place, issuer, wire, at)
        found: Mechanism = "did" if isinstance(place, DidUrl) else "web"
        named = place.did if isinstance(place, DidUrl) else place.issuer
        grant = self._grants.get((issuer, wire))
        if grant is None or grant.entry.mechanism != found or named != issuer:
            return self._refusal(issuer, wire, found, named)
        if grant.since <= at < grant.until:
            return grant.check
        return _outside(grant, issuer)

    def _refusal(self, issuer: str, wire: str, found: Mechanism, named: str) -> Check:
        pinned = self._pinned.get(issuer)
        if pinned is None:
            return failed(_AT, "trust.unknown_issuer", issuer=issuer)
        if pinned != found:
            return failed(_AT, "trust.mechanism", spec="SD-JWT VC §7.3", issuer=issuer, expected=pinned, found=found)
        if named != issuer:
            return failed(_AT, "trust.key_of_other", issuer=issuer, owner=named)
        return failed(_AT, "trust.type", issuer=issuer, type=wire)

    def _check_chain(self, place: CertificateChain, issuer: str, wire: str, at: datetime) -> Check:
        pinned = self._pinned.get(issuer, "x5c")
        if pinned != "x5c":
            return failed(_AT, "trust.mechanism", spec="SD-JWT VC §7.3", issuer=issuer, expected=pinned, found="x5c")
        try:
            leaf = validated(place, self.roots, at)
        except (Refused, Malformed) as error:
            return failed(_AT, error.problem)
        if not is_named(leaf, issuer):
            return failed(_AT, "trust.issuer_name", issuer=issuer, subject=leaf.subject)
        usages = set(x509.read(place.certificates[0]).extended_key_usages)
        if usages and usages <= {entry.status_eku for entry in self.entries if leaf.root in entry.roots}:
            return failed(_AT, "trust.leaf_for_status", spec="RFC 5280 §4.2.1.12", subject=leaf.subject)
        grants = [
            by_type
            for by_type in self._chained
            if (entry := next(iter(by_type.values())).entry).issuer in ("", issuer) and leaf.root in entry.roots
        ]
        if not grants:
            return failed(_AT, "trust.unknown_issuer", issuer=issuer)
        fitting = [by_type[wire] for by_type in grants if wire in by_type]
        if not fitting:
            return failed(_AT, "trust.type", issuer=issuer, type=wire)
        for grant in fitting:
            if grant.since <= at < grant.until:
                return passed(_AT, **{**grant.check.facts, "issuer": issuer})
        return _outside(fitting[0], issuer)

    @property
    def must_end(self) -> bool:
        """Must a credential without a status end? Or nothing would ever take it back."""
        return True

    @property
    def roots(self) -> tuple[bytes, ...]:
        """Every root of the list, DER."""
        return tuple(dict.fromkeys(root for entry in self.entries for root in entry.roots))

    def status(self, signed_by: KeyRef, issuer: str, types: tuple[str, ...] = ()) -> StatusRule:
        """Must a credential of this issuer (and, where given, of type `types[0]`) carry a status? Where several entries
        could have vouched for it, or none, the stricter answer."""
        if isinstance(signed_by.at, CertificateChain):
            grants = [
                grant
                for by_type in self._chained
                for wire, grant in by_type.items()
                if grant.entry.issuer in ("", issuer) and (not types or wire == types[0])
            ]
        elif types:
            found = self._grants.get((issuer, types[0]))
            return "required" if found is None else found.entry.status
        else:
            grants = [grant for (named, _), grant in self._grants.items() if named == issuer]
        return "none" if grants and all(grant.entry.status == "none" for grant in grants) else "required"

    def status_issuers(self, signed_by: KeyRef, at: datetime) -> frozenset[str]:
        """Who else may sign the status lists of the issuer that `signed_by` is the key of, at `at`.

        Raises:
            Refused: `trust.chain_*`. Malformed: `x509.*`.
        """
        place = signed_by.at
        entries = [
            entry
            for entry in self.entries
            if entry.status_issuer and (entry.since or _ALWAYS[0]) <= at < (entry.until or _ALWAYS[1])
        ]
        if not entries:
            return frozenset()
        if isinstance(place, CertificateChain):
            leaf = validated(place, self.roots, at)
            entries = [
                one for one in entries if leaf.root in one.roots and (not one.issuer or is_named(leaf, one.issuer))
            ]
        else:
            owner = place.did if isinstance(place, DidUrl) else place.issuer
            entries = [one for one in entries if owner in (one.did, one.web)]
        return frozenset(one.status_issuer for one in entries)

    def check_status_chain(self, place: CertificateChain, chain: CertificateChain, at: datetime) -> None:
        """A status list is signed under `chain`, and the credential under another certificate, `place`: both must be of
        one issuer under one root, and the list's must have the extended key usage that the trust list names.

        Raises:
            Refused: `status.other_signer`, `trust.chain_*`, `trust.leaf_*`. Malformed: `x509.*`.
        """
        leaf = validated(place, self.roots, at)
        usages = {
            entry.status_eku
            for entry in self.entries
            if entry.status_eku and leaf.root in entry.roots and (not entry.issuer or is_named(leaf, entry.issuer))
            and (entry.since or _ALWAYS[0]) <= at < (entry.until or _ALWAYS[1])
        }  # fmt: skip
        if not usages:
            raise Refused("status.other_signer", spec="Token Status List §11.3", found="x5c")
        borne = x509.read(chain.certificates[0]).extended_key_usages
        usage = next((one for one in borne if one in usages), min(usages))
        signer = x509.validate(chain.certificates, (leaf.root,), at, x509.Profile(usage))
        hosts = (f"https://{host}" for host in leaf.san_dns)
        if not any(is_named(signer, name) for name in (leaf.subject, *leaf.san_uris, *hosts)):
            raise Refused("status.other_signer", spec="Token Status List §11.3", found=signer.subject)

    def pinned_key(self, place: DidUrl | WebIssuer, purpose: Purpose) -> PublicKey | None:
        """The key of an issuer whose keys the list pins; None where they are to be fetched.

        Raises:
            Refused: `did.*` as `DidDocument.key`, `trust.no_such_key`: a pin is never answered from elsewhere.
            Malformed: `key.*`.
        """
        found = self._keys.get(place)
        if found is not None and purpose is Purpose.ASSERTION:
            return found
        if isinstance(place, DidUrl):
            entry = self._documents.get(place.did)
            return None if entry is None or entry.document is None else entry.document.key(place.fragment, purpose)
        entry = self._documents.get(place.issuer)
        return None if entry is None or entry.keys is None else pick(entry.keys, place)

    def seen(self, did: str) -> tuple[str, ...]:
        """What was seen last of the log of `did`: any log of it must have these entries."""
        if not did.startswith("did:webvh:"):
            return ()
        scid = webvh.scid_of(did)
        listed = [entry.seen for entry in self.entries if entry.seen and webvh.scid_of(entry.did) == scid]
        return tuple(dict.fromkeys((*listed, *filter(None, [self.remembered.get(scid, "")]))))

    def history(self, did: str) -> webvh.Log | None:
        """The log that the list pins; None where it is to be fetched."""
        entry = self._documents.get(did)
        return None if entry is None else entry.history


def pick(keys: Mapping[str, PublicKey], place: WebIssuer) -> PublicKey:
    """The key that `kid` names; without a `kid`, the only key.

    Raises:
        Refused: `trust.no_such_key`, `trust.no_kid`.
    """
    if place.kid:
        found = keys.get(place.kid)
        if found is None:
            raise Refused("trust.no_such_key", spec="SD-JWT VC §4", issuer=place.issuer, kid=place.kid)
        return found
    if len(keys) != 1:
        raise Refused("trust.no_kid", spec="SD-JWT VC §4", issuer=place.issuer, count=len(keys))
    return next(iter(keys.values()))


def validated(place: CertificateChain, roots: tuple[bytes, ...], at: datetime) -> x509.ValidatedChain:
    """The chain, validated to one of `roots` (RFC 5280 §6).

    Raises:
        Refused: `trust.chain_*`.
        Malformed: `x509.*`.
    """
    if not roots:
        raise Refused("trust.chain_no_roots")
    return x509.validate(place.certificates, roots, at)


def is_named(leaf: x509.ValidatedChain, issuer: str) -> bool:
    """Without `iss` the issuer is the leaf's subject; an `iss` must be a URI of the leaf, or an https URL at a DNS name
    of the leaf."""
    if issuer == leaf.subject or issuer in leaf.san_uris:
        return True
    return issuer.startswith("https://") and issuer[8:].partition("/")[0] in leaf.san_dns


def _outside(grant: _Grant, issuer: str) -> Check:
    entry = grant.entry
    return failed(
        _AT,
        "trust.period",
        issuer=issuer,
        since="" if entry.since is None else entry.since.strftime("%Y-%m-%d"),
        until="" if entry.until is None else entry.until.strftime("%Y-%m-%d"),
    )


def _load(entry: TrustEntry, keys: dict[KeyPlace, PublicKey]) -> None:
    """Load and warm what is pinned: a key's first verification costs OpenSSL some microseconds more."""
    if entry.document is not None:
        for method in entry.document.relationships[Purpose.ASSERTION]:
            fragment = method.partition("#")[2]
            # A key in the document that is none of ours harms nobody until it is asked for.
            with suppress(Refused, Malformed):
                keys[DidUrl(entry.did, fragment)] = entry.document.key(fragment, Purpose.ASSERTION)
        with suppress(Refused, Malformed):
            keys[DidUrl(entry.did, "")] = entry.document.key("", Purpose.ASSERTION)
    for kid, key in (entry.keys or {}).items():
        keys[WebIssuer(entry.web, kid)] = key
    for key in keys.values():
        half = len(key.raw) // 2 if key.algorithm in CURVES else 32
        with suppress(Refused):
            key.verify((bytes(half - 1) + b"\1") * 2, b"")
