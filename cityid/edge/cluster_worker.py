"""A worker of procrastinate: takes parts, does each, and may be killed at any moment.

Its heartbeat is the lease of what it has in hand. Whoever else works finds a lease that has run out and gives the part
to the next one; a part that is done twice is done once, which is the business of whoever does it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from cityid.edge.cluster import DONE, FAILED, LEASE, QUEUE, TASK, TRIES, Part, WorkStore, installed
from cityid.encoding import json
from cityid.errors import CityIdError, Malformed, Misuse, Problem, Refused, Unavailable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Event

    from procrastinate import App
    from procrastinate.jobs import Job
    from procrastinate.worker import Worker as Procrastinator

__all__ = ["AllParts", "Counts", "Unfit", "read_no", "work", "write_no"]

PATIENCE: Final = 30
"""Seconds that a worker waits for a database that has gone, such as for its restart."""
PAUSE: Final = 2
"""Seconds more, with each try, before what could not be done is tried again."""
_KINDS: Final[dict[str, type[CityIdError]]] = {
    "Malformed": Malformed, "Misuse": Misuse, "Refused": Refused, "Unavailable": Unavailable,
}  # fmt: skip


class Unfit(Exception):
    """This worker cannot do it, another may: `error` says why. It puts the part back and ends."""

    def __init__(self, error: CityIdError) -> None:
        super().__init__()
        self.error = error


class AllParts(Exception):
    """What says no to this part says no to its whole run."""

    def __init__(self, error: CityIdError) -> None:
        super().__init__()
        self.error = error


class _Again(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass(slots=True)
class Counts:
    """Parts that a worker has done, and that it has given up."""

    done: int = 0
    failed: int = 0


def write_no(error: CityIdError) -> bytes:
    """An error, for whoever queued the part."""
    found = error.problem
    kind = next(name for name, kind in _KINDS.items() if isinstance(error, kind))
    return json.write(
        {"kind": kind, "code": found.code, "facts": dict(found.facts), "where": found.where, "spec": found.spec}
    )


def read_no(data: bytes) -> CityIdError:
    """The error that `write_no` wrote."""
    said = json.read_object(data)
    return _KINDS[said["kind"]](Problem(said["code"], said["facts"], said["where"], said["spec"]))


def work(
    store: WorkStore,
    do: Callable[[Part], bytes],
    *,
    lease: float = LEASE,
    until_done: bool = False,
    told: Callable[[Part, CityIdError | None], None] = lambda part, error: None,
) -> Counts:
    """Do parts until SIGTERM or SIGINT, which let the part in hand be finished, or `until_done`: until nothing is
    queued or in anybody's hands. `told` hears of each part that is over.

    Raises:
        CityIdError: of the `Unfit` that `do` raised. Unavailable: `store.*`.
    """
    import asyncio

    return asyncio.run(_Worker(store, do, lease, until_done, told).run())


@dataclass(slots=True)
class _Worker:
    store: WorkStore
    do: Callable[[Part], bytes]
    lease: float
    until_done: bool
    told: Callable[[Part, CityIdError | None], None]
    counts: Counts = field(default_factory=Counts)
    busy: bool = False
    unfit: CityIdError | None = None
    stop: Event = field(init=False)
    loop: AbstractEventLoop = field(init=False)

    async def run(self) -> Counts:
        import asyncio

        from psycopg_pool import PoolTimeout

        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        # What a lost connection leaves behind is seen where it matters: at the next question to the database.
        self.loop.set_exception_handler(lambda loop, context: None)
        patience = PATIENCE
        with self._signals():
            while not self.stop.is_set():
                try:
                    async with self._app().open_async() as app:
                        patience = PATIENCE
                        await self._turn(app)
                except (installed().exceptions.ConnectorException, PoolTimeout) as error:
                    if self.stop.is_set():
                        break
                    # The pool has waited for as long as we would, before it says so.
                    if not patience or isinstance(error, PoolTimeout):
                        raise Unavailable("store.lost", path=self.store.name) from None
                    patience -= 1
                    await asyncio.sleep(1)
        if self.unfit is not None:
            raise self.unfit
        return self.counts

    def _app(self) -> App:
        library = installed()
        connector = library.PsycopgConnector(kwargs=self.store.connection(), min_size=1, max_size=4, timeout=PATIENCE)
        app: App = library.App(connector=connector)
        app.task(name=TASK, queue=QUEUE, retry=_strategy())(self._part)
        return app

    @contextmanager
    def _signals(self) -> Iterator[None]:
        wanted = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()

        def stop() -> None:
            for number in wanted:  # the second one is obeyed at once
                self.loop.remove_signal_handler(number)
            self.stop.set()

        for number in wanted:
            self.loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in wanted:
                self.loop.remove_signal_handler(number)

    async def _turn(self, app: App) -> None:
        """Work under one registration, as long as it lasts."""
        import asyncio

        from procrastinate.worker import Worker as Procrastinator

        tick = min(self.lease / 6, 1.0)
        worker = Procrastinator(
            app, queues=[QUEUE], name=None, fetch_job_polling_interval=tick, delete_jobs="always",
            install_signal_handlers=False, update_heartbeat_interval=self.lease / 3, stalled_worker_timeout=self.lease,
        )  # fmt: skip
        running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]  # procrastinate says no type
        watching = asyncio.create_task(self._watch(app, worker, tick))
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait({running, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        worker.stop()  # type: ignore[no-untyped-call]  # nor here
        for task in (watching, stopping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await running

    async def _watch(self, app: App, worker: Procrastinator, tick: float) -> None:
        """Give on what others let fall, and what we let fall ourselves; see when nothing is left."""
        import asyncio

        fallen: set[int | None] = set()
        while True:
            await asyncio.sleep(tick)
            for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self.lease):
                await self._give_on(app, job)
            mine = await app.job_manager.list_jobs_async(queue=QUEUE, status="doing", worker_id=worker.worker_id)
            left = [] if self.busy else list(mine)
            for job in left:
                if job.id in fallen:  # twice in a row: that it is over could not be written
                    await self._give_on(app, job)
            fallen = {job.id for job in left}
            if self.until_done:
                queues = await app.job_manager.list_queues_async(queue=QUEUE)
                if not any(one["todo"] or one["doing"] for one in queues):
                    self.stop.set()

    @staticmethod
    async def _give_on(app: App, job: Job) -> None:
        with suppress(installed().exceptions.ConnectorException):  # another worker was quicker
            await app.job_manager.retry_job(job)

    # -- one part, in a thread --

    def _part(self, run: str, number: int) -> None:
        self.busy = True
        try:
            self._do(run, number)
        finally:
            self.busy = False

    def _do(self, run: str, number: int) -> None:
        try:
            part = self.store.take(run, number)
        except Misuse as error:
            self._end(error)
        except Unavailable:
            raise _Again(PAUSE) from None
        if part is None:
            return
        wrong: CityIdError
        try:
            if part.tries > TRIES:
                raise Unavailable("work.given_up", count=TRIES)
            self._finish(part, DONE, self.do(part), None)
            return
        except Unfit as unfit:
            with suppress(Unavailable):
                self.store.put_back(part)
            self._end(unfit.error)
        except AllParts as no:
            self.store.stop(run, write_no(no.error))
            self.counts.failed += 1
            self.told(part, no.error)
            return
        except CityIdError as error:
            wrong = error
        except Exception as error:
            wrong = Unavailable("work.fault", exception=type(error).__name__)
        if isinstance(wrong, Unavailable) and part.tries < TRIES:
            raise _Again(PAUSE * part.tries)
        self._finish(part, FAILED, write_no(wrong), wrong)

    def _finish(self, part: Part, state: str, data: bytes, wrong: CityIdError | None) -> None:
        self.store.finish(part.run, part.number, state, data)
        if wrong is None:
            self.counts.done += 1
        else:
            self.counts.failed += 1
        self.told(part, wrong)

    def _end(self, error: CityIdError) -> NoReturn:
        """Leave the part to others, and the work."""
        self.unfit = error
        self.loop.call_soon_threadsafe(self.stop.set)
        raise _Again(1)


def _strategy() -> Any:
    """A job ends when its part is over, and never otherwise: what we could not say no to is tried again."""
    from procrastinate import BaseRetryStrategy, RetryDecision

    class Strategy(BaseRetryStrategy):
        def get_retry_decision(self, *, exception: BaseException, job: Job) -> Any:
            seconds = exception.seconds if isinstance(exception, _Again) else PAUSE
            return RetryDecision(retry_in={"seconds": seconds})

    return Strategy()
