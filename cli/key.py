"""`cityid key`: a city's own keys and certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import talk
from .key_rotate import rotate
from .options import Force, Json, PassphraseFd, named, one_line, plain
from .state import STATE

Label = Annotated[str, typer.Argument(metavar="LABEL", callback=plain, help="What the key is called here.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="A city's keys and certificates.", no_args_is_help=True, rich_markup_mode=None)
    group.command("create")(create)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("certify")(certify)
    group.command("rotate")(rotate)
    app.add_typer(group, name="key")


def create(
    label: Label,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="ES256, ES384, EdDSA, ES256K, ML-DSA-44, ML-DSA-65.")
    ] = "ES256",
    use: Annotated[str, typer.Option("--use", help="issuer, status, root, service, log: one key, one use.")] = "issuer",
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Make a key in the city's keyring. The private key never leaves it."""
    from cityid.edge import clock
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse
    from cityid.keys import jwk

    from . import home, keys

    kind = keys.algorithm_named(algorithm)
    if use not in {one.value for one in Use}:
        raise Misuse("keys.use", use=use, known=", ".join(one.value for one in Use))
    ring = keys.opened(home.find(STATE.home, "city"), passphrase_fd)
    key = ring.create(kind, label=label, uses=(Use(use),), created=clock.now())
    if json_:
        talk.give({"label": label, "algorithm": kind.value, "thumbprint": key.thumbprint, "jwk": jwk.write(key)})
    else:
        talk.out(f"{talk.clean(label)}  {kind.value}  {key.thumbprint}")


def list_(passphrase_fd: PassphraseFd = None, json_: Json = False) -> None:
    """List the keys in the city's keyring."""
    from . import home, keys

    records = keys.opened(home.find(STATE.home, "city"), passphrase_fd).records()
    if json_:
        talk.give([
            {
                "label": record.label, "algorithm": record.key.algorithm.value, "thumbprint": record.key.thumbprint,
                "uses": sorted(record.uses), "created": record.created, "not_after": record.not_after,
            }
            for record in records
        ])  # fmt: skip
        return
    rows = [
        (
            talk.clean(record.label or "-"),
            record.key.algorithm.value,
            ", ".join(sorted(record.uses)),
            record.key.thumbprint,
        )
        for record in records
    ]
    for line in talk.columns(rows):
        talk.out(line)


def show(
    label: Label,
    form: Annotated[Literal["jwk", "multikey", "thumbprint"], typer.Option("--as", help="In which form.")] = "jwk",
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Show the public half of a key."""
    from cityid.encoding import json
    from cityid.keys import jwk, multikey

    from . import home, keys

    key = keys.opened(home.find(STATE.home, "city"), passphrase_fd).find(label).key
    if json_:
        talk.give({
            "label": label, "algorithm": key.algorithm.value, "thumbprint": key.thumbprint, "jwk": jwk.write(key),
            "multikey": multikey.write(key),
        })  # fmt: skip
    elif form == "jwk":
        talk.out(json.write(jwk.write(key)).decode("utf-8"))
    else:
        talk.out(multikey.write(key) if form == "multikey" else key.thumbprint)


def certify(
    kind: Annotated[
        Literal["root", "issuer", "request"],
        typer.Argument(
            metavar="root|issuer|request", help="A root of your own, a certificate under it, or a request (CSR)."
        ),
    ],
    label: Label,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Where the PEM goes.")],
    name: Annotated[
        str, typer.Option("--name", callback=plain, help="The common name; the city's name by default.")
    ] = "",
    country: Annotated[str, typer.Option("--country", metavar="XX", callback=plain, help="Two letters.")] = "",
    root: Annotated[
        Path | None, typer.Option("--root", metavar="FILE", help="For an issuer: the root's certificate.")
    ] = None,
    root_key: Annotated[
        str, typer.Option("--root-key", metavar="LABEL", help="For an issuer: the root's key.")
    ] = "root",
    uri: Annotated[
        list[str] | None, typer.Option("--uri", help="A URI that names the issuer; may be repeated.")
    ] = None,
    dns: Annotated[
        list[str] | None,
        typer.Option("--dns", callback=one_line, help="A host that names the issuer; may be repeated."),
    ] = None,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Make certificates, so that cards can carry their chain (x5c): a small city's own root and issuer certificate, or
    a certificate request for a real authority.

    A root's key is made when it is not there; issuer and request are for a key that is.
    """
    import re

    from cityid.edge import clock, files
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse
    from cityid.keys import Algorithm, x509
    from cityid.keys.certify import Name, certify_issuer, certify_root, csr, pem

    from . import home, keys, papers

    here = home.find(STATE.home, "city")
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
        text = pem(certify_root(ring.signer_for(key, Use.ROOT, at), called, at=at), "CERTIFICATE")
    elif kind == "issuer":
        if root is None:
            raise Misuse("key.no_root")
        data = files.read_home_file(root)
        with papers.expected(data, "certificate"):
            (above,) = keys.certificates(data)[:1]
        key = ring.find(label).key
        signer = ring.signer_for(ring.find(root_key).key, Use.ROOT, at)
        names = uris or ([] if hosts else [here.text("did")])
        made = certify_issuer(key, called, root=above, signer=signer, at=at, uris=names, dns=hosts)
        if x509.read(made).name == x509.read(above).name:
            raise Misuse("key.same_name", name=called.common_name)
        text = pem(made, "CERTIFICATE")
    else:
        key = ring.find(label).key
        names = uris or ([] if hosts else [here.text("did")])
        text = pem(csr(ring.signer(key), called, uris=names, dns=hosts), "CERTIFICATE REQUEST")
    files.write(output, text.encode("ascii"), force=force)
    talk.say(f"Written to {talk.clean(output)}.")
    if json_:
        talk.give({"kind": kind, "label": label, "file": str(output), "pem": text})
    if kind == "issuer":
        talk.say(
            'To issue with it: in city.toml, mechanism = "x5c" and certificates = "' + talk.clean(output.name) + '".'
        )


__all__ = ["register"]
