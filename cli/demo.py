"""`cityid demo`: a city, three residents and three services in one folder; every step is a command to be typed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import talk


@dataclass(frozen=True, slots=True)
class Step:
    """A line of narration, or a command with the exit status that it is to end with."""

    text: str
    status: int | None = None


def _tell(text: str) -> Step:
    return Step(text)


def _run(command: str, status: int = talk.DONE) -> Step:
    return Step(command, status)


_PASS = "--passphrase-fd 3 3<passphrase"
_CITY = "did:web:id.lindau.example"
_SERVICES = (("library", "Stadtbibliothek"), ("bar", "Bar zur Linde"), ("inspector", "Parkaufsicht"))
_HOMES = (
    "printf",
    *(f"cityid init {home} " for home in ("city city", "wallet ada", "wallet joerg", "service library")),
    *(f"cityid --home {home} trust add" for home in ("ada", "joerg", "library")),
)
"""The homes of the town that other scenes play in."""
_AUTHORITY = "issuing_authority issuing_country issuing_jurisdiction"


def _policy(file: str, purpose: str, kind: str, claims: str, accept: str) -> Step:
    return _run(f"""cat > {file} <<'EOF'
purpose = "{purpose}"
[ask]
type = "{kind}"
claims = [{claims}]
[accept]
{accept}
[trust]
list = "trust/issuers.toml"
EOF""")


def _takes(home: str, line: int, kind: str) -> list[Step]:
    card = f"{home}-{kind}"
    return [
        _run(f"cityid --home {home} accept offers/{kind}/line-{line:06d}.offer --yes -o {card}.request {_PASS}"),
        _run(f"cityid --home city issue --answer {card}.request -o {card}.cards {_PASS}"),
        _run(f"cityid --home {home} accept {card}.cards {_PASS}"),
    ]


def _asks(home: str, policy: str, name: str) -> Step:
    return _run(f"cityid --home {home} request --policy {home}/policies/{policy}.toml -o {name}.request.json")


def _shows(home: str, name: str, claims: str, status: int = talk.DONE) -> Step:
    shown = " ".join(f"--show {claim}" for claim in claims.split())
    return _run(f"cityid --home {home} present {name}.request.json --yes {shown} -o {name}.answer.json {_PASS}", status)


def _judges(home: str, name: str, status: int = talk.DONE, *more: str) -> Step:
    extra = " ".join(more)
    return _run(
        f"cityid --home {home} verify {name}.answer.json --session {name}.request.json {extra}".rstrip(), status
    )


def _trusts(home: str) -> Step:
    return _run(
        f"cityid --home {home} trust add --did {_CITY} --document city/did.json --name 'Stadt Lindau' --status none "
        "--type residency --type age --type parking-permit"
    )


def story(residents: str) -> list[Step]:
    """The demo as a list of steps."""
    return [
        _tell("A city. It has a key, an identifier, and a register of what it issues."),
        _run("printf 'correct horse battery staple\\n' > passphrase"),
        _run(
            f"cityid init city city --did {_CITY} --name 'Stadt Lindau' --country DE --jurisdiction DE-BY "
            f"--timezone Europe/Berlin {_PASS}"
        ),
        _tell(
            "City hall has a table of fictional residents: accents, Chinese, Hebrew and Arabic names, a birthday on\n"
            "29 February, a child, a protected address, and two rows with mistakes. Good rows become offers; nothing\n"
            "is signed yet. The two bad rows are listed with reasons, and the exit status says that there were some."
        ),
        _run(f"cp {shlex.quote(residents)} residents.csv"),
        _run("mkdir -m 700 offers"),
        _run(f"cityid --home city issue residency --from residents.csv -o offers/residency {_PASS}", talk.NO),
        _run(f"cityid --home city issue age --from residents.csv -o offers/age {_PASS}", talk.NO),
        _run(f"cityid --home city issue parking-permit --from residents.csv -o offers/parking-permit {_PASS}"),
        _tell(
            "Three residents make wallets. Ada takes her residency card and her parking permit, Jörg (born on 29\n"
            "February) and Emil (six years old) a proof of age. A wallet trusts nobody by itself. Each card is bound\n"
            "to keys that the wallet made and proved; city hall never sees them."
        ),
        *(
            step
            for name in ("ada", "joerg", "emil")
            for step in (_run(f"cityid init wallet {name} {_PASS}"), _trusts(name))
        ),
        *_takes("ada", 2, "residency"),
        *_takes("ada", 2, "parking-permit"),
        *_takes("joerg", 7, "age"),
        *_takes("emil", 8, "age"),
        _run(f"cityid --home ada wallet list {_PASS}"),
        _tell("Three services: each has a name that answers are bound to, and trusts the city."),
        *(
            step
            for name, called in _SERVICES
            for step in (
                _run(f"cityid init service {name} --audience x509_san_dns:{name}.example --name '{called}'"),
                _trusts(name),
            )
        ),
        _tell("The library wants to know that somebody is of age and lives here. Not who, not where, not when born."),
        _policy(
            "library/policies/card.toml",
            "library card",
            "residency",
            '"age_over_18", "address.locality"',
            '"age_over_18" = true\n"address.locality" = ["Lindau", "Bregenz"]',
        ),
        _run("cityid --home library policy check library/policies/card.toml"),
        _asks("library", "card", "ada-library"),
        _shows("ada", "ada-library", "age_over_18 address.locality " + _AUTHORITY),
        _judges("library", "ada-library"),
        _tell("The bar wants one bit. Jörg, born on a 29 February, is let in. Emil is not, and hears why."),
        _policy("bar/policies/door.toml", "to be let in", "age", '"age_over_18"', '"age_over_18" = true'),
        _asks("bar", "door", "joerg-bar"),
        _shows("joerg", "joerg-bar", "age_over_18"),
        _judges("bar", "joerg-bar"),
        _asks("bar", "door", "emil-bar"),
        _shows("emil", "emil-bar", "age_over_18"),
        _judges("bar", "emil-bar", talk.NO),
        _tell("The parking inspector reads a plate at the kerb, and the permit must be for it, here, today."),
        _policy(
            "inspector/policies/kerb.toml",
            "parking inspection",
            "parking-permit",
            '"zone", "valid_until", "vehicle.registration_number"',
            'zone = ["A1", "A2"]\nvalid_until = { min = "today" }\n"vehicle.registration_number" = { given = "plate" }',
        ),
        _asks("inspector", "kerb", "ada-kerb"),
        _shows("ada", "ada-kerb", "zone valid_until vehicle.registration_number authority"),
        _judges("inspector", "ada-kerb", talk.DONE, "--given 'plate=LI-AL 1815'"),
        _tell("Somebody hands the bar Jörg's answer a second time. A question takes one answer."),
        _judges("bar", "joerg-bar", talk.NO),
        _tell("Somebody changes eight characters of the signature on a card."),
        _asks("library", "card", "forged"),
        _shows("ada", "forged", "age_over_18 address.locality " + _AUTHORITY),
        _run(
            r"""sed 's/\(\.[^."]*\.\)[^~]\{8\}/\1AAAAAAAA/' forged.answer.json > changed.json"""
            " && mv changed.json forged.answer.json"
        ),
        _judges("library", "forged", talk.NO),
        _tell(
            "Somebody takes the file with Ada's signed cards into a wallet of their own. They are bound to Ada's keys."
        ),
        _run(f"cityid --home emil accept ada-residency.cards {_PASS}", talk.NO),
        _tell(
            "A shop asks for the date of birth where a yes or no would do. Its own check says so, Ada's wallet marks\n"
            "it, and what she allows does not cover it: nothing is shown."
        ),
        _policy(
            "bar/policies/nosy.toml", "a discount", "residency", '"age_over_18", "birthdate"', '"age_over_18" = true'
        ),
        _run("cityid --home bar policy check bar/policies/nosy.toml", talk.WRONG),
        _asks("bar", "nosy", "ada-nosy"),
        _shows("ada", "ada-nosy", "age_over_18 " + _AUTHORITY, talk.PERSON_SAID_NO),
    ]


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Where; it must not be there yet. cityid-demo by default.")
    ] = None,
    scene: Annotated[
        Literal["all", "town", "unlinkable", "poll", "history"],
        typer.Option(
            "--scene",
            help="town is the main job; unlinkable a card shown twice; poll a vote; all is these three. "
            "history is a city that changes its keys under a witness.",
        ),
    ] = "all",
) -> None:
    """A city, three residents and three services, in a folder: the main job from end to end, and what goes wrong."""
    from cityid.edge.resources import schemas
    from cityid.errors import Misuse, Unavailable

    can_hide = find_spec("pyblst") is not None
    if scene in ("unlinkable", "poll") and not can_hide:
        raise Unavailable("install.extra", extra="bbs")
    if folder is None:
        folder = _fresh(Path("cityid-demo"))
    if folder.exists():
        raise Misuse("demo.exists", folder=str(folder))
    folder.mkdir(mode=0o700, parents=True)
    table = folder / ".residents.csv"
    table.write_bytes((schemas() / "examples" / "residents.csv").read_bytes())
    # The commands run as they are printed: `cityid` is this very program.
    program = [sys.executable, "-P", "-m", __package__ or "cityid._cli"]
    prelude = f'cityid() {{ {shlex.join(program)} "$@"; }}\n'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    steps = _steps(scene if can_hide or scene != "all" else "town", ".residents.csv")
    for step in steps:
        if step.status is None:
            talk.out("\n" + talk.strong("# " + step.text.replace("\n", "\n# ")))
            continue
        talk.out(f"$ {step.text}")
        sys.stdout.flush()
        done = subprocess.run(["/bin/sh", "-c", prelude + step.text], cwd=folder, env=environment, check=False)  # noqa: S603  # the story is ours
        if done.returncode != talk.DONE:
            talk.out(f"[exit {done.returncode}]")
        if done.returncode != step.status:
            raise Misuse("demo.differs", expected=step.status, found=done.returncode)
    commands = sum(step.status is not None for step in steps)
    talk.out(
        f"\nThat was all: {commands} commands. Everything is in {talk.clean(folder)}/; type any of them yourself there."
    )
    if scene == "all" and not can_hide:
        talk.out("Two more scenes, a card that nobody can link and a poll, need: pip install 'cityid[bbs]'")
    for line in _where():
        talk.out(line)


def _steps(scene: str, residents: str) -> list[Step]:
    from . import demo_history, demo_poll, demo_unlinkable

    homes = [step for step in story(residents) if step.text.startswith(_HOMES)]
    return {
        "all": lambda: [*story(residents), *demo_unlinkable.scene(), *demo_poll.scene()],
        "town": lambda: story(residents),
        "unlinkable": lambda: [*homes, *demo_unlinkable.scene()],
        "poll": lambda: [*homes, *demo_poll.scene()],
        "history": demo_history.scene,
    }[scene]()


def _where() -> list[str]:
    """How the reader gets at the `cityid` that the demo used, where a shell does not find it by its name."""
    # Not resolved: in a virtual environment the interpreter is a link, and the command lies beside that link.
    program = Path(sys.executable).with_name("cityid")
    if not program.is_file() or shutil.which("cityid") == str(program):
        return []
    told = [f"There, `cityid` is {shlex.quote(str(program))}"]
    if program.with_name("activate").is_file():
        told.append(f"or, once you have typed `. {shlex.quote(str(program.with_name('activate')))}`, just `cityid`.")
    return told


def _fresh(wanted: Path) -> Path:
    found, number = wanted, 2
    while found.exists():
        found, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
    return found
