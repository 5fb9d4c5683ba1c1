"""E15: a session at the command line whose passphrases, keys and claims are known, with everything that its programs
execute, write and send recorded by strace. A passphrase and a key are nowhere; a claim is in the papers that carry it,
and said to the person who typed it, but in no store, log, argument, environment, core or traceback."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.towns import ALWAYS, POLICY
from tests.soak import wallet_faults
from tests.soak.core import HERE, Place, Tally, environment

PASSPHRASE = "kanarie passwoord 7391 heliotroop"
ANOTHER = "tweede kanarie 5528 saffraan"
CLAIM = "Kanarienvogelgasse"
NAME = "Zaphira-Kanari"
ADA = f"""{{"given_name": "{NAME}", "family_name": "Lovelace", "birthdate": "1990-12-10",
"address": {{"street_address": "{CLAIM}", "house_number": "7", "locality": "Lindau", "country": "DE"}},
"municipality": {{"code": "09776116", "name": "Lindau"}}, "resident_since": "2011-02-03"}}
"""
PAPERS = (".offer", ".request", ".cards", ".answer", ".json", ".tmp")
"""Names of files that carry claims on purpose; the last is what they are called before they are whole."""
SHOW = [word for claim in ("age_over_18", "address.locality", *ALWAYS) for word in ("--show", claim)]
FAULT = """
import secrets, sys
def fault(*_):
    note = {claim!r}
    raise ZeroDivisionError({claim!r})
if "present" in sys.argv:
    secrets.token_bytes = fault
