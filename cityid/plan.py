"""The one seam to the network: a plan yields a Request, is given a Response, and ends in a value.

    @plan
    def key_of(url: str) -> Steps[Key]:
        response = yield Request("GET", url)
        return read_key(response.body)

    key_of(url).run(exchange)                    # or: await key_of(url).run_async(exchange)
    key = yield from key_of(url)                 # inside another plan

A plan is made by calling and started by running; it runs once. `if plan:` is a TypeError, because a plan that was not
run has judged nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from types import MappingProxyType
from typing import Generic, NoReturn, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as data. `max_age` is the oldest cached answer that will do; None leaves it to the edge.
    `redirects` is how many guarded hops may be followed, `limit` the greatest body in bytes (None: the edge's own).
    `kept` asks for what the edge has kept, and for nothing to be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = b""
    max_age: timedelta | None = None
    redirects: int = 0
    limit: int | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. Header names are lower case; `received` is when the edge had it, in UTC; `ahead` says that it
    was fetched ahead, to be used without a network."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received: datetime
    ahead: bool = False


Exchange = Callable[[Request], Response]
AsyncExchange = Callable[[Request], Awaitable[Response]]
Steps = Generator[Request, Response, T]


class Plan(Generic[T]):
    """Work that may need the network. Runs once."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Steps[T]) -> None:
        self._steps: Steps[T] | None = steps

    def __iter__(self) -> Steps[T]:
        return self._take()

    def _take(self) -> Steps[T]:
        steps, self._steps = self._steps, None
        if steps is None:
            raise TypeError("this plan has been run already; call the function again for a new one")
        return steps

    def run(self, exchange: Exchange) -> T:
        """Drive the plan with `exchange`; what `exchange` raises is raised at the plan's `yield`."""
        steps = self._take()
        try:
            request = next(steps)
            while True:
                try:
                    response = exchange(request)
                except Exception as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(response)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # StopIteration does not know the plan's T
        finally:
            steps.close()

    async def run_async(self, exchange: AsyncExchange) -> T:
        """The same in somebody's event loop; only the exchange is awaited."""
        steps = self._take()
        try:
            request = next(steps)
            while True:
                try:
                    response = await exchange(request)
                except Exception as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(response)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    def __bool__(self) -> NoReturn:
        raise TypeError("a plan has judged nothing yet: run it first")


def plan(function: Callable[P, Steps[T]]) -> Callable[P, Plan[T]]:
    """Turn a generator function into one that returns a Plan."""

    @wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return Plan(function(*args, **kwargs))

    return made
