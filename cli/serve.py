"""`cityid serve`: programs that go on until they are interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import talk
from .options import Json, one_line


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Servers.", no_args_is_help=True, rich_markup_mode=None)
    group.command("vc-api")(vc_api)
    app.add_typer(group, name="serve")


def vc_api(
    configuration: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="The configuration, as from cityid conformance config.")
    ],
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", callback=one_line, help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port; 0 takes any.")] = 8080,
    certificate: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Serve https: the certificate chain, PEM.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="With --tls-cert: its private key, PEM.")
    ] = None,
    json_: Json = False,
) -> None:
    """Answer the VC-API, by which the public W3C test suites drive an implementation. For conformance runs: it issues
    whatever it is asked to, and trusts everybody.
    """
    from cityid import contexts, limits
    from cityid.edge import asgi, files, vc_api_file
    from cityid.edge.http import Http
    from cityid.edge.recorded import offline
    from cityid.errors import Misuse

    if (certificate is None) != (key is None):
        raise Misuse("serve.tls_half")
    text = files.read(configuration, limits.DOCUMENT)
    found = vc_api_file.read(text, contexts.load, beside=files.beside(configuration.parent))
    exchange = Http() if found.network == "public" else offline
    service = found.service

    def ready(listening: int) -> None:
        scheme = "http" if certificate is None else "https"
        place = f"{scheme}://{f'[{host}]' if ':' in host else host}:{listening}"
        if json_:
            talk.give({"listening": place, "url": service.url, "issuers": list(service.issuers)})
        else:
            talk.out(f"{len(service.issuers)} issuers at {place}")
        talk.flush()
        talk.say("Anybody who reaches it can have anything signed with these keys. Ctrl-C ends it.")

    asgi.serve(asgi.application(service, exchange), host, port, certificate=certificate, key=key, ready=ready)
