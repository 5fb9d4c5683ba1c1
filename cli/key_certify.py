"""`cityid key certify`: certificates of a small city, and requests to a real authority."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import talk
from .options import Force, Json, PassphraseFd, named, one_line, plain
from .registers import By, ClerkFd


def certify(
    kind: Annotated[
        Literal["root", "issuer", "status", "request"],
        typer.Argument(
            metavar="root|issuer|status|request",
            help="A root of your own, a certificate under it for cards or for status lists, or a request (CSR).",
        ),
    ],
    label: Annotated[str, typer.Argument(metavar="LABEL", callback=plain, help="What the key is called here.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Where the PEM goes.")],
    name: Annotated[
        str, typer.Option("--name", callback=plain, help="The common name; the city's name by default.")
    ] = "",
    country: Annotated[str, typer.Option("--country", metavar="XX", callback=plain, help="Two letters.")] = "",
    root: Annotated[
        Path | None, typer.Option("--root", metavar="FILE", help="For issuer and status: the root's certificate.")
    ] = None,
    root_key: Annotated[
        str, typer.Option("--root-key", metavar="LABEL", help="For issuer and status: the root's key.")
    ] = "root",
    uri: Annotated[
        list[str] | None, typer.Option("--uri", help="A URI that names the issuer; may be repeated.")
    ] = None,
    dns: Annotated[
        list[str] | None,
        typer.Option("--dns", callback=one_line, help="A host that names the issuer; may be repeated."),
    ] = None,
    usage: Annotated[
        str,
        typer.Option(
            "--usage", metavar="OID", callback=one_line, help="For status: the extended key usage of status signing."
        ),
    ] = "",
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Make certificates, so that cards can carry their chain (x5c): a small city's own root and issuer certificate, or
    a certificate request for a real authority; and one for the key that signs status lists.

    A root's key is made when it is not there; the others are for a key that is.
    """
    import hashlib
    import re

    from cityid.clerks import Right
    from cityid.edge import clock, files
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse
    from cityid.keys import Algorithm, x509
    from cityid.keys.certify import Name, certify_issuer, certify_root, csr, pem

    from . import keys, papers, registers

    here = registers.home_of()
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    if kind == "status" and not usage:
        raise Misuse("key.no_usage")
    if usage and not x509.OID.fullmatch(usage):
        raise Misuse("key.usage", usage=usage)
    # Before a key is made: a root's key without its certificate is of no use.
    files.check_free(output, force=force)
    ring = keys.opened(here, passphrase_fd)
    at = clock.now()
    # A root and what it certifies cannot share one name: the certificate would seem to be issued by itself.
    own = here.text("name") if kind != "root" else f"{here.text('name')[:59]} Root"
    called = Name(name or own, here.text("name"), country or str(here.config.get("facts", {}).get("country", "")))
    uris, hosts = uri or [], dns or []
    for one in uris:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", one):
            raise Misuse("key.uri", uri=one)
    if kind == "root":
        known = [record for record in ring.records() if record.label == label]
        key = known[0].key if known else ring.create(Algorithm.ES256, label=label, uses=(Use.ROOT,), created=at)
        if not known:
            keys.recorded(register, clerk, ring.find(label), at)
        text = pem(certify_root(ring.signer_for(key, Use.ROOT, at), called, at=at), "CERTIFICATE")
    elif kind in ("issuer", "status"):
        if root is None:
            raise Misuse("key.no_root")
        data = files.read_home_file(root)
        with papers.expected(data, "certificate"):
            (above,) = keys.certificates(data)[:1]
        # One that is kept for another use must not get a certificate for this one.
        key = ring.signer_for(ring.find(label).key, Use(kind), at).public_key
        signer = ring.signer_for(ring.find(root_key).key, Use.ROOT, at)
        names = uris or ([] if hosts else [here.text("did")])
        usages = [usage] if usage else []
        made = certify_issuer(key, called, root=above, signer=signer, at=at, uris=names, dns=hosts, usages=usages)
        if x509.read(made).name == x509.read(above).name:
            raise Misuse("key.same_name", name=called.common_name)
        text = pem(made, "CERTIFICATE")
    else:
        key = ring.find(label).key
        names = uris or ([] if hosts else [here.text("did")])
        text = pem(
            csr(ring.signer(key), called, uris=names, dns=hosts, usages=[usage] if usage else []), "CERTIFICATE REQUEST"
        )
    with register.batch(clerk.name, registers.key(), at) as batch:
        digest = hashlib.sha256(text.encode("ascii")).hexdigest()
        batch.event("certify", {"kind": kind, "thumbprint": key.thumbprint, "sha256": digest})
    files.write(output, text.encode("ascii"), force=force)
    talk.say(f"Written to {talk.clean(output)}.")
    if json_:
        talk.give({"kind": kind, "label": label, "file": str(output), "pem": text})
    if kind == "issuer":
        talk.say(
            'To issue with it: in city.toml, mechanism = "x5c" and certificates = "' + talk.clean(output.name) + '".'
        )
    if kind == "status":
        talk.say(
            f'To sign lists with it: in city.toml, status_key = "{talk.clean(label)}" and '
            f'status_certificates = "{talk.clean(output.name)}"; services: status_eku = "{usage}" in their trust list.'
        )
