"""A real PostgreSQL server for tests: made in a temporary folder, reached by a socket in it, gone with the test run.

With a memory file system under it (`/dev/shm`), nothing is given up for speed: it is as durable as its settings say.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

VERSIONS = range(18, 12, -1)
_NAMES = itertools.count(1)


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; Debian keeps them apart from other commands."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += [Path(f"/usr/lib/postgresql/{version}/bin") for version in VERSIONS]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _somebody_else() -> str | None:
    """PostgreSQL does not run as root; another user must do it then."""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


def _bury(folder: Path, binaries: Path, user: str | None) -> None:
    """End the server of a test run that was killed itself."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        os.kill(int(folder.name.split("-")[2]), 0)
        return
    with contextlib.suppress(OSError, RuntimeError):
        Server(folder, user, binaries).end()


@dataclass
class Server:
    """One server. `name()` is a database of its own for a test: a schema, which the connection is told to work in."""

    folder: Path
    user: str | None
    binaries: Path
    schemas: list[str] = field(default_factory=list)

    @classmethod
    def start(cls) -> Server:
        """Skips the test, with the reason, where there is no server."""
        found = binaries()
        if found is None:
            pytest.skip("no PostgreSQL server is installed here")
        user = _somebody_else() if os.geteuid() == 0 else None
        if os.geteuid() == 0 and (user is None or shutil.which("runuser") is None):
            pytest.skip("PostgreSQL does not run as root, and there is nobody else")
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        for old in Path(place or tempfile.gettempdir()).glob("cityid-pg-*"):
            _bury(old, found, user)
        # Whose it is stands in its name, so that nobody meets it before it says so.
        folder = Path(tempfile.mkdtemp(prefix=f"cityid-pg-{os.getpid()}-", dir=place))
        if user is not None:
            shutil.chown(folder, user)
        server = cls(folder, user, found)
        try:
            server.run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "city", "--no-sync", "-E", "UTF8",
                       "--locale=C")  # fmt: skip
            server.begin()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return server

    def begin(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c max_connections=200"
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "-o", options, "start"
        )

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def end(self) -> None:
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), *arguments]
        if self.user is not None:
            command = ["runuser", "-u", self.user, "--", *command]
        log = self.folder / "output"
        with log.open("ab") as output:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False, timeout=60
            )
        if done.returncode:
            raise RuntimeError(log.read_text("utf-8"))

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0])

    def freeze(self, *, stopped: bool) -> None:
        os.kill(self.pid, signal.SIGSTOP if stopped else signal.SIGCONT)

    def name(self, *, user: str = "city", more: str = "", options: str = "") -> str:
        """A new, empty database, as far as a test can see."""
        import psycopg

        schema = f"t{os.getpid()}_{next(_NAMES)}"
        with psycopg.connect(self.at("public"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}".encode())
        return self.at(schema, user=user, more=more, options=options)

    def at(self, schema: str, *, user: str = "city", more: str = "", options: str = "") -> str:
        path = quote(f"-csearch_path={schema} {options}".rstrip())
        return f"postgresql:///postgres?host={quote(str(self.folder), safe='')}&user={user}&options={path}{more}"
