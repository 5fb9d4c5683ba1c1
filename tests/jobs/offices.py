"""A city hall, and a wallet beside it, in memory: the two ends of issuing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cityid import accepting, credential_type, did
from cityid.cards import Cards, Offer
from cityid.credential import Credential, CredentialType, DidUrl, KeyRef
from cityid.edge.resources import schemas
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Unavailable
from cityid.formats import FORMATS
from cityid.issuing import Issuer
from cityid.keys import Algorithm, PublicKey
from cityid.plan import Request, Response
from cityid.trust import TrustEntry, TrustList
from cityid.wallet import Card
from tests.memory import MemoryRegister, MemorySessions, MemoryWallet

NOW = datetime(2026, 11, 22, 9, 30, 12, tzinfo=UTC)
FACTS = {"authority": "Stadt Lindau", "country": "DE", "jurisdiction": "DE-BY"}
ADA: dict[str, Any] = {
    "given_name": "Ada",
    "family_name": "Lovelace",
    "birthdate": "1990-12-10",
    "address": {"street_address": "Maximilianstraße", "house_number": "7", "locality": "Lindau", "country": "DE"},
    "municipality": {"code": "09776116", "name": "Lindau (Bodensee)"},
    "resident_since": "2011-02-03",
}


def shipped() -> dict[str, CredentialType]:
    files = [entry for entry in (schemas() / "types").iterdir() if entry.name.endswith(".json")]
    types = [credential_type.read(file.read_bytes()) for file in sorted(files, key=lambda file: file.name)]
    return {kind.id: kind for kind in types}


TYPES = shipped()
WIRE = {name: (kind.names["dc+sd-jwt"]["vct"],) for name, kind in TYPES.items() if "dc+sd-jwt" in kind.names}


def no_network(request: Request) -> Response:
    raise Unavailable("net.offline", host=request.url)


@dataclass
class Office:
    """City hall under a did:key of its own, so that no document must be fetched."""

    keyring: MemoryKeyring = field(default_factory=MemoryKeyring)
    register: MemoryRegister = field(default_factory=MemoryRegister)
    sessions: MemorySessions = field(default_factory=MemorySessions)
    algorithm: Algorithm = Algorithm.ES256
    issuer: Issuer = field(init=False)

    def __post_init__(self) -> None:
        key = self.keyring.create(self.algorithm)
        self.issuer = self.under(key)

    def under(self, key: PublicKey) -> Issuer:
        own = did.key.create(key)
        ref = KeyRef(DidUrl(own, own.removeprefix("did:key:")))
        signer = self.keyring.signer(key)
        return Issuer(own, "Stadt Lindau", ref, signer, self.register, self.sessions, TYPES, city=FACTS)

    @property
    def trusted(self) -> TrustList:
        entry = TrustEntry(did=self.issuer.id, mechanism="did", types=tuple(TYPES), name="Stadt Lindau", status="none")
        return TrustList((entry,), WIRE)

    def offer(self, type: str = "residency", claims: Any = ADA, at: datetime = NOW, **more: Any) -> Offer:
        return self.issuer.offer(type, claims, by="clerk-1", at=at, **more)

    def cards(self, offer: Offer, wallet: MemoryWallet, at: datetime = NOW) -> Cards:
        return self.issuer.answer(accepting.begin(offer, wallet, at), at=at)

    def accept(self, cards: Cards, wallet: MemoryWallet, at: datetime = NOW) -> Card:
        return accepting.accept(cards, wallet, self.trusted, at).run(no_network)


def read(cards: Cards) -> list[Credential]:
    return [FORMATS["dc+sd-jwt"].read(raw) for raw in cards.credentials]


def changed(office: Office, **fields: Any) -> None:
    office.issuer = replace(office.issuer, **fields)