"""


@dataclass
class Session:
    """Commands, one after the other, and what was seen of them."""

    folder: Path
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        kept = environment(HOME=str(self.folder), TMPDIR=str(self.folder / "tmp"), PYTHONFAULTHANDLER="1", NO_COLOR="1")
        return {name: value for name, value in kept.items() if not name.startswith("CITYID_HOME")}

    def type(self, *words: str, secrets: Sequence[str] = (), status: int = 0, **env: str) -> None:
        """One command; each of `secrets` comes through a pipe of its own, numbered in the words as {0}, {1}."""
        log = self.folder.parent / f"{self.folder.name}.strace"
        pipes = []
        for secret in secrets:
            read, write = os.pipe()
            os.write(write, secret.encode() + b"\n")
            os.close(write)
            pipes.append(read)
        given = [word.format(*pipes) for word in words]
        command = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-v", "-s", "100000", "-o", str(log)]
        command += ["-e", "trace=execve,write,pwrite64,writev,sendto,sendmsg", "-e", "signal=none"]
        done = subprocess.run(
            [*command, sys.executable, "-X", "dev", "-m", "cityid._cli", *given], cwd=self.folder, check=False,
            env={**self.env, **env}, pass_fds=pipes, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        )  # fmt: skip
        for pipe in pipes:
            os.close(pipe)
        name = " ".join(word for word in words if not word.startswith("{"))
        self.seen += [(f"{name}: {place}", line) for place, line in _calls(log.read_bytes())]
        self.seen += [(f"{name}: stderr", done.stderr), (f"{name}: stdout", done.stdout)]
        log.unlink()
        if done.returncode != status:
            self.failed.append(f"{name}: {done.returncode}: {done.stderr.decode()[-300:]}")

    def files(self) -> None:
        self.seen += [(str(path.relative_to(self.folder)), path.read_bytes())
                      for path in sorted(self.folder.rglob("*")) if path.is_file()]  # fmt: skip


def _calls(log: bytes) -> list[tuple[str, bytes]]:
    """Where each call wrote to, or `exec`, and the whole line."""
    found = []
    for line in log.splitlines():
        if b" execve(" in line:
            found.append(("exec", line))
        elif place := re.match(rb"^\d+ +\w+\(\d+<([^>]*)>", line):
            found.append((place[1].decode(errors="replace"), line))
    return found


def run(tally: Tally, place: Place) -> None:
    if lacking := wallet_faults.traces():
        tally.lack(lacking)
        return
    session = Session(place.sub("session"))
    (session.folder / "tmp").mkdir()
    tally.ask("commands", 17 if place.long else 7)
    lived(session, tally, long=place.long)
    session.files()
    tally.wrong(*session.failed, *leaks(session))
    if place.long:
        tally.ask("crashes")
        tally.wrong(*crash(session))
        tally.did("crashes")


def lived(session: Session, tally: Tally, *, long: bool) -> None:
    (session.folder / "ada.json").write_text(ADA)

    def type_(*words: str, secret: str = PASSPHRASE, status: int = 0, **env: str) -> None:
        session.type(*words, "--passphrase-fd", "{0}", secrets=[secret], status=status, **env)
        tally.did("commands")

    def plain(*words: str, status: int = 0) -> None:
        session.type(*words, status=status)
        tally.did("commands")

    city = ("--did", "did:web:id.lindau.example", "--name", "Stadt Lindau", "--country", "DE")
    trust = ["trust", "add", "--did", "did:web:id.lindau.example", "--document", "city/did.json", "--name", "Stadt"]
    trust += ["--status", "none", "--type", "residency"]
    type_("init", "city", "city", *city, "--jurisdiction", "DE-BY")
    type_("init", "wallet", "ada")
    plain("--home", "ada", *trust)
    type_("--home", "city", "issue", "residency", "--claims", "ada.json", "--yes", "-o", "a.offer")
    type_("--home", "ada", "accept", "a.offer", "--yes", "-o", "a.request")
    type_("--home", "city", "issue", "--answer", "a.request", "-o", "a.cards")
    type_("--home", "ada", "accept", "a.cards")
    if not long:
        return
    plain("init", "service", "library", "--audience", "x509_san_dns:library.example", "--name", "Stadtbibliothek")
    plain("--home", "library", *trust)
    (session.folder / "library/policies/card.toml").write_text(POLICY)
    plain("--home", "library", "request", "--policy", "library/policies/card.toml", "-o", "q.json")
    type_("--home", "ada", "present", "q.json", "--yes", *SHOW, "-o", "q.answer")
    plain("--home", "library", "verify", "q.answer", "--session", "q.json")
    type_("--home", "ada", "wallet", "history")
    type_("--home", "ada", "wallet", "history", secret=ANOTHER, status=1)
    plain("--home", "city", "register", "list")
    site = session.folder / "tmp" / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(FAULT.format(claim=CLAIM[::-1]))
    type_("--debug", "--home", "ada", "present", "q.json", "--yes", *SHOW, "-o", "r.answer", status=70,
          PYTHONPATH=f"{site}:{HERE}")  # fmt: skip
    session.type("--home", "ada", "wallet", "passphrase", "--passphrase-fd", "{0}", "--new-fd", "{1}",
                 secrets=[PASSPHRASE, ANOTHER])  # fmt: skip
    tally.did("commands")


def variants(canary: bytes) -> list[bytes]:
    """As it is, as strace escapes it, in hexadecimal, and in base64 wherever it may begin."""
    found = [canary, canary.hex().encode()]
    for shift in range(3):
        coded = base64.urlsafe_b64encode(bytes(shift) + canary).rstrip(b"=")
        inner = coded[(shift * 8 + 5) // 6 : len(coded) - 1]
        found += [inner, inner.replace(b"-", b"+").replace(b"_", b"/")]
    return [one for one in found if len(one) > 8]


def keys(folder: Path) -> list[bytes]:
    """The private keys of the city, as bytes."""
    from cityid.edge.software_keys import FileKeyring

    ring = FileKeyring.open(folder / "city" / "keys.sealed", PASSPHRASE)
    return list(ring._secrets.values())


def leaks(session: Session, secrets: Sequence[bytes] = ()) -> list[str]:
    """Where a canary was seen that must not be there."""
    private = [PASSPHRASE.encode(), ANOTHER.encode(), *(secrets or keys(session.folder))]
    never = {one for canary in private for one in variants(canary)}
    claims = {one for canary in (CLAIM.encode(), NAME.encode(), CLAIM[::-1].encode()) for one in variants(canary)}
    found = []
    for place, content in session.seen:
        if any(one in content for one in never):
            found.append(f"a secret in {place}")
        elif not _paper(place) and any(one in content for one in claims):
            found.append(f"a claim in {place}")
    return found


def _paper(place: str) -> bool:
    """What is meant to carry claims: papers, what is said to whoever typed them, and the fault that was put there."""
    said = place.endswith((": stdout", "pipe", "sitecustomize.py")) or "pipe:" in place
    shown = place.endswith(": stderr") and (" issue " in place or " present " in place) and "--debug" not in place
    return said or shown or place.endswith(PAPERS) or "sitecustomize" in place


def crash(session: Session) -> list[str]:
    """A wallet that waits for its person is made to crash, where cores are wanted."""
    here = session.folder / "crash"
    here.mkdir()
    read, write = os.pipe()
    script = 'ulimit -c unlimited; exec "$@"'
    command = [
        sys.executable,
        "-m",
        "cityid._cli",
        "--home",
        "../ada",
        "wallet",
        "history",
        "--passphrase-fd",
        str(read),
    ]
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", *command], cwd=here, env=session.env, pass_fds=[read], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(read)
    os.write(write, ANOTHER.encode()[:9])
    time.sleep(1.5)  # it reads its passphrase, which has not ended
    process.send_signal(signal.SIGSEGV)
    _, said = process.communicate(timeout=30)
    os.close(write)
    found = [f"it left {path.name}" for path in here.iterdir()]
    if process.returncode != -signal.SIGSEGV:
        found.append(f"it did not crash: {process.returncode}")
    return found + (["a secret in what a crash says"] if ANOTHER.encode()[:9] in said else [])


def catches(place: Place) -> list[str]:
    """A canary in an argument, an environment, a store, a log, and coded in a paper."""
    cases: dict[str, tuple[str, Any]] = {
        "a passphrase as an argument": ("x: exec", f'1 execve("/x", ["x", "{PASSPHRASE}"], 0x1)'.encode()),
        "a passphrase in a paper": ("a.cards", b"x" + base64.urlsafe_b64encode(b"12" + PASSPHRASE.encode())),
        "a key in a log": ("x: /tmp/log", b"key " + bytes(range(32)).hex().encode()),
        "a claim in the register": ("city/register.sqlite", CLAIM.encode()),
        "a claim in an error": ("--debug present: stderr", b"in fault: " + CLAIM[::-1].encode()),
        "a claim in base64 in a store": ("x: /ada/wallet.db-wal", base64.b64encode(b"1" + CLAIM.encode() + b"22")),
    }
    secrets = [bytes(range(32))]
    missed = [name for name, seen in cases.items() if not leaks(Session(place.folder, [seen]), secrets)]
    well = Session(place.folder, [("a.cards", CLAIM.encode()), ("ada/wallet.db", b"nothing")])
    return missed + (["that all is well"] if leaks(well, secrets) else [])
