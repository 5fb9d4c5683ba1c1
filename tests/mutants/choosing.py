"""Which mutants are tried, where not all are: those on changed lines, and a draw that the commit decides."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections import defaultdict

from tests.mutants.finding import TREE, Mutant, files

DRAWN = 60


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=TREE, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def changed_lines(since: str) -> dict[str, set[int]]:
    """The lines of the work tree that are not in `since`."""
    found: dict[str, set[int]] = defaultdict(set)
    file = ""
    for line in git("diff", "-U0", "--no-color", since, "--", *files()).splitlines():
        if line.startswith("+++ "):
            file = line[4:].removeprefix("b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk.group(1)), int(hunk.group(2) or 1)
            found[file] |= set(range(first, first + count))
    return found


def chosen(found: list[Mutant], since: str | None) -> tuple[list[Mutant], str]:
    """Those on lines changed since the last tag (at most 60), filled up to 60 by a draw that the commit decides."""
    commit = git("rev-parse", "HEAD") or "no commit"
    since = since or git("describe", "--tags", "--abbrev=0")
    changed: list[Mutant] = []
    if since:
        lines = changed_lines(since)
        changed = [mutant for mutant in found if lines.get(mutant.file, set()) & mutant.lines]
    order = sorted(found, key=lambda mutant: hashlib.sha256((commit + mutant.key + str(mutant.line)).encode()).digest())
    wanted = {id(mutant) for mutant in changed}
    drawn = [mutant for mutant in order if id(mutant) in wanted][:DRAWN]
    drawn += [mutant for mutant in order if id(mutant) not in wanted][: max(0, DRAWN - len(drawn))]
    told = f"{len(changed)} on lines changed since {since}" if since else "no tag yet"
    return sorted(
        drawn, key=lambda mutant: (mutant.file, mutant.line)
    ), f"{told}; {len(drawn)} drawn by commit {commit[:10]}"
