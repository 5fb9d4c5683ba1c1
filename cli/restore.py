"""`cityid restore`: make a suspended card good again."""

from __future__ import annotations

import typer

from .standings import verb


def register(app: typer.Typer) -> None:
    app.command("restore")(verb("VALID", "Make suspended cards good again."))
