"""`cityid wallet`: what you hold, for whom, and what was shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import talk, wallet_care
from .options import Json, PassphraseFd, PinFd, Yes, plain
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.wallet_file import WalletFile
    from cityid.wallet import Card, Shown


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What you hold.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("history")(history)
    group.command("forget")(forget)
    group.command("person")(person)
    wallet_care.register(group)
    app.add_typer(group, name="wallet")


def list_(passphrase_fd: PassphraseFd = None, json_: Json = False) -> None:
    """List the cards in the wallet."""
    from cityid.edge import clock
    from cityid.edge.messages import explain
    from cityid.wallet import hints

    from . import home, kinds, purse

    here, at = home.find(STATE.home, "wallet"), clock.now()
    wallet = purse.opened(here, passphrase_fd)
    cards = list(wallet.held())
    types, _ = kinds.known(here)
    if json_:
        talk.give([
            {
                **_as_json(card, kinds.label(types, card.type)), "person": card.person,
                "hints": [talk.as_json(hint) for hint in hints(card, at)],
            }
            for card in cards
        ])  # fmt: skip
        return
    for whose in wallet.persons():
        theirs = [card for card in cards if card.person == whose]
        if len(wallet.persons()) > 1:
            talk.out(f"{talk.clean(whose)}:" if theirs else f"{talk.clean(whose)}: no cards")
        rows = [
            (card.id[:8], talk.clean(kinds.label(types, card.type), 60), talk.named(card.issuer_name, card.issuer),
             f"{purse.copies(card)}, {_until(card)}")
            for card in theirs
        ]  # fmt: skip
        for line, card in zip(talk.columns(rows), theirs, strict=True):
            talk.out(line)
            for hint in hints(card, at):
                talk.out(f"          {talk.clean(explain(hint).text)}")
    if not cards:
        talk.say("The wallet is empty.\nhint: cityid accept OFFER")


def _until(card: Card) -> str:
    return f"until {card.window.end:%d %b %Y}" if card.window.end else "without end"


def _as_json(card: Card, name: str) -> dict[str, object]:
    from . import purse

    return {
        "id": card.id, "type": name, "wire_type": card.type, "issuer": card.issuer, "issuer_name": card.issuer_name,
        "format": card.format,
        "valid_until": card.window.end.isoformat() if card.window.end else None,
        "copies_left": card.copies_left, "copies_total": card.copies_total, "without_limit": purse.without_limit(card),
    }  # fmt: skip


def show(
    card: Annotated[str, typer.Argument(metavar="CARD", help="The first letters of its id, from `wallet list`.")],
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Show one card with all its claims, and which of them can stay hidden."""
    from cityid.credential import about
    from cityid.encoding import paths
    from cityid.presenting import leaves

    from . import home, kinds, purse

    here = home.find(STATE.home, "wallet")
    one = _one(purse.opened(here, passphrase_fd), card)
    claims = sorted(leaves(one.credential), key=lambda leaf: paths.write(about(leaf[0])))
    name = kinds.label(kinds.known(here)[0], one.type)
    if json_:
        talk.give({
            **_as_json(one, name),
            "claims": {paths.write(about(path)): value for path, value, _ in claims},
            "hideable": [paths.write(about(path)) for path, _, hideable in claims if hideable],
        })  # fmt: skip
        return
    talk.out(f"{talk.clean(name)} by {talk.named(one.issuer_name, one.issuer)}, {_until(one)}")
    talk.out(purse.copies(one))
    rows = [
        (f"  {talk.clean(paths.write(about(path)))}",
         talk.value(value),
         "can be hidden" if hideable else "")
        for path, value, hideable in claims
    ]  # fmt: skip
    for line in talk.columns(rows):
        talk.out(line)


def _one(wallet: WalletFile, letters: str) -> Card:
    """Raises Refused `wallet.unknown_card`."""
    from cityid.errors import Refused

    found = [one for one in wallet.held() if one.id.startswith(letters)]
    if len(found) != 1:
        raise Refused("wallet.unknown_card", card=letters)
    return found[0]


def history(passphrase_fd: PassphraseFd = None, json_: Json = False) -> None:
    """List what was shown, to whom, and when: names of claims, never their values."""
    from cityid.credential import about
    from cityid.encoding import paths

    from . import home, kinds, purse

    here = home.find(STATE.home, "wallet")
    entries = purse.opened(here, passphrase_fd).history()
    types, _ = kinds.known(here)
    if json_:
        talk.give([
            {
                "id": one.id, "at": one.at, "to": one.to, "name": one.name, "purpose": one.purpose,
                "type": kinds.label(types, one.type), "card": one.card, "person": one.person, "again": one.again,
                "claims": [paths.write(about(path)) for path in one.claims],
            }
            for one in entries
        ])  # fmt: skip
        return
    for one in entries:
        for line in _told(one, kinds.label(types, one.type)):
            talk.out(line)
    if not entries:
        talk.say("Nothing was shown yet.")


