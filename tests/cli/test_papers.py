"""A file in the wrong place is told by its name, and where it goes; one in its place is read."""

from __future__ import annotations

import importlib
import json

import pytest

from cityid import polls
from cityid.did import webvh
from cityid.did.webvh import Witnesses
from cityid.encoding import json as jsons
from tests.cli.towns import WITH, Town
from tests.polls import NOW, ballot, poll, secret
from tests.polls import card as voice
from tests.webvh import W1, created, day, later

# Where the wheel has it; a checker of the tree cannot follow this name.
papers = importlib.import_module("cityid._cli.papers")
SORTS, sort_of = papers.SORTS, papers.sort_of

KEY = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"%s}'


@pytest.fixture(scope="module")
def files(town: Town) -> dict[str, str]:
    """One file of each sort, by its sort."""
    name = town.answered()
    kept = town.here / "sorts"
    kept.mkdir()
    town.must("--home city key certify root papers-root -o sorts/root.pem", secret=True)
    town.must("--home city key certify request issuer-1 -o sorts/request.csr", secret=True)
    town.must("--home city issue residency --claims ada.json --yes -o sorts/offer", secret=True)
    town.must("--home library request --policy library/policies/card.toml -o sorts/asked --session sorts/session")
    card = json.loads((town.here / "residency.cards").read_text())["credentials"][0]["credential"]
    town.must(f"--home library verify {name}.answer --session {name}.json --record sorts/record")
    query = json.loads((town.here / f"{name}.json").read_text())["dcql_query"]
    town.write("sorts/query", json.dumps(query))
    town.write("sorts/credential", card)
    town.write("sorts/key", KEY % "")
    town.write("sorts/private", KEY % ',"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"')
    town.write("sorts/keys", '{"keys":[%s]}' % (KEY % ""))
    town.write(
        "sorts/private.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    log = created(witnesses=Witnesses(1, (W1.name,))).log
    (kept / "history").write_bytes(later(log, 20))
    (kept / "proof").write_bytes(jsons.write(webvh.approve(log, W1, day(2), seen="")))
    (kept / "type").write_text(town.must("type show age --as definition"))
    (kept / "commitment").write_bytes(polls.write_commitment(secret(0)[0]))
    (kept / "voice").write_bytes(jsons.write(voice()))
    (kept / "poll").write_bytes(poll().write())
    (kept / "ballot").write_bytes(ballot())
    (kept / "ballots").write_bytes(polls.publish(poll(), [polls.check(poll(), ballot(), at=NOW)]))
    return {
        **{sort: f"sorts/{sort}" for sort in ("commitment", "voice", "poll", "ballot", "ballots")},
        "offer": "sorts/offer", "card request": "residency.request", "cards": "residency.cards",
        "request": "sorts/asked", "answer": f"{name}.answer", "session": "sorts/session", "record": "sorts/record",
        "policy": "library/policies/card.toml", "trust list": "library/trust/issuers.toml", "query": "sorts/query",
        "type": "sorts/type", "credential": "sorts/credential", "document": "city/did.json", "key set": "sorts/keys",
        "key": "sorts/key", "private key": "sorts/private", "certificate": "sorts/root.pem",
        "certificate request": "sorts/request.csr", "home file": "city/city.toml", "keyring": "city/keys.sealed",
        "store": "ada/wallet.sqlite", "history": "sorts/history", "witness proof": "sorts/proof",
    }  # fmt: skip


READS = {
    "--home library verify {} --session sorts/asked": (1, ("answer",)),
    "--home library verify sorts/record --session {}": (2, ("request", "session", "answer")),
    "verify --replay {}": (1, ("record",)),
    "inspect --replay {}": (1, ("record",)),
    f"--home ada present {{}} {WITH}": (1, ("request",)),
    f"--home ada accept {{}} {WITH}": (1, ("offer", "cards")),
    f"--home city issue --answer {{}} {WITH}": (1, ("card request",)),
    f"--home city issue residency --claims {{}} {WITH}": (1, ()),
    f"--home city issue residency --from {{}} -o misplaced {WITH}": (1, ()),
    "--home library request --policy {}": (2, ("policy",)),
    "--home library policy check {}": (2, ("policy",)),
    "--home library policy show {}": (2, ("policy",)),
    "--home library trust list --list {}": (2, ("trust list",)),
    "--home library trust add --did did:web:x.example --type age --document {}": (2, ("document",)),
    "--home library trust add --did did:webvh:Qm:x.example --type age --log {}": (2, ("history",)),
    "--home library trust sync --log {}": (1, ("history",)),
    "did log --log {}": (1, ("history",)),
    f"--home city did witness {{}} --yes {WITH}": (1, ("history",)),
    "--home library trust add --web https://x.example --type age --keys {}": (2, ("key set",)),
    "--home library trust add --root {} --type age": (2, ("certificate",)),
    "type check {}": (2, ("type",)),
    f"--home city poll enrol {{}} --claims ada.json --person p --yes -o misplaced {WITH}": (1, ("commitment",)),
    f"--home ada poll vote {{}} --voice sorts/voice --choice-from ada.json --yes -o misplaced {WITH}": (1, ("poll",)),
    f"--home ada poll vote sorts/poll --voice {{}} --choice-from ada.json --yes -o misplaced {WITH}": (1, ("voice",)),
    "poll tally {} --box sorts/box -o misplaced": (1, ("poll",)),
    "poll tally sorts/poll {} --box sorts/box -o misplaced": (1, ("ballot",)),
    "poll check {}": (1, ("ballots",)),
    f"--home city key certify issuer issuer-1 --root {{}} -o misplaced.pem {WITH}": (2, ("certificate",)),
}
"""Each place that reads a file: the exit status where it is another's, and the sorts that belong there. (An answer
carries the state of its question, and so names it.)"""


@pytest.mark.kdf
def test_every_sort_is_known_for_what_it_is(town: Town, files: dict[str, str]) -> None:
    assert files.keys() == SORTS.keys() - {"claims", "table"}
    for sort, name in files.items():
        assert sort_of((town.here / name).read_bytes()) == sort, name
    assert sort_of((town.here / "sorts/private.pem").read_bytes()) == "private key"
    link = "openid-credential-offer://?credential_offer=%7B%7D"
    assert sort_of(link.encode()) == "offer"
    for name in ("library/service.toml", "city/city.toml"):
        assert sort_of((town.here / name).read_bytes()) == "home file"


@pytest.mark.kdf
@pytest.mark.parametrize("command", READS, ids=[command.replace(WITH, "").strip() for command in READS])
def test_what_is_in_the_wrong_place(town: Town, files: dict[str, str], command: str) -> None:
    status, own = READS[command]
    for sort, name in files.items():
        if sort in own:
            continue
        said, left = town.type(command.format(name))
        assert "file.misplaced" in said, (sort, said)
        found, goes = SORTS[sort]
        assert f"this is {found}, and " in said
        assert f"hint: it goes {goes}\n" in said
        assert left == status, said
    assert not (town.here / "misplaced").exists()


@pytest.mark.kdf
def test_what_is_in_its_place_is_read(town: Town, files: dict[str, str]) -> None:
    """The command that each hint names takes the file."""
    kinds = {"URL": "https://x.example"}
    for sort in ("policy", "trust list", "type", "credential", "key set", "key", "record", "request"):
        command = SORTS[sort][1].split("`")[1].removeprefix("cityid ")
        words = [files[sort] if word == "FILE" else kinds.get(word, word) for word in command.split()]
        home = "ada" if sort == "request" else "library"
        more = " --type age" if "add" in words else ""
        said, _ = town.type(f"--home {home} {' '.join(words)}{more}", secret=sort == "request")
        assert "file.misplaced" not in said
        assert "error: " not in said or sort == "request", said  # nobody says yes without a terminal


def test_what_looks_like_nothing_is_not_guessed_at() -> None:
    for text in ("", "{", "{}", "[1]", "a,b\n1,2\n", "x = 1", "eyJ", '{"credentials": []}', '{"credentials": [1]}',
                 '{"keys": {}}', '{"session": "a", "b": 1}', "-----BEGIN X-----"):  # fmt: skip
        assert sort_of(text.encode()) is None
        assert papers.misplaced(text.encode(), "offer") is None
    assert sort_of(b"\xff\xfe") is None


def test_a_fault_of_the_right_sort_is_told_itself(town: Town) -> None:
    town.write("broken.request", '{"dcql_query": {}, "response_type": "token"}')
    said, status = town.type("--home ada present broken.request", secret=True)
    assert status == 1
    assert "request.response_type" in said
    town.write("broken.toml", 'purpose = "x"\n[ask]\ntype = "nothing"\nclaims = []\n')
    said, status = town.type("policy check broken.toml")
    assert status == 2
    assert "policy.unknown_type" in said
