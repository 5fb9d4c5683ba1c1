"""The words of the command line: its first screen and its verbs."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_SCREEN = """\
Digital identity for a city.

City hall      issue      prepare a credential for a resident, then sign it for the wallet's keys
               approve    say yes to what another clerk prepared (four eyes)
               revoke     take a credential back (or: suspend, restore)
               register   list, show, search, export, publish   what was issued
               work       do parts of what was queued with issue --from FILE --queue
               clerk      add, list, remove, key           who may do what

Resident       accept     take an offered credential into the wallet
               present    show a service what it asks for, and no more
               wallet     list, show, history, forget, person, passphrase, backup, restore

Service        request    ask for a presentation
               verify     judge an answer, and say why
               policy     new, show, check                 what to ask and what to accept
               trust      list, add, remove, sync          whose word counts

Everyone       inspect    read any credential, request or key, believing nothing
               init       make a home: city, wallet or service
               key        create, list, show, certify, rotate, retire
               did        create, resolve, log, update, rotate, witness, move, deactivate
               type       new, check, show, template
               demo       a city, three residents and three services, in a folder
               poll       join, enrol, open, vote, tally, check    one resident, one voice
               serve      vc-api                           what the public W3C suites talk to
               conformance  config, jose-cose, json-schema   what they call

First steps: cityid init wallet, then cityid accept OFFER
Each command explains itself: cityid verify --help"""

VERBS = (
    "issue", "approve", "revoke", "suspend", "restore", "register", "work", "clerk", "accept", "present", "wallet",
    "request", "verify", "policy", "trust", "inspect", "init", "key", "did", "type", "demo", "poll",
    "serve", "conformance",
)  # fmt: skip
"""Each verb or noun has a file of its name, whose `register(app)` adds it."""


EXAMPLES = {
    "issue": "issue residency --claims ada.json -o ada.offer",
    "approve": "approve R-2026-000001 -o ada.offer",
    "revoke": "revoke R-2026-000001 --why 'lost phone'",
    "suspend": "suspend R-2026-000001 --why 'phone mislaid'",
    "restore": "restore R-2026-000001 --why 'phone found'",
    "register list": "register list --type residency --status revoked",
    "register show": "register show R-2026-000001",
    "register search": "register search 4711",
    "register devices": "register devices --person p-4711",
    "register export": "register export --since 2026-01-01 -o issued.csv",
    "register statistics": "register statistics",
    "register changed": "register changed people.csv --type residency --person id",
    "register copy": "register copy postgresql://localhost/city",
    "register publish": "register publish /srv/www/status",
    "register reconcile": "register reconcile /srv/www/status",
    "register audit": "register audit --tiles /srv/www/status/log",
    "register witness": "register witness /srv/www/status --witness court.key --url https://court.example/witness",
    "register prove": "register prove R-2026-000001 -o proofs",
    "register erase-salts": "register erase-salts --before 2025-01-01",
    "poll join": "poll join --issuer did:web:id.lindau.example -o ada.commitment",
    "poll enrol": "poll enrol ada.commitment --person p-4711 --claims ada.json -o ada.voice",
    "poll open": "poll open --question 'A tree in every street?' --choice yes --choice no "
    "--municipality 09776116 --days 21 -o poll.json",
    "poll vote": "poll vote poll.json --voice ada.voice -o ada.ballot",
    "poll tally": "poll tally poll.json ada.ballot --box box.sqlite -o list.json",
    "poll check": "poll check list.json --ballot ada.ballot",
    "work": "work --until-done",
    "clerk add": "clerk add maria --may issue --may revoke --type residency --department registry",
    "clerk key": "--clerk-keys pkcs11:token=maria clerk key maria -o maria.jwk",
    "clerk list": "clerk list",
    "clerk remove": "clerk remove maria",
    "accept": "accept ada.offer -o ada.request",
    "present": "present request.json -o answer.json",
    "wallet list": "wallet list",
    "wallet show": "wallet show 3f2a",
    "wallet history": "wallet history",
    "wallet forget": "wallet forget --before 2026-01-31",
    "wallet person": "wallet person add Tom",
    "wallet passphrase": "wallet passphrase",
    "wallet code": "wallet code",
    "wallet backup": "wallet backup /media/stick/wallet.age",
    "wallet restore": "wallet restore /media/stick/wallet.age",
    "request": "request --policy policies/library.toml -o request.json",
    "verify": "verify answer.json --session request.json",
    "policy new": "policy new residency --claim age_over_18 --purpose 'library card' -o policies/library.toml",
    "policy show": "policy show policies/library.toml",
    "policy check": "policy check policies/library.toml",
    "trust list": "trust list",
    "trust add": "trust add --did did:web:id.lindau.example --type residency --status none",
    "trust sync": "trust sync",
    "trust remove": "trust remove did:web:id.lindau.example",
    "inspect": "inspect answer.json",
    "init city": "init city lindau --did did:web:id.lindau.example --name 'Stadt Lindau'",
    "init wallet": "init wallet",
    "init service": "init service library --audience x509_san_dns:library.example --name Stadtbibliothek",
    "key create": "key create issuer-2 --algorithm ES256",
    "key list": "key list",
    "key show": "key show issuer-1 --as multikey",
    "key rotate": "key rotate",
    "key retire": "key retire issuer-1 --why 'token lost'",
    "key certify": "key certify root root -o root.pem",
    "did create": "did create web --key issuer-1 --host id.lindau.example -o did.json",
    "did resolve": "did resolve did:web:id.lindau.example",
    "did log": "did log",
    "did update": "did update --key issuer-2",
    "did rotate": "did rotate",
    "did witness": "did witness lindau.jsonl -o lindau.proof",
    "did move": "did move id.bodensee.example",
    "did deactivate": "did deactivate",
    "type new": "type new library-card --title 'Library card'",
    "type check": "type check types/library-card.json",
    "type show": "type show residency",
    "type template": "type template residency --as json -o ada.json",
    "demo": "demo",
    "serve vc-api": "serve vc-api vc-api.toml",
    "conformance config": "conformance config -o vc-api.toml",
    "conformance jose-cose": "conformance jose-cose issue --input vc --key key --feature credential_jose --output out",
    "conformance json-schema": (
        "conformance json-schema validate --format JsonSchema --schema s --credential c --output out"
    ),
}
"""A command line for the help of each command; a test runs through them."""


def wanted(argv: Sequence[str]) -> str | None:
    """The verb in a command line; None where there is none."""
    skip = False
    for word in argv:
        if skip:
            skip = False
        elif word in ("--home", "--clerk-keys"):
            skip = True
        elif not word.startswith("-"):
            return word
    return None
