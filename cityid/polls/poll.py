"""What is asked, who may answer, and when. A poll is its content: its name, and so each pseudonym in it, is made of all
that it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from cityid.did import parse_url
from cityid.encoding import base64url, jcs, json, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed
from cityid.keys import Algorithm, PublicKey, multikey
from cityid.polls.voice import roll_day

AGES: Final = (0, 16, 18)
_OPTIONS: Final = 100
_TEXT: Final = 500
_KEYS: Final = 10


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll. `age` is 0, 16 or 18; `district` is None for the whole municipality; `keys` are the city's BBS keys by
    DID URL, so that whoever counts again needs no network.

    Raises:
        Malformed: `polls.options`, `polls.age`, `polls.period`, `polls.roll_day`, `polls.keys`.
    """

    question: str
    options: tuple[str, ...]
    issuer: str
    municipality: str
    district: str | None
    age: int
    roll_day: date
    opens: datetime
    closes: datetime
    keys: Mapping[str, PublicKey]

    def __post_init__(self) -> None:
        texts = (self.question, *self.options)
        short = all(0 < len(text) <= _TEXT and text.isprintable() for text in texts)
        if not short or not 2 <= len(set(self.options)) == len(self.options) <= _OPTIONS:
            raise Malformed("polls.options", where="$.options", limit=_OPTIONS, length=_TEXT)
        if self.age not in AGES:
            raise Malformed("polls.age", where="$.age", age=self.age)
        if not self.opens < self.closes:
            raise Malformed("polls.period", where="$.closes")
        start = datetime.combine(self.roll_day, time(), UTC)
        if self.roll_day != roll_day(start) or start > self.opens:
            raise Malformed("polls.roll_day", where="$.roll_day", roll_day=self.roll_day.isoformat())
        ours = all(
            key.algorithm is Algorithm.BBS and str(parse_url(name)[0]) == self.issuer for name, key in self.keys.items()
        )
        if not ours or not 0 < len(self.keys) <= _KEYS:
            raise Malformed("polls.keys", where="$.keys", issuer=self.issuer)

    @property
    def claims(self) -> tuple[str, ...]:
        """What a vote shows, and all that it shows."""
        district = ("district_code",) if self.district is not None else ()
        age = (f"age_over_{self.age}",) if self.age else ()
        return ("municipality_code", *district, *age, "voice_since")

    @property
    def id(self) -> str:
        """SHA-256 of the poll in canonical form (RFC 8785), base64url."""
        return base64url.encode(hashlib.sha256(jcs.canonical(self.members())).digest())

    @property
    def domain(self) -> str:
        """What pseudonyms of this poll are made for."""
        return f"urn:cityid:poll:{self.id}"

    def members(self) -> dict[str, Any]:
        """The poll as JSON."""
        district = {} if self.district is None else {"district": self.district}
        return {
            "question": self.question,
            "options": list(self.options),
            "issuer": self.issuer,
            "municipality": self.municipality,
            **district,
            "age": self.age,
            "roll_day": self.roll_day.isoformat(),
            "opens": times.stamp(self.opens),
            "closes": times.stamp(self.closes),
            "keys": {name: multikey.write(key) for name, key in self.keys.items()},
        }

    def write(self) -> bytes:
        """The file of the poll."""
        return json.write(self.members())


_MEMBERS: Final = (
    "question", "options", "issuer", "municipality", "district", "age", "roll_day", "opens", "closes", "keys",
)  # fmt: skip


def read(data: bytes) -> Poll:
    """The poll in a file.

    Raises:
        Malformed: `json.*`, `time.*`, `did.*`, `key.*`, `multibase.*`, and those of `Poll`.
        Unavailable: `install.extra`.
    """
    return of_members(json.read_object(data), "$")


def of_members(value: Any, where: str) -> Poll:
    """The poll in a JSON object. Raises as `read`."""
    fields = Fields(value, where)
    fields.only(_MEMBERS)
    keys = fields.fields("keys")
    return Poll(
        fields.text("question"),
        tuple(fields.texts("options")),
        fields.text("issuer"),
        fields.text("municipality"),
        fields.optional_text("district"),
        fields.integer("age"),
        times.read_date(fields.text("roll_day"), fields.at("roll_day")),
        times.read_stamp(fields.text("opens"), fields.at("opens")),
        times.read_stamp(fields.text("closes"), fields.at("closes")),
        {name: multikey.read(keys.text(name), keys.at(name)) for name in keys.value},
    )
