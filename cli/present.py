"""`cityid present`: show a service what it asks for, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import For, Force, Json, Out, PassphraseFd, PinFd, Yes
from .state import STATE

if TYPE_CHECKING:
    from cityid.presenting import AskedFor, Nothing, Option, Options
    from cityid.query.purposes import Purpose

    from .home import Home


def register(app: typer.Typer) -> None:
    app.command("present")(present)


def present(
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="The service's request; - reads standard input.")],
    output: Out = None,
    show: Annotated[
        list[str] | None, typer.Option("--show", metavar="CLAIM", help="With --yes: a claim that may be shown.")
    ] = None,
    card: Annotated[
        list[str] | None, typer.Option("--card", metavar="CARD", help="Answer with this card, where several fit.")
    ] = None,
    for_: For = "me",
    yes: Yes = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Use a copy again where no unused one is left; services could compare notes."),
    ] = False,
    passphrase_fd: PassphraseFd = None,
    pin_fd: PinFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Show a service what it asks for, and no more. Lists exactly what would leave, then asks; the default is no."""
    from cityid import limits
    from cityid.edge import clock, files
    from cityid.edge.messages import explain
    from cityid.encoding import json
    from cityid.errors import Misuse, Refused
    from cityid.presenting import Consent, Nothing, options, read_request, sent
    from cityid.presenting import present as sign
    from cityid.wallet import hints

    from . import home, kinds, papers, purse

    if yes and not show:
        raise Misuse("present.yes_without_show")
    if output is not None:
        files.check_free(output, force=force)
    data = files.read(request, limits.DOCUMENT)
    with papers.expected(data, "request"):
        asked = read_request(data)
    asked.check(clock.now())  # before a passphrase is asked for
    here = home.find(STATE.home, "wallet")
    wallet = purse.opened(here, passphrase_fd, pin_fd=pin_fd)
    at = clock.now()
    if for_ not in wallet.persons():
        raise Refused("wallet.unknown_person", person=for_)
    found = options(wallet, asked.query, at, person=for_)
    if isinstance(found, Nothing):
        raise talk.Stop(_nothing(found, json_=json_))
    chosen = _chosen(found, card or [])
    types, _ = kinds.known(here)
    names = {option.card.type: kinds.label(types, option.card.type) for option in chosen}
    purpose = _purpose(here, asked.purpose)
    if for_ != "me":
        talk.say(f"On behalf of {talk.clean(for_)}:")
    over = _tell(asked, found, chosen, names, purpose)
    if yes:
        _covered(chosen, show or [])
    else:
        question = "Show this, although it is more than is needed?" if over else "Show this?"
        talk.agree(question, flag="--yes and --show CLAIM for each claim that may be shown")
    asked.check(clock.now())  # a person may think for a long time
    shown = sign(Consent(chosen, at, reuse=again), asked.challenge, wallet, at)
    message = asked.answer(shown) + b"\n"
    if output is not None:
        files.write(output, message, force=force, private=True)
        talk.say(f"Answer written to {talk.clean(output)}. It holds personal data.")
    sent(shown, asked.audience, wallet, at, name=asked.name, purpose=asked.purpose)
    for problem in (hint for option in chosen for hint in hints(wallet.card(option.card.id), at)):
        talk.say(f"note: {talk.clean(explain(problem).text)}")
    if output is None or json_:
        talk.out(json.write(json.read(message)).decode("utf-8"))


def _nothing(found: Nothing, *, json_: bool) -> int:
    from cityid.edge.messages import explain
    from cityid.errors import Problem

    if json_:
        talk.give({"error": {"code": "present.no_answer"}, "reasons": {
            name: [talk.as_json(problem) for problem in problems] for name, problems in found.reasons.items()
        }})  # fmt: skip
    told = explain(Problem("present.no_answer"))
    talk.error(told.text, told.rule)
    for name, problems in found.reasons.items():
        for problem in problems:
            talk.say(f"  {talk.clean(name)}: {talk.clean(explain(problem).text)}")
    talk.say(f"hint: {told.hint}")
    return talk.NO


