"""`cityid work`: do parts of tables that were queued with `cityid issue --queue`, here and on other machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json, PassphraseFd, plain
from .registers import By, ClerkFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.cluster import Part
    from cityid.errors import CityIdError


def register(app: typer.Typer) -> None:
    app.command("work")(work)


def work(
    until_done: Annotated[bool, typer.Option("--until-done", help="End when nothing is queued or in work.")] = False,
    lease: Annotated[
        int,
        typer.Option(
            "--lease", metavar="SECONDS", min=2, max=3600,
            help="How long without a sign of life until another worker takes over.",
        ),
    ] = 30,
    list_: Annotated[bool, typer.Option("--list", help="Say what is queued, and do nothing.")] = False,
    cancel: Annotated[
        str | None,
        typer.Option(
            "--cancel", metavar="RUN", callback=plain,
            help="Stop a run that --list names: nothing that waits is done, until the same table is queued again.",
        ),
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:  # fmt: skip
    """Work on tables that were queued with `cityid issue TYPE --from FILE --queue`, until stopped.

    Start as many as there are processors, on any machine that has the city's home. Any of them may be killed.
    """
    from cityid.edge import clock, cluster_worker

    from . import home
    from .bulk_queue import Doer, store_of

    here = home.find(STATE.home, "city")
    if list_ or cancel is not None:
        from .bulk_queued import show, stop

        with store_of(here) as store:
            if cancel is not None:
                stop(here, store, cancel, by, clerk_fd, json_=json_)
            else:
                show(store, json_=json_)
        return
    with store_of(here) as store:
        store.forget(clock.now())
        doer = Doer(here, talk.secret(f"Passphrase for {here.text('keys')}", passphrase_fd))
        talk.say(
            f"At work for {talk.named(doer.issuer.name, doer.issuer.id)}. Ctrl-C: finish the part in hand, and end."
        )
        counts = cluster_worker.work(store, doer.do, lease=lease, until_done=until_done, told=_tell)
    talk.say(f"{counts.done} parts done, {counts.failed} could not be done.")
    if json_:
        talk.give({"done": counts.done, "failed": counts.failed})
    raise talk.Stop(talk.NO if counts.failed else talk.DONE)


def _tell(part: Part, wrong: CityIdError | None) -> None:
    if wrong is None:
        talk.say(f"part {part.number} of {talk.clean(part.run)[:8]} done")
        return
    from cityid.edge.messages import explain

    talk.say(
        f"part {part.number} of {talk.clean(part.run)[:8]}: {talk.clean(explain(wrong.problem).text)} ({wrong.code})"
    )
