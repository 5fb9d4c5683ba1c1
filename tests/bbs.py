"""What the tests of BBS share: the drafts' mocked randomness, and a second backend as an oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from cityid.bbs.suites import SHA_256, SHAKE_256, Suite
from tests.vectors import load, vectors

pytest.importorskip("pyblst", reason="the extra `bbs` is not installed")

FOLDERS = {"bls12-381-sha-256": SHA_256, "bls12-381-shake-256": SHAKE_256}


def mocked(suite: Suite, seed: bytes, dst: bytes, count: int) -> Callable[[int], bytes]:
    """seeded_random_scalars: the drafts' scalars one by one, then others (an implementation may draw more)."""
    raw = suite.expand(seed, dst, 48 * count)
    parts = [raw[start : start + 48] for start in range(0, len(raw), 48)]
    number = 0

    def entropy(length: int) -> bytes:
        nonlocal number
        number += 1
        return parts.pop(0) if parts else number.to_bytes(length, "big")

    return entropy


def octets(text: str) -> bytes:
    """Hex; the fixtures of pseudonyms drop leading zeros of scalars."""
    return bytes.fromhex(text.zfill(len(text) + len(text) % 2))


def scalar(text: str) -> bytes:
    return bytes.fromhex(text.zfill(64))


def all_octets(texts: Sequence[str] | None) -> list[bytes]:
    return [octets(text) for text in texts or ()]


@cache
def cases(topic: str) -> dict[str, tuple[Suite, Any]]:
    """Every file of a topic, by its path without `.json`."""
    folder = vectors(topic)
    return {
        str(path.relative_to(folder).with_suffix("")): (
            FOLDERS.get(path.relative_to(folder).parts[0], SHA_256),
            load(path),
        )
        for path in sorted(folder.rglob("*.json"))
    }


def named(topic: str, part: str) -> list[str]:
    return [name for name in cases(topic) if f"/{part}/" in f"/{name}/"]


class Arkworks:
    """py-arkworks-bls12381. Not constant-time, and its decoding takes infinity in several forms: an oracle, no more."""

    def __init__(self) -> None:
        self.lib: Any = pytest.importorskip("py_arkworks_bls12381", reason="the oracle is not installed")

    def _read(self, group: Any, octets: bytes) -> Any:
        try:
            point = group.from_compressed_bytes(octets)
        except ValueError:
            return None
        return point if bytes(point.to_compressed_bytes()) == octets else None

    def g1(self, octets: bytes) -> Any:
        return self._read(self.lib.G1Point, octets)

    def g2(self, octets: bytes) -> Any:
        return self._read(self.lib.G2Point, octets)

    def zero(self) -> Any:
        return self.lib.G1Point.identity()

    def octets(self, point: Any) -> bytes:
        return bytes(point.to_compressed_bytes())

    def mul(self, point: Any, scalar: int) -> Any:
        return point * self.lib.Scalar.from_be_bytes(scalar.to_bytes(32, "big"))

    def hash_to_g1(self, message: bytes, dst: bytes) -> Any:
        return self.lib.G1Point.hash_to_curve(message, dst)

    def same_pairing(self, a: Any, b: Any, c: Any, d: Any) -> bool:
        return bool(self.lib.GT.pairing(a, b) == self.lib.GT.pairing(c, d))


@cache
def arkworks() -> Arkworks:
    return Arkworks()


def beside(suite: Suite) -> Suite:
    """The same suite on the oracle."""
    return replace(suite, backend=arkworks)


def signed_by(case: Any, name: str) -> tuple[bytes, list[bytes]]:
    """Header and messages that the signature of a core case is over: those of the valid case it was made from. A case
    that must fail changes one of these, and tells the values on the way from before the change."""
    _, first = cases("bbs")[f"{name.split('/')[0]}/signature/signature001"]
    _, messages = cases("bbs")["messages"]
    if case["result"]["valid"]:
        return octets(case["header"]), all_octets(case["messages"])
    single = "single message signature" in case["caseName"]
    return octets(first["header"]), all_octets(messages[:1] if single else messages)


def mocked_for(case: Any, what: str, suite: Suite, count: int) -> Callable[[int], bytes]:
    """The mocked scalars of a case of blind signatures or pseudonyms."""
    given = case["mockRngParameters"]
    return mocked(suite, given["SEED"].encode(), given[what]["DST"].encode(), count)


def scalars_of(traced: Any) -> list[str]:
    """The random scalars of a proof in the order in which they are drawn; pseudonyms spell some names their own way."""
    drawn = {name.lower(): text for name, text in traced.items()}
    first = [drawn[name] for name in ("r1", "r2", "e_tilde", "r1_tilde", "r3_tilde")]
    return [text.zfill(64) for text in (*first, *drawn["m_tilde_scalars"])]
