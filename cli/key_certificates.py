"""Changing an issuer's key that has a certificate (x5c): the next certificate, and from when on cards carry it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cityid.errors import Malformed, Misuse

from . import talk

if TYPE_CHECKING:
    from cityid.keys.certify import Name
    from cityid.keys.x509 import Certificate

    from .key_rotate import Change


def prepare(change: Change, algorithm: str, root: Path | None, root_key: str) -> None:
    """The next key with a certificate like the last one's: by the city's own root, or a request to an authority.

    Raises:
        Misuse: `keys.*`, `x509.*`, `file.*`. Refused: `key.other_use`, `key.ended`.
    """
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.keys.certify import certify_issuer, csr, pem

    from . import keys, papers

    last = keys.chain_of(change.here, "certificates", change.old.key).certificates[0]
    names = _read(last)
    called = _name(names)
    uris, hosts, usages = names.san_uris, names.san_dns, names.extended_key_usages
    if root is not None:
        data = files.read_home_file(root)
        with papers.expected(data, "certificate"):
            (above,) = keys.certificates(data)[:1]
        signer = change.ring.signer_for(change.ring.find(root_key).key, Use.ROOT, change.at)
        key = change.prepare(algorithm).key
        made = certify_issuer(
            key, called, root=above, signer=signer, at=change.at, uris=uris, dns=hosts, usages=usages
        )  # fmt: skip
        file, text = change.here.path(f"{change.label}.pem"), pem(made, "CERTIFICATE")
        said = "When you want cards to carry it: cityid key rotate --switch"
    else:
        key = change.prepare(algorithm).key
        made = csr(change.into.signer(key), called, uris=uris, dns=hosts, usages=usages)
        file, text = change.here.path(f"{change.label}.csr"), pem(made, "CERTIFICATE REQUEST")
        said = (
            "Send it to the authority that certified the last key; with what comes back, the city's certificate first, "
            "without the root: cityid key rotate --switch --certificates FILE"
        )
    files.write(file, text.encode("ascii"), force=True)
    talk.say(f"Written to {talk.clean(file)}. {said}")


def switch(change: Change, certificates: Path | None) -> None:
    """Cards carry the next certificate from now on.

    Raises:
        Misuse: `key.not_prepared`, `key.lists_by_certificate`, `key.no_certificate`, `key.other_certificate`,
            `key.certificate_name`, `key.certificate_period`, `keys.not_a_certificate`, `x509.*`, `file.*`.
    """
    from cityid.edge import files
    from cityid.keys.certify import pem

    from . import keys, papers

    new = change.prepared()
    if change.register.lists() and "status_key" not in change.here.config:
        raise Misuse("key.lists_by_certificate")
    name = f"{change.label}.pem"
    source = certificates or change.here.path(name)
    if certificates is None and not source.exists():
        raise Misuse("key.no_certificate", label=change.label)
    data = files.read_home_file(source)
    with papers.expected(data, "certificate"):
        chain = keys.certificates(data)
    _check(change, chain, source)
    files.write(change.here.path(name), "".join(pem(one, "CERTIFICATE") for one in chain).encode("ascii"), force=True)
    last = keys.chain_of(change.here, "certificates", change.old.key).certificates[0]
    change.finish(new, {"issuer_key": change.label, "certificates": name})
    talk.say(
        f"New cards carry the certificate of {talk.clean(change.label)}; {talk.clean(change.old.label)} signs no more. "
        f"Its cards are good until its certificate ends, {_read(last).not_after:%d %b %Y} at the latest."
    )
    if _read(chain[-1]).issuer != _read(last).issuer:
        talk.say("note: another authority vouches for the new one: services must trust its root before they see a card")


def _check(change: Change, chain: tuple[bytes, ...], file: Path) -> None:
    from cityid.keys import x509

    from . import keys

    try:
        if x509.public_key(chain[0]) != change.prepared().key:
            raise Misuse("key.other_certificate", file=str(file), thumbprint=change.prepared().key.thumbprint)
        for one in map(x509.read, chain):
            if not one.not_before <= change.at <= one.not_after:
                raise Misuse("key.certificate_period", subject=one.name)
    except Malformed as error:
        raise Misuse(error.problem) from None
    issuer, _ = keys.signs_as(change.here)
    leaf = _read(chain[0])
    hosts = {f"https://{host}" for host in leaf.san_dns}
    if issuer not in leaf.san_uris and "/".join(issuer.split("/")[:3]) not in hosts:
        raise Misuse("key.certificate_name", file=str(file), issuer=issuer)


def _read(der: bytes) -> Certificate:
    from cityid.keys import x509

    try:
        return x509.read(der)
    except Malformed as error:
        raise Misuse(error.problem) from None


def _name(names: Certificate) -> Name:
    from cryptography.x509.oid import NameOID

    from cityid.keys.certify import Name

    def one(oid: object) -> str:
        found = names.loaded.subject.get_attributes_for_oid(oid)  # type: ignore[arg-type]
        return str(found[0].value) if found else ""

    return Name(one(NameOID.COMMON_NAME), one(NameOID.ORGANIZATION_NAME), one(NameOID.COUNTRY_NAME))
