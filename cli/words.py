"""The words of the command line: its first screen and its verbs."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_SCREEN = """\
Digital identity for a city.

City hall      issue      prepare a credential for a resident, then sign it for the wallet's keys

Resident       accept     take an offered credential into the wallet
               present    show a service what it asks for, and no more
               wallet     list, show                       what you hold

Service        request    ask for a presentation
               verify     judge an answer, and say why
               policy     new, show, check                 what to ask and what to accept
               trust      list, add, remove                whose word counts

Everyone       inspect    read any credential, request or key, believing nothing
               init       make a home: city, wallet or service
               key        create, list, show, certify
               did        create, resolve
               type       new, check, show, template
               demo       a city, three residents and three services, in a folder

First steps: cityid init wallet, then cityid accept OFFER
Each command explains itself: cityid verify --help"""

VERBS = (
    "issue", "accept", "present", "wallet", "request", "verify", "policy", "trust", "inspect", "init", "key", "did",
    "type", "demo",
)  # fmt: skip
"""Each verb or noun has a file of its name, whose `register(app)` adds it."""


def wanted(argv: Sequence[str]) -> str | None:
    """The verb in a command line; None where there is none."""
    skip = False
    for word in argv:
        if skip:
            skip = False
        elif word == "--home":
            skip = True
        elif not word.startswith("-"):
            return word
    return None
