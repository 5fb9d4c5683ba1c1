"""The log of actions as files that any web server can serve (C2SP tlog-tiles): written, checked by whoever has the
log's key, and read again when a register was lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cityid import limits
from cityid.edge import files
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.keys import Signer
from cityid.log import Checkpoint, Frontier, Tile, Verifier, Witness, cosignature, leaf_hash, merkle, tiles, witnessing
from cityid.log.checkpoint import open_signed
from cityid.log.note import read as read_note
from cityid.log.tiles import CHECKPOINT, FULL, fresh, nodes_of, read_bundle, read_tile, write_bundle
from cityid.plan import Exchange
from cityid.register import Register
from cityid.register.sequencer import root_at, sequence

__all__ = [
    "AuditedFiles",
    "add_cosignature",
    "ask_witness",
    "audit_files",
    "differences",
    "publish",
    "published",
    "take_over",
]

_BUNDLE: Final = FULL * (2 + tiles.LONGEST)
_TILE: Final = FULL * 32


@dataclass(frozen=True, slots=True)
class AuditedFiles:
    """What an outsider found in a published log; `checkpoint` is the newest one there, and `seen` says which of the
    witnesses asked for cosigned it, and when."""

    checkpoint: Checkpoint
    findings: tuple[Problem, ...]
    seen: tuple[tuple[str, datetime], ...] = ()

    @property
    def content(self) -> bool:
        return not self.findings


def published(folder: Path, log: Verifier, *former: Verifier) -> Checkpoint | None:
    """The checkpoint that lies in a folder, by this log, with its key or one of its `former` keys; None where there is
    none yet.

    Raises:
        Malformed, Refused: as `cityid.log.checkpoint.open_signed`.
        Misuse, Unavailable: `file.*`.
    """
    data = _signed(folder)
    return None if data is None else open_signed(data, log, *former)


def _signed(folder: Path) -> bytes | None:
    try:
        return files.read(folder / CHECKPOINT, limits.NOTE)
    except Misuse as error:
        if error.code == "file.not_found":
            return None
        raise


def publish(
    register: Register,
    signer: Signer,
    origin: str,
    folder: Path,
    clerk: str,
    at: datetime,
    *,
    also: Sequence[Signer] = (),
    former: Sequence[Verifier] = (),
) -> Checkpoint:
    """Sign the log as it is, and write what is new of it into a folder: tiles first, the checkpoint last, so that
    whoever reads in between finds what the checkpoint that they read is about. While keys are changed, `also` sign;
    what lies in the folder may be by a `former` key.

    Raises:
        Refused: `log.behind`, when more was published there than this register knows; `log.forked`, when something else
            was; as `sequence`.
        Malformed, Misuse, Unavailable: as `published` and `sequence`.
    """
    log = Verifier(origin, signer.public_key)
    there = published(folder, log, *(Verifier(origin, one.public_key) for one in also), *former)
    note = sequence(register, signer, origin, clerk, at, also)
    signed = open_signed(note, log)
    if there is not None:
        if there.size > signed.size:
            raise Refused("log.behind", size=signed.size, published=there.size)
        if root_at(register, there.size) != there.root:
            raise Refused("log.forked", size=there.size)
    for tile in fresh(there.size if there else 0, signed.size):
        _write(folder / tile.path, register.tile(tile))
        if tile.level == 0:
            start = tile.index * FULL
            _write(folder / tile.bundle, write_bundle(register.entries(start, start + tile.width)))
        if tile.width == FULL:
            for name in (tile.path, tile.bundle) if tile.level == 0 else (tile.path,):
                shutil.rmtree(folder / f"{name}.p", ignore_errors=True)  # nobody needs its beginnings any more
    _write(folder / CHECKPOINT, note)
    return signed


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.of_the_system(error, path.parent) from None
    files.write(path, data, force=True)


def _read(folder: Path, name: str, full: str, limit: int) -> bytes:
    """A file, or what it grew into.

    Raises:
        Malformed, Misuse, Unavailable: `file.*`.
    """
    with suppress(Misuse):
        return files.read(folder / name, limit)
    return files.read(folder / full, limit)


def _tile(folder: Path, tile: Tile) -> bytes:
    return _read(folder, tile.path, tile.full.path, _TILE)[: tile.width * 32]


def _bundles(folder: Path, size: int, start: int = 0) -> Iterator[tuple[Tile, tuple[bytes, ...]]]:
    for index in range(start // FULL, -(-size // FULL)):
        tile = Tile(0, index, tiles.width_at(0, index, size))
        yield tile, read_bundle(_read(folder, tile.bundle, tile.full.bundle, _BUNDLE), tile.width)


def audit_files(
    folder: Path,
    log: Verifier,
    since: bytes | None = None,
    *,
    former: Sequence[Verifier] = (),
    witnesses: Sequence[Witness] = (),
    quorum: int | None = None,
) -> AuditedFiles:
    """Recheck a published log with nothing but its key: every entry against its tile, every tile against those below,
    all of it against the signed checkpoint; and that it still begins with what an older checkpoint (`since`, a signed
    note that was kept, perhaps with a `former` key) says. All `witnesses` must have cosigned, or `quorum` of them.

    Raises:
        Malformed, Refused: a checkpoint that cannot be read, is not by this log, or was not cosigned (`witness.*`).
        Misuse: `audit.nothing_published`; `file.*`.
        Unavailable: `file.*`.
    """
    data = _published(folder)
    checkpoint, note = open_signed(data, log), read_note(data)
    seen = cosignature.seen(note, witnesses, quorum)
    before = open_signed(since, log, *former) if since is not None else None
    found: list[Problem] = []
    rows: dict[int, list[bytes]] = {}
    frontier = Frontier()
    for index in range(-(-checkpoint.size // FULL)):
        tile = Tile(0, index, tiles.width_at(0, index, checkpoint.size))
        try:
            leaves = read_tile(_tile(folder, tile), tile.width)
        except (Malformed, Misuse):
            found.append(Problem("audit.file", {"file": tile.path}))
            break
        try:
            entries = read_bundle(_read(folder, tile.bundle, tile.full.bundle, _BUNDLE), tile.width)
            wrong = [at for at, entry in enumerate(entries) if leaf_hash(entry) != leaves[at]]
            found += [Problem("audit.entry", {"position": index * FULL + at}) for at in wrong]
        except (Malformed, Misuse):
            found.append(Problem("audit.file", {"file": tile.bundle}))
        for node in frontier.append(leaves):
            rows.setdefault(node.level, []).append(node.hash)
    found += _above(folder, checkpoint.size, rows) if frontier.size == checkpoint.size else ()
    if not found and frontier.root != checkpoint.root:
        found.append(Problem("audit.other_tree", {"first": 0, "last": checkpoint.size - 1}))
    if before is not None and before.size > checkpoint.size:
        found.append(Problem("audit.truncated", {"size": checkpoint.size, "signed": before.size}))
    elif before is not None and not found:
        nodes = nodes_of(lambda tile: _tile(folder, tile), checkpoint.size)
        if Frontier.at(before.size, nodes).root != before.root:
            found.append(Problem("audit.other_tree", {"first": 0, "last": before.size - 1}))
    return AuditedFiles(checkpoint, tuple(found), seen)


def _above(folder: Path, size: int, rows: dict[int, list[bytes]]) -> Iterator[Problem]:
    """Tiles above the leaves that are not what those below make them."""
    for tile in fresh(0, size):
        if tile.level:
            start = tile.index * FULL
            try:
                wrong = read_tile(_tile(folder, tile), tile.width) != tuple(
                    rows[tile.level][start : start + tile.width]
                )
            except (Malformed, Misuse):
                wrong = True
            if wrong:
                yield Problem("audit.file", {"file": tile.path})


def ask_witness(folder: Path, log: Verifier, url: str, witness: Witness, exchange: Exchange) -> bytes:
    """The published checkpoint with the cosignature of a witness who is asked for it; nothing is written.

    Raises:
        As `cityid.log.witnessing.ask`, and as `published`. Misuse: `audit.nothing_published`.
    """
    signed = _published(folder)
    size = open_signed(signed, log).size
    nodes = nodes_of(lambda tile: _tile(folder, tile), size)
    return witnessing.ask(url, witness, signed, lambda old, new: merkle.consistency(nodes, old, new)).run(exchange)


def add_cosignature(folder: Path, log: Verifier, answer: bytes, witness: Witness) -> None:
    """Publishes the checkpoint again with what `witness` answered.

    Raises:
        As `cityid.log.witnessing.add` and `published`: `witness.other` when another checkpoint was published meanwhile.
        Misuse: `audit.nothing_published`.
    """
    signed = _published(folder)
    open_signed(signed, log)
    files.write(folder / CHECKPOINT, witnessing.add(signed, answer, [witness]), force=True)


def _published(folder: Path) -> bytes:
    data = _signed(folder)
    if data is None:
        raise Misuse("audit.nothing_published", folder=str(folder))
    return data


def differences(register: Register, folder: Path, log: Verifier) -> Iterator[Problem]:
    """Entries that were published and are others in the register: the positions.

    Raises:
        As `audit_files`.
    """
    checkpoint = published(folder, log)
    size = checkpoint.size if checkpoint else 0
    known = register.entries(0, min(size, register.log_size()))
    for tile, entries in _bundles(folder, size):
        for at, entry in enumerate(entries, tile.index * FULL):
            if next(known, None) != entry:
                yield Problem("audit.other_entry", {"position": at})


def take_over(register: Register, folder: Path, log: Verifier, clerk: str, at: datetime) -> int:
    """After the register was restored from a backup: what the log had since is taken from where it was published, so
    that it goes on without a fork. Only the entries are known, not what they were. How many.

    Raises:
        Refused: `log.forked`, when the register was not that log; `log.damaged`, when the folder is not as signed.
        Malformed, Misuse, Unavailable: as `audit_files`.
    """
    found = audit_files(folder, log)
    if not found.content:
        raise Refused("log.damaged", folder=str(folder))
    known, there = register.log_size(), found.checkpoint
    common = min(known, there.size)
    nodes = nodes_of(lambda tile: _tile(folder, tile), there.size)
    if Frontier.at(common, nodes).root != root_at(register, common):
        raise Refused("log.forked", size=common)
    lost = [
        entry
        for tile, entries in _bundles(folder, there.size, known)
        for position, entry in enumerate(entries, tile.index * FULL)
        if position >= known
    ]
    if lost:
        with register.batch(clerk, f"take over log {there.size} {there.root.hex()}", at) as batch:
            if not batch.repeats:
                batch.lose(known, lost)
    return len(lost)
