"""What several showings have in common: `cityid inspect FILE --beside FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import talk


def show(paths: Sequence[Path], *, json_: bool) -> None:
    """Say which parts are in which of the files.

    Raises:
        Malformed: `json.*`. Misuse: `file.*`.
    """
    from cityid import limits, observing
    from cityid.edge import files

    read = [files.read(path, limits.DOCUMENT).strip() for path in paths]
    groups = observing.shared(read)
    if json_:
        talk.give({
            "files": [str(path) for path in paths],
            "shared": [
                {"files": list(indices), "parts": [part._asdict() for part in found]}
                for indices, found in groups.items()
                if len(indices) > 1
            ],
            "alone": [len(groups.get((index,), ())) for index in range(len(paths))],
        })  # fmt: skip
        return
    names = [talk.clean(path.name) for path in paths]
    everywhere = tuple(range(len(paths)))
    talk.out(f"{len(groups.get(everywhere, ()))} parts are in all {len(paths)}")
    some = {indices: found for indices, found in groups.items() if 1 < len(indices) < len(paths)}
    for indices, found in some.items():
        talk.out(f"{len(found)} {_are(len(found))} in {_listed([names[index] for index in indices])} only")
        for part in found:
            talk.out(f"  {talk.clean(part.place)}  {talk.clean(part.value, 60)}")
    if not some:
        talk.out("no part is in some of them only: nothing tells who showed which")
    for line in talk.columns([
        (f"{len(groups.get((index,), ()))}", f"in {name} alone") for index, name in enumerate(names)
    ]):  # fmt: skip
        talk.out(line)


def _are(count: int) -> str:
    return "part is" if count == 1 else "parts are"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
