"""`cityid accept`: take an offered credential into the wallet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import For, Force, Json, Out, PassphraseFd, PinFd, Yes
from .state import STATE

if TYPE_CHECKING:
    from .home import Home


def register(app: typer.Typer) -> None:
    app.command("accept")(accept)


def accept(
    offer: Annotated[
        str, typer.Argument(metavar="OFFER", help="An offer (file or link), or the cards that came back.")
    ],
    output: Out = None,
    for_: For = "me",
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    pin_fd: PinFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Take an offered card: first answer the offer with keys of your own, then take in the cards that city hall signed.

    Cards are verified before they are stored: issuer, key, signature, type, and that they are bound to your keys.
    """
    from cityid.cards import CARDS_SIZE
    from cityid.edge import files

    from . import home

    here = home.find(STATE.home, "wallet")
    if "://" in offer:  # a link, and if it is of another kind, reading it says so
        data = offer.encode("utf-8", "surrogatepass")
    else:
        data = files.read(Path(offer), CARDS_SIZE)
    if data.lstrip().startswith(b"{") and b'"credentials"' in data:
        _take(here, data, passphrase_fd, json_=json_)
    else:
        _begin(here, data, output, passphrase_fd, pin_fd, for_, yes=yes, force=force, json_=json_)


def _begin(
    here: Home,
    data: bytes,
    output: Path | None,
    passphrase_fd: int | None,
    pin_fd: int | None,
    for_: str,
    *,
    yes: bool,
    force: bool,
    json_: bool,
) -> None:
    from cityid.accepting import begin
    from cityid.cards import Offer
    from cityid.edge import clock, files
    from cityid.errors import Refused

    from . import kinds, papers, purse, trust

    with papers.expected(data, "offer", "cards"):
        offer = Offer.read(data)
    trusted = trust.load(here)
    names = {entry.subject: entry.name for entry in trusted.entries}
    # A root that no issuer narrows may vouch for anybody: the certificate, which comes with the cards, will tell.
    if offer.issuer not in names and not any(entry.roots and not entry.issuer for entry in trusted.entries):
        kind = kinds.known(here)[0].get(offer.type)
        status = kind.status if kind is not None else "required"
        how = f"--did {offer.issuer}"
        if not offer.issuer.startswith("did:"):
            how = f"--web {offer.issuer} (or --root FILE --issuer {offer.issuer})"
        raise Refused("accept.unknown_issuer", issuer=offer.issuer, type=offer.type, status=status, how=how)
    if output is not None:
        files.check_free(output, force=force)
    # The offer's own words for its issuer are nobody's proof: only the trust list names people.
    talk.say(f"{talk.named(names.get(offer.issuer, ''), offer.issuer)} offers: {talk.clean(offer.type)}")
    if for_ != "me":
        talk.say(f"  for {talk.clean(for_)}")
    if not yes:
        talk.agree("Answer with keys of this wallet?", flag="--yes")
    wallet = purse.opened(here, passphrase_fd, pin_fd=pin_fd)
    made = begin(offer, wallet, clock.now(), person=for_)
    request = made.write() + b"\n"
    if output is None or json_:
        talk.out(request.decode("utf-8").rstrip("\n"))
    if output is not None:
        files.write(output, request, force=force, private=True)
        name = talk.clean(made.device.name if made.device else "unknown")
        talk.say(
            f"{offer.copies} keys made and proved, on the device called {name}; request written to "
            f"{talk.clean(output)}. Give it to city hall alone."
        )


def _take(here: Home, data: bytes, passphrase_fd: int | None, *, json_: bool) -> None:
    from cityid.accepting import accept as take
    from cityid.cards import Cards
    from cityid.edge import clock
    from cityid.edge.messages import explain
    from cityid.formats import FORMATS
    from cityid.status.traces import traces

    from . import kinds, papers, purse, seen, service, trust

    with papers.expected(data, "cards", "offer"):
        cards = Cards.read(data)
    wallet = purse.opened(here, passphrase_fd)
    at, trusted, watch = clock.now(), trust.load(here), seen.Watch(service.network())
    try:
        card = take(cards, wallet, trusted, at).run(watch)
    finally:
        watch.remember(here, trusted, at)
    name = kinds.label(kinds.known(here)[0], card.type)
    remarkable = traces([FORMATS[card.format].read(raw) for raw in cards.credentials])
    for problem in remarkable:
        talk.say(f"note: {talk.clean(explain(problem).text)}  ({problem.code})")
    if json_:
        talk.give({
            "card": card.id, "type": name, "wire_type": card.type, "issuer": card.issuer, "copies": card.copies_total,
            "person": card.person,
            "valid_until": card.window.end.isoformat() if card.window.end else None,
            "notes": [problem.code for problem in remarkable],
        })  # fmt: skip
        return
    end = f", valid until {card.window.end:%d %b %Y %H:%M} UTC" if card.window.end else ""
    whose = "" if card.person == "me" else f" for {talk.clean(card.person)}"
    copies = purse.copies(card) if purse.without_limit(card) else f"{card.copies_total} single-use copies"
    talk.out(f"Added {talk.clean(name)}{whose} ({copies}){end}.")
