"""`cityid conformance`: what the public W3C test suites need of a command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import talk
from .options import Force, Json, named, one_line

if TYPE_CHECKING:
    from cityid.edge.conformance import Outcome


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="For the public W3C test suites.", no_args_is_help=True, rich_markup_mode=None)
    group.command("config")(config)
    group.command("jose-cose")(jose_cose)
    group.command("json-schema")(json_schema)
    app.add_typer(group, name="conformance")


def config(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Write the configuration to FILE.")
    ],
    url: Annotated[
        str, typer.Option("--url", metavar="URL", callback=one_line, help="Where the server will be reached.")
    ] = "http://127.0.0.1:8080",
    force: Force = False,
    json_: Json = False,
) -> None:
    """Make a configuration for cityid serve vc-api: an issuer for each cryptosuite and kind of key, with fresh keys."""
    from cityid import contexts
    from cityid.edge import files, vc_api_file

    text = vc_api_file.new(url).encode("utf-8")
    made = vc_api_file.read(text, contexts.load).service  # so that an URL that would not be read is not written
    files.write(output, text, force=force, private=True)
    if json_:
        talk.give({"url": made.url, "issuers": {one.name: one.id for one in made.issuers.values()}})
    else:
        talk.out(f"{len(made.issuers)} issuers with fresh keys written to {talk.clean(output)}")
    talk.say("Start with: cityid serve vc-api " + talk.clean(output))


def jose_cose(
    what: Annotated[Literal["issue", "verify"], typer.Argument(metavar="issue|verify", help="What to do.")],
    input_: Annotated[Path, typer.Option("--input", metavar="FILE", help="What to secure, or what is secured.")],
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="A verification method with publicKeyJwk and secretKeyJwk.")
    ],
    feature: Annotated[
        str, typer.Option("--feature", metavar="NAME", help="credential_ or presentation_, and jose, sdjwt or cose.")
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="FILE", callback=named, help="Write the outcome to FILE.")
    ],
    sd: Annotated[
        str,
        typer.Option(
            "--sd", metavar="JSON", callback=one_line, help="To issue SD-JWT: an array of what can be hidden."
        ),
    ] = "",
    json_: Json = False,
) -> None:
    """Issue or verify as the suite of VC-JOSE-COSE asks: the outcome is in FILE, {"result": ..., "data": ...}.

    FILE is overwritten. Exit status 0 says that there is an outcome, not that it is a success.
    """
    from cityid import limits
    from cityid.edge import conformance, files
    from cityid.errors import Misuse

    if feature not in conformance.FEATURES:
        raise Misuse("conformance.feature", found=feature, features=", ".join(conformance.FEATURES))
    document, method = files.read(input_, limits.DOCUMENT), files.read(key, limits.DOCUMENT)
    if what == "issue":
        found = conformance.outcome(lambda: conformance.issue(document, method, feature, sd))
    else:
        found = conformance.outcome(lambda: conformance.verify(document, method, feature))
    _told(found, output, json_=json_)


def json_schema(
    what: Annotated[Literal["validate"], typer.Argument(metavar="validate", help="What to do.")],
    kind: Annotated[
        Literal["JsonSchema", "JsonSchemaCredential"],
        typer.Option("--format", metavar="KIND", help="JsonSchema, or JsonSchemaCredential."),
    ],
    schema: Annotated[Path, typer.Option("--schema", metavar="FILE", help="The schema, or the credential with it.")],
    credential: Annotated[
        Path, typer.Option("--credential", metavar="FILE", help="The credential to be judged by it.")
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="FILE", callback=named, help="Write the outcome to FILE.")
    ],
    json_: Json = False,
) -> None:
    """Judge a credential by a schema as the suite of VC JSON Schema asks: the outcome is in FILE, {"result": ...}.

    FILE is overwritten. Exit status 0 says that there is an outcome, not that it is a success.
    """
    from cityid import json_schemas, limits
    from cityid.edge import conformance, files

    given, judged = files.read(schema, limits.DOCUMENT), files.read(credential, limits.DOCUMENT)
    _told(conformance.outcome(lambda: json_schemas.check(kind, given, judged)), output, json_=json_)


def _told(found: Outcome, output: Path, *, json_: bool) -> None:
    from cityid.edge import files

    files.write(output, found.write(), force=True)
    if json_:
        talk.give({"result": found.result})
    else:
        talk.out(found.result)
