"""A city's keyring, and how a city signs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cityid.errors import Malformed, Misuse

from . import talk
from .home import Home
from .state import STATE

if TYPE_CHECKING:
    from datetime import datetime

    from cityid.clerks import Clerk
    from cityid.credential import CertificateChain, KeyRef
    from cityid.edge.database import StoredRegister
    from cityid.edge.pkcs11 import Pkcs11Keyring
    from cityid.edge.software_keys import FileKeyring, Record
    from cityid.keys import Algorithm, BbsSigner, PublicKey

    CityKeyring: TypeAlias = FileKeyring | Pkcs11Keyring

FIRST = "issuer-1"
ROTATED = "rotated"
"""Why the period of a key ended whose cards go on being good."""


def algorithm_named(text: str, *, lists: bool = False) -> Algorithm:
    """An algorithm that signs messages; with `lists` also the one that signs lists of them.

    Raises:
        Misuse: `keys.algorithm`.
    """
    from cityid.keys import Algorithm

    signing = {one.value.upper(): one for one in Algorithm if one.signs or (lists and one is Algorithm.BBS)}
    found = signing.get({"ED25519": "EDDSA"}.get(text.upper(), text.upper()))
    if found is None:
        raise Misuse("keys.algorithm", algorithm=text, known=", ".join(one.value for one in signing.values()))
    return found


def file_of(place: Path, uri: str) -> Path:
    """The keyring file that a URI names.

    Raises:
        Misuse: `keys.uri`.
    """
    kind, _, name = uri.partition(":")
    if kind != "file" or not name:
        raise Misuse("keys.uri", uri=uri)
    return place / name


TOKEN = "pkcs11:"


def token(uri: str, pin_fd: int | None) -> Pkcs11Keyring:
    """The keyring in a token, opened with its PIN until the command ends.

    Raises:
        Misuse: `keys.token_uri`, `keys.pin_in_uri`, `talk.*`. Refused: `keys.pin_wrong`, `keys.pin_locked`.
        Unavailable: `keys.unavailable`, `keys.no_module`, `install.extra`.
    """
    from cityid.edge.pkcs11 import Pkcs11Keyring, read_uri

    place = read_uri(uri)
    ring = Pkcs11Keyring(place, talk.secret(f"PIN for token {talk.clean(place.token or place)}", pin_fd))
    STATE.opened.callback(ring.close)
    return ring


def make(place: Path, uri: str, passphrase_fd: int | None) -> CityKeyring:
    """A new keyring file under a passphrase that is set now, or a token that is there."""
    from cityid.edge.software_keys import FileKeyring

    if uri.startswith(TOKEN):
        return token(uri, passphrase_fd)
    file = file_of(place, uri)
    passphrase = talk.secret("Passphrase for the city's keys", passphrase_fd, again=True)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileKeyring.new(file, passphrase)


def opened(home: Home, passphrase_fd: int | None, member: str = "keys") -> CityKeyring:
    """The keyring of a home, opened with its passphrase, or its token's PIN. `member` of the home's file names it."""
    from cityid.edge.software_keys import FileKeyring

    uri = home.text(member)
    if uri.startswith(TOKEN):
        if uri not in STATE.known:
            STATE.opened.callback(STATE.known.clear)
            STATE.known[uri] = token(uri, passphrase_fd)
        return STATE.known[uri]  # type: ignore[no-any-return]
    file = file_of(home.folder, uri)
    # Kept until the command ends: a passphrase is asked once, and a descriptor is read once.
    if str(file) not in STATE.known:
        STATE.opened.callback(STATE.known.clear)
        STATE.known[str(file)] = FileKeyring.open(file, talk.secret(f"Passphrase for {uri}", passphrase_fd))
    return STATE.known[str(file)]  # type: ignore[no-any-return]


def bbs_signer(home: Home, label: str, passphrase_fd: int | None) -> BbsSigner:
    """The city's BBS key of this label. Raises as `opened`; Misuse `keys.unknown_label`, `keys.wrong_kind`."""
    from cityid.edge.software_keys import FileKeyring

    ring = opened(home, passphrase_fd)
    key = ring.find(label).key
    if not isinstance(ring, FileKeyring):  # no token signs with BBS
        raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
    return ring.bbs_signer(key)


def recorded(
    register: StoredRegister,
    clerk: Clerk,
    record: Record,
    at: datetime,
    *,
    until: datetime | None = None,
    why: str = "",
) -> None:
    """The register knows of a key, its period and who saw to it. A period that ended is not made longer."""
    from cityid.register import Key

    recorded_keys = register.keys()
    known = next((key for key in recorded_keys if key.thumbprint == record.key.thumbprint), None)
    since = known.since if known else record.created or at
    if known is not None and until is None:
        return
    if known is not None and known.until is not None and until is not None:
        until = min(known.until, until)
    with register.batch(clerk.name, f"key {record.key.thumbprint} {until} {why}", at) as batch:
        if not batch.repeats:
            batch.key(Key(record.key.thumbprint, record.label, record.key.algorithm.value, since, until, why))


def chain_of(home: Home, member: str, key: PublicKey) -> CertificateChain:
    """The certificates that a member of the home's file names, for this key.

    Raises:
        Misuse: `home.member`, `keys.not_a_certificate`, `key.other_certificate`, `x509.*`, `file.*`.
    """
    from cityid.credential import CertificateChain
    from cityid.edge import files
    from cityid.keys import x509

    file = home.path(home.text(member))
    chain = certificates(files.read_home_file(file))
    try:
        if x509.public_key(chain[0]) != key:
            raise Misuse("key.other_certificate", file=str(file), thumbprint=key.thumbprint)
    except Malformed as error:
        raise Misuse(error.problem) from None
    return CertificateChain(chain)


def signs_as(home: Home) -> tuple[str, KeyRef]:
    """Who the issuer of this home is, and how its signatures name their key.

    Raises:
        Misuse: `home.member`, `keys.mechanism`, `file.*`.
    """
    from cityid.credential import CertificateChain, DidUrl, KeyRef, WebIssuer
    from cityid.edge import files
    from cityid.keys import x509

    mechanism = home.config.get("mechanism", "did")
    label = home.text("issuer_key")
    if mechanism == "did":
        did = home.text("did")
        return did, KeyRef(DidUrl(did, "0" if did.startswith("did:jwk:") else label))
    if mechanism == "x5c":
        chain = certificates(files.read_home_file(home.path(home.text("certificates"))))
        try:
            names = x509.read(chain[0])
        except Malformed as error:
            raise Misuse(error.problem) from None
        issuer = home.config.get("issuer") or (*names.san_uris, *(f"https://{name}" for name in names.san_dns))[0]
        return str(issuer), KeyRef(CertificateChain(chain))
    if mechanism == "web":
        return home.text("issuer"), KeyRef(WebIssuer(home.text("issuer"), label))
    raise Misuse("keys.mechanism", mechanism=str(mechanism))


def certificates(data: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM file in its order, or the one of a DER file.

    Raises:
        Misuse: `keys.not_a_certificate`.
    """
    import re

    from cityid.encoding import base64url

    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----", data)
    if not blocks and data[:1] == b"0":
        return (data,)
    try:
        found = tuple(base64url.decode_standard(b"".join(block.split()).decode("ascii")) for block in blocks)
    except Malformed:
        found = ()
    if not found:
        raise Misuse("keys.not_a_certificate")
    return found
