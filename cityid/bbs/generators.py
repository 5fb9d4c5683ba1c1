"""Generators of messages (draft-irtf-cfrg-bbs-signatures-09 §4.1.1): made once, kept, and after some use given tables.

With a table a multiplication costs half, and a time that depends on the scalar: only scalars that everybody may know
are multiplied so (`public_sum`). Which generators get tables, and how many in all, is bounded.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Final, cast

from cityid.bbs.curve import Backend, Point, R
from cityid.bbs.suites import Interface, Suite

_SIXES: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", bytes(range(64)))
TABLES: Final = 128
"""Tables that exist at once; each has 43 rows of 64 points, about half a megabyte."""
USES: Final = 8
"""Multiplications after which a generator is worth a table, which costs as much as thirty."""
AT_ONCE: Final = 2
"""Tables made during one operation, so that none takes long."""
INTERFACES: Final = 16


class Base:
    """A fixed point, and its table when it has one."""

    __slots__ = ("octets", "point", "table", "uses")

    def __init__(self, point: Point, octets: bytes) -> None:
        self.point, self.octets = point, octets
        self.table: list[list[Point]] | None = None
        self.uses = 0


def _table(base: Base, zero: Point) -> list[list[Point]]:
    """Row i holds 0, 1, ..., 63 times 64^i times the point, the highest power first."""
    rows, power = [], base.point
    for _ in range(43):
        row = [zero]
        for _ in range(63):
            row.append(row[-1] + power)
        rows.append(row)
        power = row[-1] + power
    rows.reverse()
    return rows


class Tables:
    """How many tables there are; one for the process."""

    def __init__(self, limit: int = TABLES) -> None:
        self.left, self._lock = limit, Lock()

    def consider(self, bases: Iterable[Base], zero: Point, least: int = USES, most: int = AT_ONCE) -> None:
        """Count a use of each, and make tables for those that have been used enough, as far as bounds allow."""
        for base in bases:
            base.uses += 1
            if base.table is None and base.uses >= least and most and self._granted():
                most -= 1
                base.table = _table(base, zero)

    def _granted(self) -> bool:
        with self._lock:
            granted = self.left > 0
            self.left -= granted
        return granted


_TABLES: Final = Tables()


def public_sum(terms: Sequence[tuple[Base, int]], backend: Backend, tables: Tables = _TABLES) -> Point:
    """The sum of the products, in a time that depends on the scalars: for what verifiers know."""
    zero = backend.zero()
    tables.consider([base for base, _ in terms], zero)
    parts: list[Point] = []
    for base, scalar in terms:
        if base.table is None:
            parts.append(backend.mul(base.point, scalar % R))
        else:
            # Base64 cuts the scalar into digits of six bits; the first of 44 is always 0.
            digits = binascii.b2a_base64((scalar % R).to_bytes(33, "big"), newline=False).translate(_SIXES)
            parts += [row[digit] for row, digit in zip(base.table, digits[1:], strict=True)]
    return sum(parts, zero)


def secret_sum(terms: Iterable[tuple[Base, int]], backend: Backend, start: Point) -> Point:
    """`start` and the products, each multiplication in constant time."""
    for base, scalar in terms:
        start = start + backend.mul(base.point, scalar)
    return start


class Chain:
    """The generators of one interface, in order and made as far as they were asked for: first Q, then one a message."""

    def __init__(self, interface: Interface, prefix: bytes) -> None:
        api_id = prefix + interface.api_id
        self._suite = interface.suite
        self._seed_dst, self._dst = api_id + b"SIG_GENERATOR_SEED_", api_id + b"SIG_GENERATOR_DST_"
        self._state = self._suite.expand(api_id + b"MESSAGE_GENERATOR_SEED", self._seed_dst)
        self._bases: list[Base] = []
        self._lock = Lock()

    def take(self, count: int) -> list[Base]:
        if len(self._bases) < count:
            with self._lock:
                self._make(count)
        return self._bases[:count]

    def _make(self, count: int) -> None:
        suite = self._suite
        encode = suite.backend().octets
        for number in range(len(self._bases) + 1, count + 1):
            self._state = suite.expand(self._state + number.to_bytes(8, "big"), self._seed_dst)
            point = suite.hash_to_g1(self._state, self._dst)
            self._bases.append(Base(point, encode(point)))


@lru_cache(maxsize=INTERFACES)
def _chain(interface: Interface, prefix: bytes) -> Chain:
    return Chain(interface, prefix)


@lru_cache(maxsize=INTERFACES)
def p1(suite: Suite) -> Base:
    return Base(cast("Point", suite.backend().g1(suite.p1)), suite.p1)


def create_generators(count: int, interface: Interface, prefix: bytes = b"") -> list[Base]:
    """create_generators (§4.1.1). `prefix` is `BLIND_` for those of commitments. The caller has checked `count`."""
    return _chain(interface, prefix).take(count)


def prepare(count: int, interface: Interface, prefix: bytes = b"") -> None:
    """Make generators and tables for `count` messages beforehand, as a service does before it opens."""
    suite = interface.suite
    bases = [p1(suite), *create_generators(count + 1, interface, prefix)]
    _TABLES.consider(bases, suite.backend().zero(), least=0, most=len(bases))
