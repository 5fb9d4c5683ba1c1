"""did:webvh with software by others: each writes histories, each reads those of the others, and refuses what is wrong
with them. What a peer cannot do stands in `GAPS`, and is shown to be so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.peers import No, Node
from tests.interop.webvh_peers import Change, Made, Npm, OpenVc, Ours, Peer, PyPi
from tests.webvh import THIEF, W1, W2, W3, A, B, C, Seeded, signed

pytestmark = pytest.mark.interop

D, E = Seeded(4), Seeded(5)
HISTORIES: dict[str, list[Change]] = {
    "one entry": [Change(A, 1, key=C)],
    "rotations": [
        Change(A, 1, key=C),
        Change(A, 2, key=D),
        Change(A, 3, update=[B]),
        Change(B, 4, key=E),
    ],
    "pre-rotation": [
        Change(A, 1, key=C, following=[B]),
        Change(B, 2, key=D, update=[B], following=[D]),
        Change(D, 3, update=[D], following=[]),
        Change(D, 4, key=E),
    ],
    "witnesses": [
        Change(A, 1, key=C, witnesses=(2, [W1, W2, W3]), words=[W1, W2]),
        Change(A, 2, key=D, words=[W2, W3]),
        Change(A, 3, witnesses=(1, [W3]), words=[W1, W3]),
        Change(A, 4, key=E, words=[W3]),
    ],
    "moved": [
        Change(A, 1, key=C, portable=True),
        Change(A, 2, place="id.bodensee.example"),
        Change(A, 3, key=D),
    ],
    "closed": [Change(A, 1, key=C), Change(A, 2, key=D), Change(A, 3, close=True)],
}


@pytest.fixture(scope="session")
def webvh_node() -> Iterator[Node]:
    made = Node("webvh.mjs")
    yield made
    made.close()


PEERS = ("didwebvh-ts", "did-webvh")
PAIRS = [("cityid", "cityid"), *((one, "cityid") for one in PEERS), *(("cityid", one) for one in PEERS)]


def marked(pair: tuple[str, str]) -> Any:
    marks = pytest.mark.interop("npm") if "didwebvh-ts" in pair else pytest.mark.interop
    return pytest.param(pair, marks=marks, id="-".join(pair))


@pytest.fixture(params=map(marked, PAIRS))
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Peer, Peer]:
    """Who writes, and who reads."""
    writer, reader = (peer(name, request, tmp_path) for name in request.param)
    return writer, reader


def peer(name: str, request: pytest.FixtureRequest, folder: Path) -> Peer:
    if name == "didwebvh-ts":
        return Npm(request.getfixturevalue("webvh_node"))
    return Ours() if name == "cityid" else PyPi(folder)


def written(by: Peer, history: str) -> Made:
    made = Made()
    for change in HISTORIES[history]:
        by.write(made, change)
    return made


@pytest.mark.parametrize("history", HISTORIES)
def test_each_reads_what_each_writes(pair: tuple[Peer, Peer], history: str) -> None:
    writer, reader = pair
    made = written(writer, history)
    assert len(made.log) == len(HISTORIES[history])
    found = reader.read(made, made.did)
    assert found["versionId"] == made.log[-1]["versionId"]
    closed = history == "closed"
    assert bool(found["deactivated"]) is closed
    if not closed:
        assert found["document"] == made.log[-1]["state"]
    for number, entry in enumerate(made.log[: -1 if closed else None], 1):
        name = entry["state"]["id"] if (reader.name, history) in GAPS else made.did
        early = reader.read(made, name, number)
        assert (early["versionId"], early["document"]) == (entry["versionId"], entry["state"])


def swapped(made: Made) -> None:
    """Another key in the document."""
    for entry in made.log[-2:-1]:
        entry["state"]["verificationMethod"][0]["publicKeyMultibase"] = THIEF.name


def dropped(made: Made) -> None:
    del made.log[1]


def stolen(made: Made) -> None:
    """Signed by somebody who may not."""
    made.log[-1] = signed(made.log[-1], THIEF)


def unsigned(made: Made) -> None:
    made.log[-1]["proof"] = made.log[-2]["proof"]


def earlier(made: Made) -> None:
    made.log[-1]["versionTime"] = made.log[0]["versionTime"]


def unwitnessed(made: Made) -> None:
    del made.proofs[-1]


def once(made: Made) -> None:
    """One witness for two."""
    made.proofs[:] = [{**made.proofs[0], "proof": made.proofs[0]["proof"][:1]}]
    del made.log[1:]


def misattributed(made: Made) -> None:
    """The words are for another entry."""
    made.proofs[-1]["versionId"] = made.log[0]["versionId"]
    del made.proofs[:-1]


DAMAGE: list[tuple[str, Callable[[Made], None]]] = [
    *(("rotations", one) for one in (swapped, dropped, stolen, unsigned, earlier)),
    *(("pre-rotation", one) for one in (swapped, stolen)),
    *(("witnesses", one) for one in (unwitnessed, once, misattributed, stolen)),
]


@pytest.mark.parametrize(("history", "damage"), DAMAGE, ids=lambda value: getattr(value, "__name__", value))
def test_each_refuses_what_is_damaged(pair: tuple[Peer, Peer], history: str, damage: Callable[[Made], None]) -> None:
    writer, reader = pair
    good = written(writer, history)
    bad = copy.deepcopy(good)
    damage(bad)
    assert reader.read(good, good.did)["document"] == good.log[-1]["state"]
    with pytest.raises(No):
        reader.read(bad, good.did)


GAPS = {
    ("did-webvh", "moved"): "an earlier version is only found under the name that it had",
}


def test_gaps_are_still_there(tmp_path: Path) -> None:
    made, peer = written(Ours(), "moved"), PyPi(tmp_path)
    with pytest.raises(No, match="did-log-id-mismatch"):
        peer.read(made, made.did, 1)
    assert peer.read(made, made.log[0]["state"]["id"], 1)["document"] == made.log[0]["state"]


ALONE = ("one entry", "rotations", "pre-rotation", "moved")


@pytest.mark.interop("long")
class TestOpenVc:
    """It reads the present of histories without witnesses, and hands out nothing of a DID that is closed."""

    @pytest.mark.parametrize("history", ALONE)
    def test_it_reads_what_we_write(self, history: str) -> None:
        made = written(Ours(), history)
        assert OpenVc().read(made, made.did)["document"] == made.log[-1]["state"]

    @pytest.mark.parametrize(("history", "words"), [("witnesses", "a witness policy"), ("closed", "is deactivated")])
    def test_it_does_not_read(self, history: str, words: str) -> None:
        made = written(Ours(), history)
        with pytest.raises(No, match=words):
            OpenVc().read(made, made.did)

    @pytest.mark.parametrize(
        ("history", "damage"),
        [one for one in DAMAGE if one[0] in ALONE],
        ids=lambda value: getattr(value, "__name__", value),
    )
    def test_it_refuses_what_is_damaged(self, history: str, damage: Callable[[Made], None]) -> None:
        made = written(Ours(), history)
        damage(made)
        with pytest.raises(No):
            OpenVc().read(made, made.did)
