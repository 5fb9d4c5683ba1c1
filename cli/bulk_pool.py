"""Worker processes for one run over a table: made once, and made again when one of them was killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self, TypeVar

from cityid import errors

from . import talk
from .bulk_work import Chunk, Counts, Run, Worker
from .home import Home

KILLED = 20
"""Times that the pool is made again after a worker was killed."""

T = TypeVar("T")
Said = Mapping[str, Any]
"""A problem, as it travels between processes."""


class Pool:
    """Processes that each have a `Worker`. `each` may be asked any number of times.

    Raises:
        Unavailable: `bulk.workers`.
    """

    def __init__(self, here: Home, run: Run, passphrase: str, workers: int) -> None:
        from .state import STATE

        self._workers, self._given = workers, (here, run, passphrase, STATE.known.get("password"))
        self._killed = 0
        self._made: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *how: object) -> None:
        if self._made is not None:
            self._made.shutdown(wait=True, cancel_futures=True)

    def each(self, work: Callable[[T], tuple[Any, tuple[str, Said] | None]], items: Iterable[T]) -> Iterator[Any]:
        """What `work` (which gives a value, or whose fault and which problem it was) made of each item, in whatever
        order they are done; what a killed worker had in hand is done again. Few items are taken ahead."""
        coming, again = iter(items), list[T]()
        waiting: dict[Future[Any], T] = {}
        while True:
            try:
                while len(waiting) < 2 * self._workers:
                    if not again and (item := next(coming, None)) is not None:
                        again.append(item)
                    if not again:
                        break
                    waiting[self._pool().submit(work, again[-1])] = again[-1]
                    again.pop()
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    made, wrong = future.result()
                    del waiting[future]
                    if wrong is not None:
                        raise _again(wrong)
                    yield made
            except BrokenProcessPool:
                talk.say("A worker process was killed; going on with another.")
                again += waiting.values()
                waiting.clear()
                self._broken()

    def _pool(self) -> ProcessPoolExecutor:
        if self._made is None:
            from multiprocessing import get_context

            self._made = ProcessPoolExecutor(self._workers, get_context("spawn"), begin, self._given)
        return self._made

    def _broken(self) -> None:
        if self._made is not None:
            self._made.shutdown(wait=True, cancel_futures=True)
            self._made = None
        self._killed += 1
        if self._killed == KILLED:
            raise errors.Unavailable("bulk.workers", count=KILLED)


def said(problem: errors.Problem) -> Said:
    return {
        "code": problem.code, "facts": dict(problem.facts), "where": problem.where, "spec": problem.spec,
        "private": dict(problem.private),
    }  # fmt: skip


def heard(problem: Said) -> errors.Problem:
    return errors.Problem(**problem)


def _again(wrong: tuple[str, Said]) -> Exception:
    kind, problem = wrong
    made: Exception = getattr(errors, kind)(heard(problem))
    return made


# -- in a process of its own --

_WORKER: list[Worker] = []


def begin(home: Home, run: Run, passphrase: str, password: str | None) -> None:
    """What a worker process does first."""
    import signal
    import threading
    from multiprocessing import connection, parent_process

    from .state import STATE

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def end_with_it() -> None:
        connection.wait([parent.sentinel] if parent else [])
        os._exit(talk.FAULT)

    # Whoever is killed cannot tell its workers; without this they would wait for work for ever.
    threading.Thread(target=end_with_it, daemon=True).start()
    if password is not None:
        STATE.known["password"] = password
    _WORKER[:] = [Worker(home, run, passphrase)]


def do(chunk: Chunk) -> tuple[tuple[Chunk, Counts], tuple[str, Said] | None]:
    """A chunk, in a worker process: what came of it, or whose fault it was and the problem."""
    try:
        return (chunk, _WORKER[0].do(chunk)), None
    except errors.CityIdError as error:
        return (chunk, {}), (type(error).__name__, said(error.problem))


def check(block: Chunk, *, keep: bool) -> tuple[Any, tuple[str, Said] | None]:
    """The first look at a block of rows, in a worker process."""
    from .bulk_check import look_at

    try:
        return look_at(_WORKER[0], block, keep=keep), None
    except errors.CityIdError as error:
        return None, (type(error).__name__, said(error.problem))
