"""From SQLite to PostgreSQL: every row as it stands, the log of actions among them; then life goes on there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.edge.database import PostgresRegister, PostgresSessions, SqliteSessions, StoredRegister
from cityid.edge.register_audit import audit
from cityid.edge.register_copy import SESSION_TABLES, TABLES, copy
from cityid.errors import Misuse, Unavailable
from cityid.register import Issued
from cityid.sessions import Kind, new_key
from tests import transcripts
from tests.jobs.test_register import offered
from tests.logs import AT, LATER, lived, opened, sign
from tests.postgres import Server
from tests.registers import BASE


def state(register: StoredRegister) -> list[Any]:
    return [
        list(register.rows()), list(register.events()), register.lists(), register.keys(), register.clerks(),
        register.checkpoint(), register.publication(), [register.bits(uri) for uri in register.lists()],
        [register.history(ref) for row in register.rows() for ref in row.status], register.known(["line 3"]),
    ]  # fmt: skip


@pytest.fixture
def old(tmp_path: Path) -> Any:
    with opened(tmp_path / "r.db") as register:
        lived(register)
        sign(register)
        yield register


def test_all_tables_are_known(old: StoredRegister) -> None:
    with old.sql.read() as link:
        found = {name for (name,) in link.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert found == set(TABLES)
    with SqliteSessions() as sessions, sessions.sql.read() as link:
        found = {name for (name,) in link.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert found == set(SESSION_TABLES)


def test_everything_is_the_same(old: StoredRegister, postgres: Server) -> None:
    name, key = postgres.name(), new_key()
    with SqliteSessions() as before, PostgresSessions(name) as after:
        before.put(key, b"offer", AT + timedelta(hours=1), kind=Kind.OFFER)
        with PostgresRegister(name, status_base=BASE, list_size=64) as new:
            was = state(old)
            counts = copy(old, new, (before, after), by="jo", at=LATER)
            assert counts["cards"] == len(was[0])
            assert counts["sessions"] == 1
            now = state(new)
            assert (now[1][: len(was[1])], [event.kind for event in now[1][len(was[1]) :]]) == (was[1], ["copy"])
            assert [*now[:1], *now[2:]] == [*was[:1], *was[2:]]
            assert audit(new).findings == ()
            assert after.take(key, AT, kind=Kind.OFFER) == b"offer"
            row: Issued = offered(new, "goes on")
            assert row.number not in {one.number for one in was[0]}
            assert not set(map(str, row.status)) & {str(ref) for one in was[0] for ref in one.status}


def test_only_into_an_empty_one(old: StoredRegister, postgres: Server) -> None:
    with PostgresRegister(postgres.name(), status_base=BASE) as new:
        offered(new)
        before = state(new)
        with pytest.raises(Misuse) as error:
            copy(old, new, by="jo", at=LATER)
        assert error.value.code == "register.copy_not_empty"
        assert state(new) == before


def test_all_or_nothing(old: StoredRegister, postgres: Server) -> None:
    name = postgres.name()
    with PostgresRegister(name) as new:
        with new.sql.write() as link:
            link.execute("ALTER TABLE events ADD CHECK (id < 3)")
        with pytest.raises(Unavailable) as error:
            copy(old, new, by="jo", at=LATER)
        assert error.value.code == "store.failed"
        assert list(new.rows()) == []
        with new.sql.write() as link:
            link.execute("CREATE RULE lost AS ON INSERT TO keys DO INSTEAD NOTHING")
            link.execute("ALTER TABLE events DROP CONSTRAINT events_id_check")
        with pytest.raises(Unavailable, match=r"store\.failed"):
            copy(old, new, by="jo", at=LATER)
        assert list(new.rows()) == []
        with new.sql.write() as link:
            link.execute("DROP RULE lost ON keys")
        copy(old, new, by="jo", at=LATER)
        assert list(new.rows()) == list(old.rows())


TYPED = """
$ printf 'correct horse battery staple\\n' > pass

$ cityid init city city --did did:web:id.lindau.example --passphrase-fd 3 3<pass
...

$ printf '{"birthdate": "1990-12-10"}' > ada.json

$ cityid --home city issue age --claims ada.json --yes -o ada.offer --by maria --passphrase-fd 3 3<pass
...

$ cityid --home city register copy 'NAME' --by jo
Copied 1 rows, 0 entries and ... actions. From now on this home must use them; ...
register = "..."

$ sed -i '1i register = "NAME"' city/city.toml && rm city/register.sqlite city/offers.sqlite

$ cityid --home city register copy 'NAME'
error: this home keeps its register in a database already, says city/city.toml
  register.copied_already
[exit 2]

$ cityid --home city register list
R-...  age  offered  ...  maria

$ cityid --home city issue age --claims ada.json --yes -o bob.offer --by jo --passphrase-fd 3 3<pass
...

$ cityid init wallet ada --passphrase-fd 3 3<pass
...

$ cityid --home ada trust add --did did:web:id.lindau.example --type age --status none
...

$ cityid --home ada accept ada.offer -o ada.request --yes --passphrase-fd 3 3<pass
...

$ cityid --home city issue --answer ada.request -o ada.cards --by jo --passphrase-fd 3 3<pass
...

$ cityid --home city register list
R-...  age  issued   ...  maria
R-...  age  offered  ...  jo

$ cityid init city other --did did:web:id.lindau.example --register 'OTHER' --passphrase-fd 3 3<pass
...

$ cityid --home other issue age --claims ada.json --yes -o cy.offer --by kim --passphrase-fd 3 3<pass
...

$ ls other
city.toml
did.json
keys.sealed
keys.sealed.lock
register.key
"""


def test_at_the_command_line(postgres: Server, tmp_path: Path) -> None:
    text = TYPED.replace("NAME", postgres.name()).replace("OTHER", postgres.name())
    transcripts.run(text, tmp_path, "tests/jobs/test_register_copy.py")
