"""`cityid did witness`: a neighbouring city, or the court of auditors, signs a change of a city's did:webvh; and the
city takes what they signed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Force, Json, Out, PassphraseFd, Yes, plain
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from datetime import datetime

    from .home import Home

_SEEN = "witnessed.json"


def witness(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="What is to be signed: the history with the change.")
    ] = None,
    take: Annotated[
        list[Path] | None,
        typer.Option("--take", metavar="FILE", help="In the city's own home: what a witness signed; may be repeated."),
    ] = None,
    label: Annotated[
        str, typer.Option("--key", metavar="LABEL", callback=plain, help="The key that signs, kept for witnessing.")
    ] = "witness-1",
    proofs: Annotated[
        Path | None,
        typer.Option("--witness-proofs", metavar="FILE", help="The did-witness.json of the history as it was."),
    ] = None,
    output: Out = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Sign the change of another city's did:webvh, as its witness; or with --take, let the word of witnesses in: when
    enough have signed, the change is in force."""
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.errors import Misuse

    from . import registers

    here, at = registers.home_of(), clock.now()
    if (file is None) is (not take):
        raise Misuse("did.witness_or_take")
    register = registers.register_of(here)
    registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    if take:
        _take(here, take, at, json_=json_)
    elif file is not None:
        _sign(here, file, label, proofs, output, passphrase_fd, at, force=force, yes=yes, json_=json_)


def _sign(
    here: Home,
    file: Path,
    label: str,
    proofs: Path | None,
    output: Path | None,
    passphrase_fd: int | None,
    at: datetime,
    *,
    force: bool,
    yes: bool,
    json_: bool,
) -> None:
    from cityid import limits
    from cityid.did import webvh
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.encoding import json
    from cityid.errors import Misuse

    from . import did_words, keys, papers
    from . import seen as remembered

    data = files.read(file, limits.WEBVH_LOG)
    moment = at + timedelta(minutes=1)  # the other city's clock need not be ours
    with papers.expected(data, "history"):
        log = webvh.read_log(data, moment).whole()
    if output is not None:
        files.check_free(output, force=force)
    known = remembered.read(here.path(_SEEN), "memory of histories")
    seen = known.get(log.scid, "")
    if seen:
        log.continues(seen)
    former = log.versions[:-1]
    if any(one.witnesses for one in former) and seen not in (former[-1].id, log.last.id):
        if proofs is None:
            raise Misuse("did.no_witness_proofs", number=former[-1].number)
        webvh.approved(webvh.Log(former), files.read(proofs, limits.WEBVH_LOG)).whole()
    talk.say(f"{talk.clean(log.last.did)}, entry {log.last.number} of {log.last.written}:")
    for line in did_words.changes(log.last, former[-1] if former else None):
        talk.say(f"  {line}")
    if not seen:
        talk.say(
            "Nothing of this history was seen here before: compare it with what the city publishes, and ask the city "
            "by another way."
        )
    if not yes:
        talk.agree("Is that what the city wants? Sign it?", flag="--yes")
    ring = keys.opened(here, passphrase_fd)
    signer = ring.signer_for(ring.find(label).key, Use.WITNESS, at)
    given = webvh.approve(data, signer, moment, seen=seen)
    # Before the word is out: whoever has signed one entry must never sign another in its place.
    files.write(here.path(_SEEN), json.write({**known, log.scid: log.last.id}) + b"\n", force=True)
    made = json.write(given) + b"\n"
    if output is not None:
        files.write(output, made, force=force)
        talk.say(f"Signed in {talk.clean(output)}; give it to the city.")
    if output is None or json_:
        talk.give(given)


def _take(here: Home, taken: list[Path], at: datetime, *, json_: bool) -> None:
    from cityid import limits
    from cityid.did import webvh
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.errors import Misuse

    from . import did_history, papers

    file, beside = here.path("did", "proposed.jsonl"), here.path("did", "did-witness.json")
    if not file.exists():
        raise Misuse("did.nothing_waits")
    log = files.read_home_file(file, limits.WEBVH_LOG)
    proofs = files.read_home_file(beside, limits.WEBVH_LOG) if beside.exists() else b""
    moment = at + timedelta(minutes=1)
    for one in taken:
        word = files.read(one)
        with papers.expected(word, "witness proof"):
            json.read_object(word)
            proofs = webvh.with_proof(proofs, word, log, moment)
    # Kept until there are enough: nobody is asked twice. Words for what is not published harm nothing.
    files.write(beside, proofs, force=True)
    last = webvh.read_log(log, moment).last
    asked = last.witnesses
    spoken = webvh.spoken(webvh.read_log(log, moment), webvh.read_proofs(proofs))
    count = sum(1 for key in (asked.keys if asked else ()) if spoken.get(key, 0) >= last.number)
    if asked is not None and count < asked.threshold:
        talk.say(f"{count} of {asked.threshold} have signed; the change is not in force yet.")
        done = False
    else:
        done = did_history.settle(here, log, proofs, at)
    if json_:
        talk.give({"did": last.did, "versionId": last.id, "signed": count, "published": done})
    elif done:
        talk.out(last.id)