def _told(one: Shown, name: str) -> tuple[str, str]:
    from cityid.credential import about
    from cityid.encoding import paths

    whose = "" if one.person == "me" else f" of {talk.clean(one.person)}"
    purpose = f", for: {talk.clean(one.purpose)}" if one.purpose else ""
    again = ", a copy that had been shown before" if one.again else ""
    claims = (
        ", ".join(sorted(talk.clean(paths.write(about(path))) for path in one.claims)) or "nothing but that it is held"
    )
    return (
        f"{one.id[:8]}  {one.at:%d %b %Y %H:%M} UTC  {talk.named(one.name, one.to)}{purpose}",
        f"          from {talk.clean(name or 'a card')}{whose}: {claims}{again}",
    )


def forget(
    what: Annotated[
        str,
        typer.Argument(metavar="ID", help="The first letters of a card's or a history entry's id."),
    ] = "",
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="Instead: all history before this day (YYYY-MM-DD, UTC).")
    ] = "",
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    pin_fd: PinFd = None,
    json_: Json = False,
) -> None:
    """Erase a card with its keys, one entry of the history, or all history before a day. It cannot be undone; what was
    shown of a card stays in the history until that is erased too.
    """
    from datetime import UTC, datetime

    from cityid.errors import Misuse, Refused

    from . import home, kinds, purse

    if bool(what) == bool(before):
        raise Misuse("wallet.forget_what")
    here = home.find(STATE.home, "wallet")
    day = None
    if before:
        try:
            day = datetime.strptime(before, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise Misuse("wallet.forget_what") from None
    wallet = purse.opened(here, passphrase_fd, pin_fd=pin_fd)
    if day is not None:
        count = sum(one.at < day for one in wallet.history())
        _sure(f"Erase {count} of {len(wallet.history())} entries of the history?", yes=yes)
        done: dict[str, object] = {"entries": wallet.forget_history(day)}
    else:
        cards = [one for one in wallet.held() if one.id.startswith(what)]
        entries = [one for one in wallet.history() if one.id.startswith(what)]
        if len(cards) + len(entries) != 1:
            raise Refused("wallet.unknown_card", card=what)
        if cards:
            name = kinds.label(kinds.known(here)[0], cards[0].type)
            issuer = talk.named(cards[0].issuer_name, cards[0].issuer)
            _sure(f"Erase {talk.clean(name)} by {issuer}, with its keys?", yes=yes)
            left = wallet.forget(cards[0].id)
            done = {"card": cards[0].id, "keys_in_token": left}
            if left:
                talk.say(f"note: {left} of its keys are still in the token, which was not asked (--pin-fd)")
        else:
            _sure(f"Erase the entry of {entries[0].at:%d %b %Y %H:%M} UTC?", yes=yes)
            wallet.forget_shown(entries[0].id)
            done = {"entry": entries[0].id}
    talk.say("Erased.")
    if json_:
        talk.give(done)


def _sure(question: str, *, yes: bool) -> None:
    if not yes:
        talk.agree(question, flag="--yes")


def person(
    action: Annotated[
        Literal["add", "list", "remove"], typer.Argument(metavar="add|list|remove", help="What to do.")
    ] = "list",
    name: Annotated[str, typer.Argument(metavar="NAME", callback=plain, help="Who: a child, an elder.")] = "",
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """The people whose cards this wallet holds. `accept --for NAME` takes a card for one of them, and `present --for
    NAME` shows only theirs, and says so.
    """
    from cityid.edge import clock
    from cityid.errors import Malformed, Misuse

    from . import home, purse

    if (action == "list") == bool(name):
        raise Misuse("wallet.person_who")
    wallet = purse.opened(home.find(STATE.home, "wallet"), passphrase_fd)
    if action == "add":
        try:
            wallet.add_person(name, clock.now())
        except Malformed as error:
            raise Misuse(error.problem) from None
        talk.say(f"Added {talk.clean(name)}.")
    elif action == "remove":
        wallet.remove_person(name)
        talk.say(f"Removed {talk.clean(name)}.")
    people = wallet.persons()
    if json_:
        talk.give(list(people))
    elif action == "list":
        for one in people:
            talk.out(f"{talk.clean(one)}  {sum(card.person == one for card in wallet.held())} cards")
