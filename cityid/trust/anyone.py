"""ANYONE: no trust list at all, under a name that can be looked for.

For what has to judge credentials without knowing anybody: the conformance server and `inspect`. A test holds
every other part of the house off these values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cityid.checks import Check, Step, failed, passed
from cityid.credential import CertificateChain, DidUrl, KeyRef
from cityid.trust.entries import StatusRule, TrustList

_AT: Final = Step.ISSUER_TRUSTED


@dataclass(frozen=True, slots=True)
class _Anyone(TrustList):
    """Everybody may issue everything, for ever, without a status. `any_key`: the key need not even be the issuer's."""

    any_key: bool = False

    def check(self, signed_by: KeyRef, issuer: str, types: tuple[str, ...], at: datetime) -> Check:
        """Is the key one of the issuer's own (Controlled Identifiers 1.0 §3.3)? A failed check has
        `trust.key_of_other`, or `trust.unknown_issuer` for a chain, to which there is no root."""
        place = signed_by.at
        if isinstance(place, CertificateChain):
            return failed(_AT, "trust.unknown_issuer", issuer=issuer)
        owner = place.did if isinstance(place, DidUrl) else place.issuer
        if owner != issuer and not self.any_key:
            return failed(_AT, "trust.key_of_other", issuer=issuer, owner=owner)
        return passed(_AT, issuer=issuer, type=types[0] if types else "", name="", list=self.title)

    def status(self, signed_by: KeyRef, issuer: str, types: tuple[str, ...] = ()) -> StatusRule:
        return "none"

    @property
    def must_end(self) -> bool:
        return False


ANYONE: Final[TrustList] = _Anyone((), title="anyone")
"""Everybody, by a key of their own."""
ANYONE_BY_ANY_KEY: Final[TrustList] = _Anyone((), title="anyone, by any key", any_key=True)
"""Everybody, by anybody's key: the issuer that a credential names may be false."""
