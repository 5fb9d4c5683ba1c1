"""A scene for `cityid demo`: a city whose DID has a history, which the court of auditors witnesses."""

from __future__ import annotations

from . import talk
from .demo import Step

_PASS = "--passphrase-fd 3 3<passphrase"
_CLAIMS = """cat > ada.json <<'EOF'
{"given_name": "Ada", "family_name": "Lovelace", "birthdate": "1990-12-10",
 "address": {"street_address": "Maximilianstraße", "house_number": "7", "locality": "Lindau", "country": "DE"},
 "municipality": {"code": "09776116", "name": "Lindau"}, "resident_since": "2011-02-03"}
EOF"""
_POLICY = """cat > library/policies/card.toml <<'EOF'
purpose = "library card"
[ask]
type = "residency"
claims = ["age_over_18"]
[accept]
"age_over_18" = true
[trust]
list = "trust/issuers.toml"
EOF"""


def _run(command: str, status: int = talk.DONE) -> Step:
    return Step(command, status)


def scene() -> list[Step]:
    """The scene as a list of steps."""
    return [
        Step("A city whose DID has a history, and the court of auditors, without whose word nothing changes."),
        _run("printf 'correct horse battery staple\\n' > passphrase"),
        _run(_CLAIMS),
        _run(
            "cityid init city city --did did:webvh:id.lindau.example --name 'Stadt Lindau' --country DE "
            f"--jurisdiction DE-BY {_PASS} > city.did"
        ),
        _run(f"cityid init city court --name Rechnungshof {_PASS}"),
        _run(f"cityid --home court key create witness-1 --algorithm EdDSA --use witness {_PASS}"),
        _run(f"cityid --home court did create key --key witness-1 {_PASS} > court.did"),
        *_changes(1, 'did update --witness "$(cat court.did)"'),
        Step("Ada takes a card, signed with the city's first key. The library pins the history as it is today."),
        _run(f"cityid init wallet ada {_PASS}"),
        _run("cityid init service library --audience x509_san_dns:library.example --name Stadtbibliothek"),
        *(_trusts(home) for home in ("ada", "library")),
        _run(_POLICY),
        _run(f"cityid --home city issue residency --claims ada.json --yes -o ada.offer {_PASS}"),
        _run(f"cityid --home ada accept ada.offer --yes -o ada.request {_PASS}"),
        _run(f"cityid --home city issue --answer ada.request -o ada.cards {_PASS}"),
        _run(f"cityid --home ada accept ada.cards {_PASS}"),
        Step("The city changes its key, twice. The court looks at each change before it signs."),
        *_rotates(2, "issuer-1"),
        _run("cp -r city/did older"),
        *_rotates(4, "issuer-2"),
        _run("cityid --home city did log"),
        Step("The library takes the newer history. Ada's card goes on: history says that its key was the city's."),
        _run("cityid --home library trust sync --log city/did/did.jsonl --witness-proofs city/did/did-witness.json"),
        *_asks("first"),
        Step("Somebody serves the library yesterday's history, which was good yesterday."),
        _run("cityid --home library trust sync --log older/did.jsonl --witness-proofs older/did-witness.json", talk.NO),
        _run('cp older/did.jsonl "$(echo library/trust/*.jsonl)"'),
        _run('cp older/did-witness.json "$(echo library/trust/*-witness.json)"'),
        *_asks("second", talk.NO),
        Step("A thief with a copy of the city's home writes a change of their own. The court does not sign it."),
        _run("cp -r city thief && cp older/* thief/did/"),
        _run(f"cityid --home thief did rotate -o fork.jsonl {_PASS}"),
        _run(f"cityid --home court did witness fork.jsonl -o fork.proof --yes {_PASS}", talk.NO),
        _run("cityid did log --log thief/did/proposed.jsonl --witness-proofs thief/did/did-witness.json", talk.NO),
    ]


def _changes(number: int, command: str) -> list[Step]:
    name = f"change-{number}"
    return [
        _run(f"cityid --home city {command} -o {name}.jsonl {_PASS}"),
        _run(f"cityid --home court did witness {name}.jsonl -o {name}.proof --yes {_PASS}"),
        _run(f"cityid --home city did witness --take {name}.proof"),
    ]


def _rotates(number: int, old: str) -> list[Step]:
    return [
        *_changes(number, "key rotate"),
        _run(f"cityid --home city key rotate --switch {_PASS}"),
        *_changes(number + 1, f"did update --without {old}"),
    ]


def _trusts(home: str) -> Step:
    return _run(
        f'cityid --home {home} trust add --did "$(cat city.did)" --log city/did/did.jsonl '
        "--witness-proofs city/did/did-witness.json --name 'Stadt Lindau' --status none --type residency"
    )


def _asks(name: str, status: int = talk.DONE) -> list[Step]:
    shown = "--show age_over_18 --show issuing_authority --show issuing_country --show issuing_jurisdiction"
    return [
        _run(f"cityid --home library request --policy library/policies/card.toml -o {name}.json"),
        _run(f"cityid --home ada present {name}.json --yes {shown} -o {name}.answer {_PASS}"),
        _run(f"cityid --home library verify {name}.answer --session {name}.json", status),
    ]
