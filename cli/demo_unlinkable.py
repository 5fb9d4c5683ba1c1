"""A scene for `cityid demo`: a card that is shown twice, and an observer who compares what was shown."""

from __future__ import annotations

from . import talk
from .demo import Step

_PASS = "--passphrase-fd 3 3<passphrase"
_CITY = "did:web:id.lindau.example"
_TYPE = """cat > city/types/lives-here.json <<'EOF'
{"id": "lives-here", "title": {"en": "Lives here"}, "lifetime": "31 days", "copies": 1, "status": "none",
 "unlinkable": true,
 "names": {"ldp_vc": {"type": ["VerifiableCredential", "LivesHereCredential"]}},
 "claims": {"birthdate": {"schema": {"type": "string", "format": "date"}, "shown": "never", "required": true,
                          "plausible": "birth", "labels": {"en": "Date of birth"}},
            "municipality": {"schema": {"type": "string", "maxLength": 50}, "shown": "choice", "required": true,
                             "labels": {"en": "Municipality"}},
            "age_over_18": {"schema": {"type": "boolean"}, "shown": "choice", "derived": "age_over birthdate 18",
                            "labels": {"en": "Aged 18 or over"}}}}
EOF"""
_POLICY = """cat > library/policies/visitor.toml <<'EOF'
purpose = "the reading room"
[ask]
type = "lives-here"
formats = ["ldp_vc"]
claims = ["municipality", "age_over_18"]
[accept]
municipality = "Lindau"
age_over_18 = true
[trust]
list = "trust/issuers.toml"
EOF"""
_KEY = """printf 'bbs_key = "unlinkable-1"\\n' | cat - city/city.toml > home.toml && cat home.toml > city/city.toml"""


def _run(command: str, status: int = talk.DONE) -> Step:
    return Step(command, status)


def scene() -> list[Step]:
    """The scene as a list of steps, in a city with a library, Ada and Jörg."""
    return [
        Step(
            "A card that can be shown as often as one likes, and nobody can tell that it was the same one: neither\n"
            "two services together, nor city hall with them. The city makes a key for it, and a type of its own."
        ),
        _run(f"cityid --home city key create unlinkable-1 --algorithm BBS {_PASS}"),
        _run(_KEY),
        _run("mkdir -p city/types"),
        _run(_TYPE),
        Step("There is a new type, and the city's document has a key more: whoever pinned the document takes the new."),
        *(step for home in ("ada", "joerg", "library") for step in _learns(home)),
        *_takes("ada", "1990-12-10"),
        *_takes("joerg", "1988-02-29"),
        Step("Ada comes to the reading room, then Jörg, then Ada again. All three are let in."),
        _run(_POLICY),
        *_shows("ada", "first"),
        *_shows("joerg", "second"),
        *_shows("ada", "third"),
        Step(
            "Somebody kept what the three showed, and compares every value in it, those inside the proofs too.\n"
            "What two have in common, all three have: it is what all cards of this type say here. Nothing tells who\n"
            "came twice."
        ),
        _run("cityid inspect first.answer --beside second.answer --beside third.answer"),
        Step("The same measure on one answer and its copy: there it sees a great deal."),
        _run("cp first.answer copy.answer"),
        _run("cityid inspect first.answer --beside second.answer --beside copy.answer | grep parts"),
    ]


def _learns(home: str) -> list[Step]:
    return [
        _run(f"mkdir -p {home}/types && cp city/types/lives-here.json {home}/types/"),
        _run(f"cityid --home {home} trust remove {_CITY} && rm {home}/trust/did.json"),
        _run(
            f"cityid --home {home} trust add --did {_CITY} --document city/did.json --name 'Stadt Lindau' "
            "--status none --type residency --type age --type parking-permit --type lives-here"
        ),
    ]


def _takes(home: str, born: str) -> list[Step]:
    card = f"{home}-lives-here"
    return [
        _run(f"""printf '{{"birthdate": "{born}", "municipality": "Lindau"}}\\n' > {card}.json"""),
        _run(f"cityid --home city issue lives-here --claims {card}.json --yes -o {card}.offer {_PASS}"),
        _run(f"cityid --home {home} accept {card}.offer --yes -o {card}.request {_PASS}"),
        _run(f"cityid --home city issue --answer {card}.request -o {card}.cards {_PASS}"),
        _run(f"cityid --home {home} accept {card}.cards {_PASS}"),
    ]


def _shows(home: str, name: str) -> list[Step]:
    shown = "--show municipality --show age_over_18"
    return [
        _run(f"cityid --home library request --policy library/policies/visitor.toml -o {name}.request"),
        _run(f"cityid --home {home} present {name}.request --yes {shown} -o {name}.answer {_PASS}"),
        _run(f"cityid --home library verify {name}.answer --session {name}.request"),
    ]
