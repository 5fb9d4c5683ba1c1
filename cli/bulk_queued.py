"""What is queued for `cityid work`, and how a clerk stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import talk
from .bulk_work import Run

if TYPE_CHECKING:
    from cityid.edge.cluster import Queued, WorkStore

    from .home import Home

SHOWN = 8
"""Characters of a run's name that are shown; as many as tell it from others will do."""


def _run(queued: Queued) -> Run | None:
    from cityid.encoding import json

    return None if queued.about is None else Run(**json.read_object(queued.about)["run"])


def show(store: WorkStore, *, json_: bool) -> None:
    """The runs that somebody queued and has not collected yet."""
    from cityid.encoding import times

    found = [(one, _run(one)) for one in store.runs()]
    if json_:
        talk.give([
            {
                "run": one.name, "type": run.type if run else None, "by": run.by if run else None,
                "at": times.stamp(one.at), "waiting": one.waiting, "done": one.done, "failed": one.failed,
            }
            for one, run in found
        ])  # fmt: skip
        return
    rows = [
        (
            one.name[:SHOWN], talk.clean(run.type) if run else "of another home", talk.clean(run.by) if run else "",
            f"{one.at:%d %b %Y %H:%M} UTC", f"{one.waiting} parts wait", f"{one.done} done", f"{one.failed} failed",
        )
        for one, run in found
    ]  # fmt: skip
    for text in talk.columns(rows):
        talk.out(text)
    if not rows:
        talk.say("Nothing is queued.")


def stop(here: Home, store: WorkStore, name: str, by: str | None, clerk_fd: int | None, *, json_: bool) -> None:
    """Whoever may issue the type may stop a run of it.

    Raises:
        Misuse: `work.which_run`, `work.other_secret`. Refused: `clerk.*`. Unavailable: `store.*`.
    """
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.edge.cluster_worker import write_no
    from cityid.errors import Misuse, Refused

    from .registers import acting, key, register_of

    found = [one for one in store.runs() if name and one.name.startswith(name)]
    if len(found) != 1:
        raise Misuse("work.which_run", run=name, count=len(found))
    run = _run(found[0])
    if run is None:
        raise Misuse("work.other_secret")
    register = register_of(here)
    clerk = acting(register, Right.ISSUE, by, clerk_fd, type_=run.type)
    with register.batch(clerk.name, key(), clock.now()) as batch:
        batch.event("cancel", {"run": run.name, "type": run.type})
    waited = store.stop(run.name, write_no(Refused("work.cancelled", clerk=clerk.name)))
    if json_:
        talk.give({"run": run.name, "cancelled": waited})
    talk.say(f"{waited} parts will not be done. What was made before stays, and whoever queued it is told.")
