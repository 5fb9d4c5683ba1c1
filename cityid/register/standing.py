"""Taking a card back, pausing it, and making it good again: the same rules for one card and for a list of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cityid.cards import Device
from cityid.errors import Refused
from cityid.register.protocol import Batch, Register
from cityid.register.rows import Filter, Issued, State, Status

__all__ = ["OnDevice", "check", "devices", "of_device", "of_holder", "on_device", "set_standing"]


@dataclass(frozen=True, slots=True)
class OnDevice:
    """A device of a holder, as its wallet called itself, and the cards that it took. `device` is None for those of
    which no device is known."""

    device: Device | None
    rows: tuple[Issued, ...]


def of_holder(register: Register, holder: str) -> tuple[Issued, ...]:
    """All cards of the person whose key has the thumbprint `holder`: the cards with this key and, where the register
    knows a pseudonym for whoever has them, all others under it.

    Raises:
        Refused: `register.unknown_holder`.
    """
    return _of(register, holder, lambda row: Filter(subject=row.subject) if row.subject else None)


def of_device(register: Register, holder: str) -> tuple[Issued, ...]:
    """All cards on the device that has this key; other devices of the same person keep theirs.

    Raises:
        Refused: `register.unknown_holder`.
    """
    return _of(register, holder, lambda row: Filter(device=row.device, subject=row.subject) if row.device else None)


def devices(rows: Iterable[Issued]) -> tuple[OnDevice, ...]:
    """The devices that took these cards, in the order they first did. What no wallet took yet is on none."""
    found: dict[str, list[Issued]] = {}
    for row in rows:
        if row.state is State.ISSUED:
            found.setdefault(row.device, []).append(row)
    return tuple(OnDevice(Device.of(text) if text else None, tuple(theirs)) for text, theirs in found.items())


def on_device(rows: Iterable[Issued], named: str) -> tuple[Issued, ...]:
    """Of the cards of one holder, those on the device that has this name, or whose id begins so.

    Raises:
        Refused: `register.unknown_device`, `register.several_devices`.
    """
    known = [one for one in devices(rows) if one.device is not None]
    fits = [one for one in known if one.device and (one.device.name == named or one.device.id.startswith(named))]
    if not fits:
        names = ", ".join(dict.fromkeys(one.device.name for one in known if one.device)) or "none"
        raise Refused("register.unknown_device", device=named, known=names)
    if len(fits) > 1:
        raise Refused("register.several_devices", device=named, count=len(fits))
    return fits[0].rows


def _of(register: Register, holder: str, more: Callable[[Issued], Filter | None]) -> tuple[Issued, ...]:
    found = {row.number: row for row in register.rows(holder=holder)}
    if not found:
        raise Refused("register.unknown_holder", holder=holder)
    for row in tuple(found.values()):
        where = more(row)
        if where is not None:
            found |= {other.number: other for other in register.rows(where=where)}
    return tuple(found[number] for number in sorted(found))


def check(row: Issued, value: Status) -> None:
    """This row can get this status. What was not signed yet can be revoked, and nothing else.

    Raises:
        Refused: `register.wrong_state`, `register.no_status`, `register.revoked_for_good`, `register.not_suspended`.
    """
    if row.state is not State.ISSUED:
        if row.state is State.WITHDRAWN or value is not Status.INVALID:
            raise Refused("register.wrong_state", number=row.number, state=row.state.value, wanted=value.name.lower())
        return
    if not row.status:
        raise Refused("register.no_status", number=row.number)
    if row.standing == Status.INVALID and value is not Status.INVALID:
        raise Refused("register.revoked_for_good", spec="Token Status List §7.1")
    if value is Status.VALID and row.standing != Status.SUSPENDED:
        raise Refused("register.not_suspended", number=row.number)


def set_standing(
    batch: Batch, rows: Sequence[Issued], value: Status, why: str, by: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give all `rows` this status, or none of them: the numbers of those that changed, and of those that had it. What
    was not signed yet is withdrawn.

    Raises:
        Refused: as `check`, `Batch.set_status`.
    """
    for row in rows:
        check(row, value)
    had = tuple(row.number for row in rows if row.state is State.ISSUED and set(row.values) == {value})
    for row in rows:
        if row.state is not State.ISSUED:
            batch.withdraw(row.number, why)
    refs = [ref for row in rows if row.state is State.ISSUED for ref in row.status]
    batch.set_status(refs, value, why, by)
    return tuple(row.number for row in rows if row.number not in had), had
