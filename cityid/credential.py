"""The nouns that jobs and formats share: what a credential is before, after and while it is shown.

Nothing here knows a wire format; nothing here can be changed after it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid import limits
from cityid.credential_type import ClaimRule, CredentialType, Path
from cityid.errors import Misuse
from cityid.keys import PublicKey, Purpose

__all__ = [
    "CertificateChain",
    "Challenge",
    "Channel",
    "ClaimRule",
    "Credential",
    "CredentialType",
    "DcApi",
    "DidUrl",
    "Draft",
    "KeyPlace",
    "KeyRef",
    "Keys",
    "Path",
    "Presentation",
    "Purpose",
    "Redirect",
    "StatusRef",
    "Unbound",
    "WebIssuer",
    "Window",
    "about",
    "leaves_of",
]

_EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DidUrl:
    """A verification method: `did:web:id.lindau.example#issuer-1`. `fragment` is without `#`; "" asks for the
    document's only suitable key."""

    did: str
    fragment: str

    def __str__(self) -> str:
        return f"{self.did}#{self.fragment}" if self.fragment else self.did


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """DER certificates, leaf first, as `x5c` brings them. Not validated: that is the trust list's work."""

    certificates: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"CertificateChain({len(self.certificates)} certificates)"


@dataclass(frozen=True, slots=True)
class WebIssuer:
    """An https issuer that publishes JWT VC issuer metadata (SD-JWT VC §4); `kid` picks the key."""

    issuer: str
    kid: str


KeyPlace: TypeAlias = DidUrl | CertificateChain | WebIssuer


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Where a key is said to be, and what it must be good for."""

    at: KeyPlace
    purpose: Purpose = Purpose.ASSERTION


Keys: TypeAlias = Mapping[KeyRef, PublicKey]


@dataclass(frozen=True, slots=True)
class Window:
    """When a credential holds: from `start` (inclusive) until `end` (exclusive); None is open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusRef:
    """One entry of a status list: `kind` is the member name in `status` (`status_list`), `facts` its members."""

    kind: str
    uri: str
    index: int
    facts: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Draft:
    """A credential as chosen, unsigned. `claims` were read by `type`; `holder` is a key that its wallet has proved;
    `signed_by` says how the signature will name its key."""

    type: CredentialType
    issuer: str
    signed_by: KeyRef
    claims: Mapping[str, Any]
    holder: PublicKey | None
    window: Window
    status: tuple[StatusRef, ...] = ()
    suite: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as read from `raw`; reading it believes nothing.

    `types` are wire names (vct and aka_vcts, doctype, type IRIs), the credential's own first. `claims` are the
    processed claims without `cnf` and `status`. `hidden` are the paths that the holder can leave out. `positions`
    gives, for an array from which hidden elements were left out, the issued index of each element that remains.
    """

    format: str
    issuer: str
    types: tuple[str, ...]
    claims: Mapping[str, Any]
    hidden: frozenset[Path]
    holder: PublicKey | None
    window: Window
    status: tuple[StatusRef, ...]
    signed_by: tuple[KeyRef, ...]
    raw: bytes = field(repr=False)
    positions: Mapping[Path, tuple[int, ...]] = field(default_factory=lambda: _EMPTY)
    state: Any = field(default=None, repr=False, compare=False)
    """The format's own reading (parsed parts), so that check() and present() need not read again."""
    proves: bool = False
    """Each showing is a fresh proof for one question (BBS), so that no holder's key has to be in it."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """ONE credential and its binding. `shown_by` names keys outside the credential that signed the showing (none for
    SD-JWT, whose holder key is inside)."""

    credential: Credential
    shown_by: tuple[KeyRef, ...]
    raw: bytes = field(repr=False)
    state: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The answer goes to `response_uri`, or by hand where that is "" (file exchange)."""

    response_uri: str = ""


@dataclass(frozen=True, slots=True)
class DcApi:
    """The answer goes through the browser's Digital Credentials API."""

    origin: str


Channel: TypeAlias = Redirect | DcApi


@dataclass(frozen=True, slots=True)
class Challenge:
    """What binds a presentation to one question: who asks (the full client identifier) and the nonce of this time.

    Raises:
        Misuse: `challenge.empty`, because a presentation judged without either would be a bearer token.
    """

    audience: str
    nonce: str
    channel: Channel = field(default_factory=Redirect)
    encryption_key: bytes | None = None
    transaction_data: tuple[str, ...] = ()
    max_age: timedelta = limits.KB_AGE

    def __post_init__(self) -> None:
        for name in ("audience", "nonce"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise Misuse("challenge.empty", name=name)


@dataclass(frozen=True, slots=True)
class Unbound:
    """No holder binding is asked for. Never a default; against a query that wants binding it is Misuse."""


_PROTOCOL: Final = frozenset({"iss", "iat", "nbf", "exp", "vct", "vct#integrity", "aka_vcts"})
"""Claims that say what the card is, not who its holder is: told as issuer, type and validity."""

_SUBJECT: Final = "credentialSubject"
_NAMING: Final = frozenset({("id",), ("type",)})


def _names(path: Path) -> bool:
    """Does the path lead to what a subject is called, rather than to something about it?"""
    return tuple(part for part in path[1:] if type(part) is str) in _NAMING


def about(path: Path) -> Path:
    """The path of a claim within what a credential says of its subject, which is how people and types call it in every
    format."""
    return path[1:] if len(path) > 1 and path[0] == _SUBJECT else path


def leaves_of(
    claims: Mapping[str, Any], positions: Mapping[Path, tuple[int, ...]] = _EMPTY
) -> tuple[tuple[Path, Any], ...]:
    """Every single value among `claims` that is about the holder, with its path. Indices are the issued ones, which
    `positions` gives for arrays with decoys in them. A W3C credential says what is about the holder."""
    found = _leaves(claims, (), positions)
    if "@context" in claims:
        return tuple((path, value) for path, value in found if path[0] == _SUBJECT and not _names(path))
    return tuple((path, value) for path, value in found if path[0] not in _PROTOCOL)


def _leaves(value: Any, path: Path, positions: Mapping[Path, tuple[int, ...]]) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name), positions)
    elif isinstance(value, list) and value:
        for index, inner in zip(positions.get(path, range(len(value))), value, strict=True):
            yield from _leaves(inner, (*path, index), positions)
    else:
        yield path, value
