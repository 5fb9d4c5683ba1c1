"""What a city's keyrings say of their keys, wherever they lie: in a file (`software_keys`) or in a token (`pkcs11`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Generic, NoReturn, TypeVar

from cityid.encoding import times
from cityid.encoding.json import Fields
from cityid.errors import Misuse, Refused
from cityid.keys import Signer
from cityid.keys.algorithms import PublicKey

__all__ = ["KeptKeys", "Record", "Use", "kept_for", "read_about", "write_about"]

Signs = TypeVar("Signs", bound=Signer)

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class Use(StrEnum):
    """What a key of a keyring is kept for. One key, one use (attack K14)."""

    ISSUER = "issuer"
    STATUS = "status"
    ROOT = "root"
    HOLDER = "holder"
    DID_UPDATE = "did-update"
    SERVICE = "service"
    LOG = "log"
    CLERK = "clerk"
    WITNESS = "witness"


@dataclass(frozen=True, slots=True)
class Record:
    """What a keyring says about a key besides the key. `not_after` is its last moment, when it has one."""

    key: PublicKey
    label: str = ""
    uses: frozenset[Use] = frozenset()
    created: datetime | None = None
    not_after: datetime | None = None

    @property
    def age(self) -> tuple[datetime, str]:
        """What puts keys in the order in which they were made; those of one moment, or of none, go by their names."""
        return self.created or _EARLIEST, self.label


class KeptKeys(ABC, Generic[Signs]):
    """Keys with what there is to say of each."""

    __slots__ = ("_records",)

    _records: dict[PublicKey, Record]

    def keys(self) -> tuple[PublicKey, ...]:
        return tuple(self._records)

    def records(self) -> tuple[Record, ...]:
        return tuple(self._records.values())

    def find(self, label: str) -> Record:
        """Raises Misuse: `keys.unknown_label`."""
        for record in self._records.values():
            if record.label == label:
                return record
        raise Misuse("keys.unknown_label", label=label)

    @abstractmethod
    def signer(self, key: PublicKey) -> Signs:
        """Raises Misuse: `keys.unknown`."""

    def signer_for(self, key: PublicKey, use: Use, at: datetime) -> Signs:
        """The signer of a key that is kept for `use` and has not ended at `at`.

        Raises:
            Refused: `key.other_use`, `key.ended`.
            Misuse: as `signer`.
        """
        signer = self.signer(key)
        record = self._records[key]
        if use not in record.uses:
            raise Refused("key.other_use", wanted=use.value, uses=" ".join(sorted(record.uses)))
        if record.not_after is not None and at > record.not_after:
            raise Refused("key.ended", thumbprint=key.thumbprint, not_after=times.stamp(record.not_after))
        return signer

    def _known(self, key: PublicKey) -> Record:
        """Raises Misuse `keys.unknown`."""
        if key not in self._records:
            raise Misuse("keys.unknown", thumbprint=key.thumbprint)
        return self._records[key]

    def _check_label(self, label: str) -> None:
        """Raises Misuse `keys.label_taken`."""
        if label and any(record.label == label for record in self._records.values()):
            raise Misuse("keys.label_taken", label=label)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise Misuse("keys.not_copied")


def kept_for(uses: Iterable[Use], *, shared: bool) -> frozenset[Use]:
    """Raises Refused: `key.several_uses` unless `shared` waives it."""
    kept = frozenset(uses)
    if len(kept) > 1 and not shared:
        raise Refused("key.several_uses", uses=" ".join(sorted(kept)))
    return kept


def write_about(record: Record) -> dict[str, Any]:
    """What there is to say of a key, as JSON."""
    about: dict[str, Any] = {"label": record.label, "uses": sorted(record.uses)}
    for name, moment in (("created", record.created), ("not_after", record.not_after)):
        if moment is not None:
            about[name] = times.stamp(moment)
    return about


def read_about(key: PublicKey, fields: Fields) -> Record:
    """Raises Malformed, ValueError: this was not written by `write_about`."""
    created, not_after = (fields.optional_text(name) for name in ("created", "not_after"))
    return Record(
        key,
        fields.text("label"),
        frozenset(map(Use, fields.texts("uses"))),
        None if created is None else times.read_stamp(created),
        None if not_after is None else times.read_stamp(not_after),
    )
