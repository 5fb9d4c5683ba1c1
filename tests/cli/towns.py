"""A town on disk, made by typing: a city, Ada's wallet with a card, a library with a policy."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from tests import transcripts

PASSPHRASE = "correct horse battery staple"
WITH = "--passphrase-fd 3 3<pass"
ALWAYS = ("issuing_authority", "issuing_country", "issuing_jurisdiction")
SHOW = "--yes " + " ".join(f"--show {claim}" for claim in ("age_over_18", "address.locality", *ALWAYS))
CLAIMS = """{"given_name": "Ada", "family_name": "Lovelace", "birthdate": "1990-12-10",
"address": {"street_address": "Maximilianstraße", "house_number": "7", "locality": "Lindau", "country": "DE"},
"municipality": {"code": "09776116", "name": "Lindau"}, "resident_since": "2011-02-03"}
"""
POLICY = """purpose = "library card"
[ask]
type = "residency"
claims = ["age_over_18", "address.locality"]
[accept]
"age_over_18" = true
"address.locality" = ["Lindau", "Bregenz"]
[trust]
list = "trust/issuers.toml"
"""


@dataclass
class Town:
    folder: Path
    shell: transcripts.Shell = field(init=False)
    questions: int = 0
    shown: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.shell = transcripts.new_shell(self.folder)
        self.write("pass", PASSPHRASE + "\n")
        self.write("ada.json", CLAIMS)

    @property
    def here(self) -> Path:
        return self.shell.folder

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.here / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def type(self, command: str, *, secret: bool = False) -> tuple[str, int]:
        """What `cityid COMMAND` says on both streams, and its exit status."""
        return self.shell.run(f"cityid {command}{' ' + WITH if secret else ''}")

    def apart(self, command: str, *, secret: bool = False) -> tuple[str, str, int]:
        """stdout, stderr and exit status."""
        self.write("stdout", b"")
        self.write("stderr", b"")
        _, status = self.type(f"{command} >stdout 2>stderr", secret=secret)
        return (self.here / "stdout").read_text("utf-8"), (self.here / "stderr").read_text("utf-8"), status

    def must(self, command: str, *, secret: bool = False) -> str:
        said, status = self.type(command, secret=secret)
        assert status == 0, f"{command}: {status}\n{said}"
        return said

    # -- the walk --

    def found(self) -> Town:
        city = "--did did:web:id.lindau.example --name 'Stadt Lindau' --country DE --jurisdiction DE-BY"
        self.must(f"init city city {city}", secret=True)
        self.must("init wallet ada", secret=True)
        self.must("init service library --audience x509_san_dns:library.example --name Stadtbibliothek")
        for home in ("ada", "library"):
            self.trusts(home)
        self.write("library/policies/card.toml", POLICY)
        return self

    def trusts(self, home: str, name: str = "Stadt Lindau") -> None:
        entry = f"--did did:web:id.lindau.example --document city/did.json --name {shlex.quote(name)} --status none"
        self.must(f"--home {home} trust add {entry} --type residency --type age")

    def takes(self, kind: str = "residency", claims: str = "ada.json", home: str = "ada") -> None:
        self.must(f"--home city issue {kind} --claims {claims} --yes -o {kind}.offer --force", secret=True)
        self.must(f"--home {home} accept {kind}.offer --yes -o {kind}.request --force", secret=True)
        self.must(f"--home city issue --answer {kind}.request -o {kind}.cards --force", secret=True)
        self.must(f"--home {home} accept {kind}.cards", secret=True)

    def asks(self, policy: str = "card") -> str:
        self.questions += 1
        name = f"q{self.questions}"
        self.must(f"--home library request --policy library/policies/{policy}.toml -o {name}.json")
        return name

    def shows(self, name: str, show: str = SHOW, home: str = "ada") -> str:
        self.shown += 1
        if self.shown % 5 == 0:  # before the copies of a card run out
            self.takes()
        return self.must(f"--home {home} present {name}.json {show} -o {name}.answer", secret=True)

    def answered(self, policy: str = "card") -> str:
        name = self.asks(policy)
        self.shows(name)
        return name

    def judge(self, name: str, more: str = "") -> tuple[str, int]:
        return self.type(f"--home library verify {name}.answer --session {name}.json {more}".rstrip())
