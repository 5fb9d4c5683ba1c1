"""`cityid suspend`: pause a card."""

from __future__ import annotations

import typer

from .standings import verb


def register(app: typer.Typer) -> None:
    app.command("suspend")(verb("SUSPENDED", "Pause issued cards, until `cityid restore`."))
