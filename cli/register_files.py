"""`cityid register publish` and `reconcile`: status lists as files, and a register that was restored from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import register_log, talk
from .did_history import DidFd
from .options import Json, PassphraseFd, Yes
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.clerks import Clerk
    from cityid.edge.database import StoredRegister

    from .home import Home

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that is served under the home's status URL.")]


def publish(
    folder: Folder,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Sign all status lists and put them into a folder that a web server serves. Run it every few minutes."""
    from cityid.clerks import Right
    from cityid.edge import clock, status_files
    from cityid.errors import Misuse
    from cityid.query.model import W3C

    from . import registers
    from .office import issuer_of, signs_lists

    here = registers.home_of()
    base = registers.status_base(here)
    if not base:
        raise Misuse("register.no_status_base")
    opened = registers.register_of(here)
    clerk = registers.acting(opened, Right.PUBLISH, by, clerk_fd)
    registers.check_current(here, opened)
    issuer = issuer_of(here, passphrase_fd, opened)
    signer, place = signs_lists(here, passphrase_fd, issuer)
    _keep_history(here, opened, clerk, passphrase_fd, did_fd)
    w3c = any(kind.status == "required" and not W3C.isdisjoint(kind.names) for kind in issuer.types.values())
    done = status_files.publish(
        opened, signer, place, folder, base=base, by=clerk.name, at=clock.now(), issuer=issuer.id if w3c else ""
    )
    registers.remember(here, folder, done.number)
    count = len(done.uris)
    talk.say(
        f"{count} {'list' if count == 1 else 'lists'} published in {talk.clean(folder)}, "
        f"fresh until {done.fresh_until:%H:%M} UTC (publication {done.number})."
    )
    log = register_log.publish_log(here, opened, folder, clerk, passphrase_fd, clock.now())
    if json_:
        talk.give({
            "publication": done.number, "lists": list(done.uris), "fresh_until": done.fresh_until.isoformat(),
            "log": log,
        })  # fmt: skip


def _keep_history(
    here: Home, opened: StoredRegister, clerk: Clerk, passphrase_fd: int | None, did_fd: int | None
) -> None:
    """Where the city's DID has a history, its document loses the keys that no status list in use is signed with."""
    from cityid.edge import clock

    from . import did_history, keys
    from .key_rotate import published

    if here.config.get("mechanism", "did") != "did" or not did_history.is_webvh(here):
        return
    at = clock.now()
    if did_history.read(here, at).proposed() is not None:
        talk.say("A change of the city's DID waits for its witnesses: cityid did witness --take PROOF")
        return
    published(
        here, opened, keys.opened(here, passphrase_fd), at,
        pen=lambda: did_history.pen(here, opened, clerk, at, passphrase_fd, did_fd),
    )  # fmt: skip


def reconcile(
    folder: Folder,
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """After a restore from a backup: take over what was published since, and begin new lists."""
    from cityid.clerks import Right
    from cityid.edge import clock, status_files

    from . import registers
    from .office import issuer_of, signs_lists

    here = registers.home_of()
    opened = registers.register_of(here)
    clerk = registers.acting(opened, Right.ADMINISTER, by, clerk_fd)
    issuer = issuer_of(here, passphrase_fd, opened, current=False)
    published = status_files.publication(folder)
    talk.say(f"The register knows of publication {opened.publication()}, and {talk.clean(folder)} holds {published}.")
    if not yes:
        talk.agree("Take over what was published, and begin new lists?", flag="--yes")
    signer, _ = signs_lists(here, passphrase_fd, issuer)
    done = status_files.reconcile(opened, signer.public_key, folder, by=clerk.name, at=clock.now())
    lost = register_log.take_over_log(here, opened, folder, clerk, passphrase_fd, clock.now())
    registers.remember(here, folder, opened.publication())
    talk.say(
        f"Taken over: {done.entries} entries, {done.lists} unknown lists, {lost} actions of the log; "
        f"{done.closed} lists closed. Publish now: cityid register publish DIR"
    )
    if json_:
        talk.give({"entries": done.entries, "lists": done.lists, "closed": done.closed, "actions": lost})
