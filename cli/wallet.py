"""`cityid wallet`: what you hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json, PassphraseFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.wallet import Card


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What you hold.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_)
    group.command("show")(show)
    app.add_typer(group, name="wallet")


def list_(passphrase_fd: PassphraseFd = None, json_: Json = False) -> None:
    """List the cards in the wallet."""
    from . import home, kinds, purse

    here = home.find(STATE.home, "wallet")
    cards = list(purse.opened(here, passphrase_fd).held())
    types, _ = kinds.known(here)
    if json_:
        talk.give([_as_json(card, kinds.label(types, card.type)) for card in cards])
        return
    rows = [
        (card.id[:8], talk.clean(kinds.label(types, card.type), 60), talk.named(card.issuer_name, card.issuer),
         f"{card.copies_left} of {card.copies_total} copies left, {_until(card)}")
        for card in cards
    ]  # fmt: skip
    for line in talk.columns(rows):
        talk.out(line)
    if not rows:
        talk.say("The wallet is empty.\nhint: cityid accept OFFER")


def _until(card: Card) -> str:
    return f"until {card.window.end:%d %b %Y}" if card.window.end else "without end"


def _as_json(card: Card, name: str) -> dict[str, object]:
    return {
        "id": card.id, "type": name, "wire_type": card.type, "issuer": card.issuer, "issuer_name": card.issuer_name,
        "format": card.format,
        "valid_until": card.window.end.isoformat() if card.window.end else None,
        "copies_left": card.copies_left, "copies_total": card.copies_total,
    }  # fmt: skip


def show(
    card: Annotated[str, typer.Argument(metavar="CARD", help="The first letters of its id, from `wallet list`.")],
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Show one card with all its claims, and which of them can stay hidden."""
    from cityid.encoding import paths
    from cityid.errors import Refused
    from cityid.presenting import leaves

    from . import home, kinds, purse

    here = home.find(STATE.home, "wallet")
    held = purse.opened(here, passphrase_fd).held()
    found = [one for one in held if one.id.startswith(card)]
    if len(found) != 1:
        raise Refused("wallet.unknown_card", card=card)
    one = found[0]
    claims = sorted(leaves(one.credential), key=lambda leaf: paths.write(leaf[0]))
    name = kinds.label(kinds.known(here)[0], one.type)
    if json_:
        talk.give({
            **_as_json(one, name),
            "claims": {paths.write(path): value for path, value, _ in claims},
            "hideable": [paths.write(path) for path, _, hideable in claims if hideable],
        })  # fmt: skip
        return
    talk.out(f"{talk.clean(name)} by {talk.named(one.issuer_name, one.issuer)}, {_until(one)}")
    talk.out(f"{one.copies_left} of {one.copies_total} copies left")
    rows = [
        (f"  {talk.clean(paths.write(path))}",
         talk.value(value),
         "can be hidden" if hideable else "")
        for path, value, hideable in claims
    ]  # fmt: skip
    for line in talk.columns(rows):
        talk.out(line)
