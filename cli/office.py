"""City hall as its home describes it, with its key at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cityid.credential import KeyPlace
    from cityid.edge.database import StoredRegister
    from cityid.issuing import Issuer
    from cityid.keys import Signer

    from .home import Home


def signs_lists(here: Home, passphrase_fd: int | None, issuer: Issuer) -> tuple[Signer, KeyPlace]:
    """Who signs the status lists: the issuer's key, or beside certificates a key of its own (`status_key`), so that
    lists outlive the issuer's certificate.

    Raises:
        Misuse: `home.member`, `keys.*`, `key.other_certificate`, `file.*`. Refused: `key.other_use`, `key.ended`.
    """
    from cityid.edge import clock
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse

    from . import keys

    if "status_key" not in here.config:
        return issuer.signer, issuer.signed_by.at
    if here.config.get("mechanism") != "x5c":
        raise Misuse("home.member", name="status_key", file=str(here.file))
    ring = keys.opened(here, passphrase_fd)
    key = ring.find(here.text("status_key")).key
    return ring.signer_for(key, Use.STATUS, clock.now()), keys.chain_of(here, "status_certificates", key)


def issuer_of(
    here: Home, passphrase_fd: int | None, register: StoredRegister | None = None, *, current: bool = True
) -> Issuer:
    """The city of a home, with its key at hand. Its register must be `current`: not older than what was published.

    Raises:
        Unavailable: `register.behind`, `store.*`.
        Misuse: `home.member`, `issue.document`, `issue.no_document`, `keys.*`, `file.*`.
    """
    from zoneinfo import ZoneInfo

    from cityid.credential import DidUrl, KeyRef
    from cityid.did.document import read_document
    from cityid.edge import clock, files
    from cityid.edge.software_keys import Use
    from cityid.errors import CityIdError, Misuse
    from cityid.issuing import Issuer

    from . import did_history, keys, kinds, registers

    if register is None:
        register = registers.register_of(here)
    if current:
        registers.check_current(here, register)
    issuer, signed_by = keys.signs_as(here)
    types, _ = kinds.known(here)
    document = None
    published = here.path("did.json")
    by_did = here.config.get("mechanism", "did") == "did"
    if by_did and did_history.is_webvh(here):
        document = did_history.document(here, clock.now())
    elif by_did and (published.exists() or issuer.startswith("did:web:")):
        if not published.exists():
            raise Misuse("issue.no_document", file=str(published))
        try:
            document = read_document(files.read_home_file(published), issuer)
        except CityIdError as error:
            raise Misuse("issue.document", file=str(published), reason=error.code) from None
    ring = keys.opened(here, passphrase_fd)
    signer = ring.signer_for(ring.find(here.text("issuer_key")).key, Use.ISSUER, clock.now())
    facts = here.config.get("facts", {})
    bbs = None
    if "bbs_key" in here.config:
        label = here.text("bbs_key")
        bbs = (KeyRef(DidUrl(issuer, label)), keys.bbs_signer(here, label, passphrase_fd))
    return Issuer(
        issuer,
        here.text("name"),
        signed_by,
        signer,
        register,
        registers.sessions_of(here),
        types,
        city={name: str(value) for name, value in facts.items()},
        timezone=ZoneInfo(here.text("timezone")),
        document=document,
        publishes_status=bool(registers.status_base(here)),
        four_eyes=registers.names(here, "four_eyes"),
        waiting=registers.secret_of(here).waiting,
        keeps_claims=registers.flag(here, "keep_claims"),
        bbs=bbs,
    )
