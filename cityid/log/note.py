"""Signed notes (C2SP signed-note): a text and signature lines, of which only those by known keys count.

Written and checked here are Ed25519 signatures (type 0x01). Signatures of other types are by keys that nobody here
knows, and are passed over as the specification says.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from cityid import limits
from cityid.encoding import base64url
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import Algorithm, PublicKey, Signer

__all__ = ["DASH", "ED25519", "ID", "NamedKey", "Note", "Signature", "Verifier", "check_name", "read", "sign"]

ED25519: Final = 0x01
"""The type of an Ed25519 signature."""
SPEC: Final = "C2SP signed-note"
DASH: Final = "\u2014 "
"""How a signature line begins."""
ID: Final = 4
"""Bytes of a key's id."""
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class NamedKey:
    """An Ed25519 key under its name, and the text by which people hand it on: `name+id+key`, a vkey. `KIND` is the type
    of what it signs."""

    KIND: ClassVar[int]
    name: str
    key: PublicKey

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.key.algorithm is not Algorithm.EDDSA:
            raise Malformed("note.key_type", spec=SPEC, kind=self.key.algorithm.value)

    @property
    def id(self) -> bytes:
        """SHA-256(name || 0x0A || type || key), its first four bytes."""
        return hashlib.sha256(self.name.encode("utf-8") + b"\n" + bytes([self.KIND]) + self.key.raw).digest()[:ID]

    def write(self) -> str:
        """The vkey."""
        key = base64.b64encode(bytes([self.KIND]) + self.key.raw).decode("ascii")
        return f"{self.name}+{self.id.hex()}+{key}"

    @classmethod
    def read(cls, text: str, where: str = "") -> Self:
        """A vkey.

        Raises:
            Malformed: `note.vkey`, `note.name`, `note.key_type`, `note.vkey_hash` and what a key can be wrong in.
        """
        name, id_, key = _read_vkey(text, cls.KIND, where)
        found = cls(name, PublicKey(Algorithm.EDDSA, key))
        if found.id != id_:
            raise Malformed("note.vkey_hash", where=where, spec=SPEC, found=id_.hex(), expected=found.id.hex())
        return found


class Verifier(NamedKey):
    """What a note is checked with, and what a log is known by."""

    __slots__ = ()
    KIND = ED25519


def _read_vkey(text: str, kind: int, where: str = "") -> tuple[str, bytes, bytes]:
    """The parts of a vkey whose key is of this type: name, id, key.

    Raises:
        Malformed: `note.vkey`, `note.name`, `note.key_type`, `base64.*`.
    """
    name, *rest = text.split("+", 2)
    if len(rest) != 2 or not re.fullmatch(r"[0-9a-f]{8}", rest[0]):
        raise Malformed("note.vkey", where=where, spec=SPEC)
    typed = base64url.decode_standard(rest[1], where)
    check_name(name, where)
    if typed[:1] != bytes([kind]):
        raise Malformed("note.key_type", where=where, spec=SPEC, kind=f"0x{typed[:1].hex()}")
    return name, bytes.fromhex(rest[0]), typed[1:]


def check_name(name: str, where: str = "") -> str:
    """A key's name: not empty, no space of Unicode, no plus.

    Raises:
        Malformed: `note.name`.
    """
    if (
        not name
        or "+" in name
        or len(name) > limits.LABEL
        or any(char.isspace() or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp", "Zs") for char in name)
    ):
        raise Malformed("note.name", where=where, spec=SPEC, name=name)
    return name


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: by whom, it says, and the bytes behind the key's id."""

    name: str
    id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text, ending in a line's end, and its signature lines; nothing is checked yet."""

    text: str
    signatures: tuple[Signature, ...]

    def check(self, verifiers: Iterable[Verifier]) -> tuple[Verifier, ...]:
        """Who of `verifiers` signed it: all who claim to, and at least one. A known name with an unknown id, or an
        unknown name with a known id, is somebody else.

        Raises:
            Refused: `note.signature_invalid`, `note.unsigned`.
        """
        known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
        found: dict[Verifier, None] = {}
        message = self.text.encode("utf-8")
        for signature in self.signatures:
            verifier = known.get((signature.name, signature.id))
            if verifier is None:
                continue
            try:
                verifier.key.verify(signature.value, message)
            except Refused:
                raise Refused("note.signature_invalid", spec=SPEC, name=verifier.name) from None
            found[verifier] = None
        if not found:
            raise Refused("note.unsigned", spec=SPEC)
        return tuple(found)


def read(data: bytes) -> Note:
    """A signed note. The text ends at the last empty line, so it may have empty lines of its own.

    Raises:
        Malformed: `note.too_large`, `note.not_utf8`, `note.control`, `note.shape`, `note.signature_line`, `note.name`,
            `note.too_many`.
    """
    if len(data) > limits.NOTE:
        raise Malformed("note.too_large", spec=SPEC, limit=limits.NOTE)
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("note.not_utf8", spec=SPEC) from None
    if _CONTROL.search(whole):
        raise Malformed("note.control", spec=SPEC)
    text, gap, lines = whole.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise Malformed("note.shape", spec=SPEC)
    signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > limits.NOTE_SIGNATURES:
        raise Malformed("note.too_many", spec=SPEC, count=len(signatures), limit=limits.NOTE_SIGNATURES)
    return Note(text + "\n", signatures)


def _signature(line: str) -> Signature:
    name, gap, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not gap:
        raise Malformed("note.signature_line", spec=SPEC)
    check_name(name)
    try:
        value = base64url.decode_standard(encoded)
    except Malformed:
        raise Malformed("note.signature_line", spec=SPEC) from None
    if len(value) <= ID:
        raise Malformed("note.signature_line", spec=SPEC)
    return Signature(name, value[:ID], value[ID:])


def sign(text: str, name: str, signer: Signer, *more: Signer) -> bytes:
    """`text` as a note that is signed under one name: with one key, or while keys are changed with several.

    Raises:
        Misuse: `keys.wrong_kind`, for a key that is not Ed25519; `note.text`, for a text that cannot be a note's.
        Malformed: `note.name`.
        Unavailable: `keys.unavailable`.
    """
    for one in (signer, *more):
        if one.public_key.algorithm is not Algorithm.EDDSA:
            raise Misuse("keys.wrong_kind", algorithm=one.public_key.algorithm.value)
    if not text.endswith("\n") or _CONTROL.search(text):
        raise Misuse("note.text", spec=SPEC)
    message = text.encode("utf-8")
    lines = []
    for one in (signer, *more):
        value = base64.b64encode(Verifier(name, one.public_key).id + one.sign(message)).decode("ascii")
        lines.append(f"{DASH}{name} {value}\n")
    return message + f"\n{''.join(lines)}".encode()
