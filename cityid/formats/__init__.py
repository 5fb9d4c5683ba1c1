"""A format is one object with these functions; a format says which keys it needs, the job gathers them, the format
judges. Heavy libraries are imported inside functions, and a format when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from cityid.checks import Check
from cityid.credential import Challenge, Credential, CredentialType, Draft, Keys, Path, Presentation, Unbound
from cityid.keys import Signer

if TYPE_CHECKING:
    from cityid.formats.data_integrity import LDP_VC
    from cityid.formats.jwt_vc_json import JWT_VC_JSON
    from cityid.formats.sd_jwt_vc import SD_JWT_VC
    from cityid.formats.vc_jose import VC_COSE, VC_JWT, VC_SD_JWT

__all__ = ["FORMATS", "AnySigner", "Entropy", "Format"]

AnySigner: TypeAlias = Signer
Entropy: TypeAlias = Callable[[int], bytes]


class Format(Protocol):
    """What every credential format can do."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # the protocol's constant: "dc+sd-jwt", "mso_mdoc", ...

    def issue(self, draft: Draft, signer: AnySigner, *, at: datetime, entropy: Entropy) -> Credential: ...

    def issue_many(self, drafts: Iterable[Draft], signer: AnySigner, *, at: datetime, entropy: Entropy) -> list[bytes]:
        """The raw form of each draft, issued, in their order."""
        ...

    def read(self, raw: bytes) -> Credential:
        """An issued credential. Raises Malformed, nothing else."""
        ...

    def check_issued(self, credential: Credential, keys: Keys, at: datetime) -> Iterable[Check]:
        """What the wallet does before it stores: ISSUER_SIGNATURE."""
        ...

    def present(
        self,
        credential: Credential,
        disclose: Collection[Path],
        challenge: Challenge | Unbound,
        holder: AnySigner | None,
        *,
        at: datetime,
        entropy: Entropy,
    ) -> bytes: ...

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        """Raises Malformed, nothing else."""
        ...

    def check(
        self, presentation: Presentation, keys: Keys, challenge: Challenge | Unbound, at: datetime
    ) -> Iterable[Check]:
        """ISSUER_SIGNATURE, then HOLDER_BINDING (audience, nonce and age inside)."""
        ...

    def answers(self, credential: Credential, meta: Mapping[str, Any]) -> bool:
        """Does the credential meet the `meta` of a DCQL credential query?"""
        ...

    def describe(self, type: CredentialType) -> Mapping[str, Any]:
        """How metadata names this type in this format."""
        ...


class _Formats(Mapping[str, Format]):
    """The formats by their names. Looking at the names loads nothing."""

    __slots__ = ("_loaded", "_places")

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        self._places = places
        self._loaded: dict[str, Format] = {}

    def __getitem__(self, name: str) -> Format:
        found = self._loaded.get(name)
        if found is None:
            module, member = self._places[name]
            found = self._loaded[name] = cast("Format", getattr(import_module(module), member))
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


FORMATS: Final[Mapping[str, Format]] = _Formats(
    {
        "dc+sd-jwt": ("cityid.formats.sd_jwt_vc", "SD_JWT_VC"),
        "vc+jwt": ("cityid.formats.vc_jose", "VC_JWT"),
        "vc+sd-jwt": ("cityid.formats.vc_jose", "VC_SD_JWT"),
        "vc+cose": ("cityid.formats.vc_jose", "VC_COSE"),
        "ldp_vc": ("cityid.formats.data_integrity", "LDP_VC"),
        "jwt_vc_json": ("cityid.formats.jwt_vc_json", "JWT_VC_JSON"),
    }
)

if TYPE_CHECKING:
    _ALL: tuple[Format, ...] = (SD_JWT_VC, VC_JWT, VC_SD_JWT, VC_COSE, LDP_VC, JWT_VC_JSON)
