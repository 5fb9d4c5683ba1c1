"""A scene for `cityid demo`: a poll, in which each resident has one voice and nobody learns who said what."""

from __future__ import annotations

from . import talk
from .demo import Step

_PASS = "--passphrase-fd 3 3<passphrase"
_CITY = "did:web:id.lindau.example"
_CODE = "09776116"


def _run(command: str, status: int = talk.DONE) -> Step:
    return Step(command, status)


def scene() -> list[Step]:
    """The scene as a list of steps, in a city with Ada and Jörg."""
    return [
        Step("City hall asks its residents. It makes a key for voices, and publishes what is asked."),
        _run(f"cityid --home city key create voice --algorithm BBS {_PASS}"),
        _opens("trees", "A tree in every street?"),
        _opens("market", "The market on Sundays too?"),
        Step(
            "Ada and Jörg have one voice each. A wallet makes a secret that nobody else learns; city hall looks who\n"
            "it is, keeps a commitment to that secret on its roll, and signs this month's voice over it."
        ),
        *_enrols("ada", "1990-12-10", "01"),
        *_enrols("joerg", "1988-02-29", "02"),
        Step("Both vote. The platform judges the ballots and publishes them all."),
        _votes("ada", "trees", "yes", "ada.ballot"),
        _votes("joerg", "trees", "no", "joerg.ballot"),
        _run("cityid poll tally trees.json ada.ballot joerg.ballot --box box.sqlite -o trees.list"),
        Step("Ada votes a second time: it is the same pseudonym, whatever she answers, and it is refused."),
        _votes("ada", "trees", "no", "again.ballot"),
        _run("cityid poll tally trees.json again.ballot --box box.sqlite -o again.list", talk.NO),
        Step(
            "Anybody counts again, from the published list alone; Ada finds her vote in it. A padded list is noticed."
        ),
        _run("cityid poll check trees.list --ballot ada.ballot"),
        _run("""sed 's/"yes":1/"yes":2/' trees.list > padded.list"""),
        _run("cityid poll check padded.list", talk.NO),
        Step(
            "Ada gets a new phone, and hopes for a second voice. Without her backup the new one is not heard before\n"
            "the next roll day."
        ),
        _run(f"cityid init wallet new-phone {_PASS}"),
        _run(f"cityid --home new-phone poll join --issuer {_CITY} -o new.commitment {_PASS}"),
        _enrols_at("new.commitment", "ada", "new.voice", talk.NO),
        _enrols_at("new.commitment", "ada", "new.voice", talk.DONE, " --lost"),
        _votes("new-phone", "trees", "no", "new.ballot", "new.voice", talk.NO),
        Step(
            "Ada votes in the other poll too. Whoever compares the ballots finds that two about the trees are of one\n"
            "voice. Whose the one about the market is, nothing tells: not the platform, nor city hall with it."
        ),
        _votes("ada", "market", "yes", "market.ballot"),
        _run("cityid inspect ada.ballot --beside joerg.ballot --beside again.ballot --beside market.ballot"),
    ]


def _opens(name: str, question: str) -> Step:
    return _run(
        f"cityid --home city poll open --question '{question}' --choice yes --choice no --municipality {_CODE} "
        f"--days 7 -o {name}.json {_PASS}"
    )


def _enrols(home: str, born: str, district: str) -> list[Step]:
    claims = f'{{"birthdate": "{born}", "municipality_code": "{_CODE}", "district_code": "{district}"}}'
    return [
        _run(f"cityid --home {home} poll join --issuer {_CITY} -o {home}.commitment {_PASS}"),
        _run(f"printf '%s\\n' '{claims}' > {home}-voice.json"),
        _enrols_at(f"{home}.commitment", home, f"{home}.voice"),
    ]


def _enrols_at(commitment: str, person: str, voice: str, status: int = talk.DONE, more: str = "") -> Step:
    return _run(
        f"cityid --home city poll enrol {commitment} --claims {person}-voice.json --person p-{person}{more} --yes "
        f"-o {voice} {_PASS}",
        status,
    )


def _votes(home: str, poll: str, answer: str, ballot: str, voice: str = "", status: int = talk.DONE) -> Step:
    return _run(
        f"echo {answer} | cityid --home {home} poll vote {poll}.json --voice {voice or f'{home}.voice'} "
        f"--choice-from - --yes -o {ballot} {_PASS}",
        status,
    )
