"""`cityid revoke`: take a card back for good."""

from __future__ import annotations

import typer

from .standings import verb


def register(app: typer.Typer) -> None:
    about = "Take cards back for good: issued ones become invalid, offered ones are withdrawn."
    app.command("revoke")(verb("INVALID", about))
