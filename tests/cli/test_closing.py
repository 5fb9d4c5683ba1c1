"""A command closes every store that it opened, however it ends."""

from __future__ import annotations

import shlex
import sqlite3

import pytest

from cityid.edge import sqlite
from tests.cli.towns import Town

pytestmark = pytest.mark.kdf


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


@pytest.mark.parametrize(
    ("command", "secret", "status", "stores"),
    [
        ("init city {}", True, 0, 2),
        ("init wallet {}", True, 0, 2),
        ("init service {} --audience x509_san_dns:bar.example", False, 0, 1),
        ("--home city issue residency --claims ada.json --yes -o {}", True, 0, 2),
        ("--home city issue parking-permit --claims ada.json --yes -o {}", True, 1, 2),
        ("--home ada wallet list", True, 0, 1),
        ("--home ada wallet show no-such-card", True, 1, 1),
        ("--home library request --policy library/policies/card.toml -o {}", False, 0, 1),
        ("--home library verify ada.json --session no-such-session", False, 1, 1),
    ],
)
def test_closed(
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    secret: bool,
    status: int,
    stores: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made: list[sqlite3.Connection] = []
    connect = sqlite.connect

    def keep(uri: str) -> sqlite3.Connection:
        made.append(connect(uri))
        return made[-1]

    monkeypatch.setattr(sqlite, "connect", keep)
    place = shlex.quote(str(tmp_path_factory.mktemp("made") / "new"))
    said, ended = town.type(command.format(place), secret=secret)
    assert ended == status, said
    assert [is_open(each) for each in made] == [False] * stores, said