def _chosen(found: Options, cards: list[str]) -> tuple[Option, ...]:
    from cityid.errors import Misuse

    chosen = list(found.best)
    for wanted in cards:
        fits = [
            (index, option)
            for index, best in enumerate(chosen)
            for option in found.by_id[best.id]
            if option.card.id.startswith(wanted)
        ]
        if not fits:
            raise Misuse("present.card_unfit", card=wanted)
        for index, option in fits:
            chosen[index] = option
    return tuple(chosen)


def _purpose(here: Home, words: str) -> Purpose | None:
    """What the catalogue knows of the purpose that a service names."""
    from cityid.edge import files
    from cityid.edge.resources import schemas
    from cityid.query import purposes

    known = purposes.read((schemas() / "purposes.toml").read_bytes())
    own = here.path("purposes.toml")
    if own.is_file():
        known = purposes.read(files.read_home_file(own), known)
    return known.find(words)


def _tell(
    asked: AskedFor, found: Options, chosen: tuple[Option, ...], names: Mapping[str, str], purpose: Purpose | None
) -> bool:
    """Say who asks and what would leave; whether it is more than is needed."""
    from cityid.credential import about
    from cityid.edge.messages import explain
    from cityid.encoding import paths

    from . import purse

    talk.say(f"{talk.named(asked.name, asked.audience)} asks, for: {talk.clean(asked.purpose or 'it does not say')}")
    talk.say("  who asks is not proved: the request came as a file; only they can use the answer")
    for problem in found.warnings:
        talk.say(talk.bad(f"  TOO MUCH   {talk.clean(explain(problem).text)}"))
    count, over = 0, bool(found.warnings)
    for option in chosen:
        card = option.card
        issuer = talk.named(card.issuer_name, card.issuer)
        talk.say(f"  from {talk.clean(names[card.type])} by {issuer}, {purse.copies(card)}")
        wanted = [about(path) for path, _ in option.shows if _chosen_by_asker(option, path)]
        excess = purpose.excess(names[card.type], wanted) if purpose is not None else ()
        for problem in excess:
            talk.say(talk.bad(f"    TOO MUCH   {talk.clean(explain(problem).text)}"))
        over = over or bool(excess)
        rows = [
            (talk.clean(paths.write(about(path))), talk.value(value))
            for path, value in sorted(option.shows, key=_by_path)
        ]
        count += len(rows)
        for index, line in enumerate(talk.columns([(name, "= " + value) for name, value in rows])):
            talk.say(f"    {'will be shown' if index == 0 else '             '}    {line}")
        if not rows:
            talk.say("    will be shown    nothing but that you hold it")
        hidden = sorted(talk.clean(paths.write(about(path))) for path in option.hides)
        if hidden:
            more = f" and {len(hidden) - 3} more" if len(hidden) > 3 else ""
            talk.say(f"    stays hidden     {', '.join(hidden[:3])}{more}")
        if not option.single_use:
            talk.say(
                talk.bad("    LINKABLE   no unused copy is left: services could tell that it is you again (--again)")
            )
    talk.say(f"  {count} {'claim leaves' if count == 1 else 'claims leave'} this wallet.")
    return over


def _chosen_by_asker(option: Option, path: Any) -> bool:
    """Could the claim have stayed hidden? What a card always shows, nobody asked for."""
    return any(path[:length] in option.match.credential.hidden for length in range(1, len(path) + 1))


def _by_path(shown: tuple[Any, Any]) -> str:
    from cityid.credential import about
    from cityid.encoding import paths

    return paths.write(about(shown[0]))


def _covered(chosen: tuple[Option, ...], allowed: list[str]) -> None:
    """Everything that leaves was named: `address` covers `address.locality`."""
    from cityid.credential import about
    from cityid.encoding import paths
    from cityid.errors import Problem

    covers = [paths.read(text) for text in allowed]
    for option in chosen:
        for path in (about(path) for path, _ in option.shows):
            plain = tuple(None if isinstance(part, int) else part for part in path)
            if not any(cover in (path[: len(cover)], plain[: len(cover)]) for cover in covers):
                raise talk.PersonSaidNo(Problem("present.not_agreed", {"claim": paths.write(path)}))
