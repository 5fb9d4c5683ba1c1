"""Removes one check at a time, and expects a test to notice: `make mutants`.

What is removed, found by AST in every file of the library, and of the command line where it issues tables:

- `raise Malformed|Refused(...)`, also through a helper that returns or raises one: the statement goes;
- `yield failed(...)`, `return failed(...)`, `found.append(failed(...))`, also of `undecided` and of a bare `Problem`,
  also through a helper that returns one: the statement goes; of an `if` expression the branch that does not fail stays;
- a comparison that decides over one of these (the test of its `if`): one operand of `and`/`or` goes, one link
  of `a < b < c` goes, a lone comparison is turned round.

Each mutant is tried on a copy of the tree, in a forked process that has pytest loaded already. Which tests are tried
comes from a coverage map (which test ran which line): `--map FILE`, else `.coverage` of `make coverage` if it is newer
than the source, else the suite is run once. First come the tests that ran the very line that says no, then the others
that ran the line of the mutant, the small ones before the large; a test that did not run the line cannot notice. A
mutant that all of them let live is a survivor. A test that takes `SECONDS` counts as having noticed.

    python -m tests.mutants    60 mutants: on lines changed since the last tag, the rest drawn by commit hash
    python -m tests.mutants --all | --changed-since REV | --only cityid/jose | --list
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.choosing import chosen
from tests.mutants.finding import EQUIVALENT, TREE, Mutant, known_to_survive, mutants
from tests.mutants.maps import fresh, make_map, read_map
from tests.mutants.slots import make_slot, preload, slot_environment
from tests.mutants.trying import Tries, unmutated_passes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--changed-since", metavar="REV", help="prefer lines changed since REV (default: the last tag)")
    parser.add_argument("--only", metavar="PATH", help="every mutant of the files under PATH")
    parser.add_argument("--list", action="store_true", help="say what would be tried, and try nothing")
    parser.add_argument("--map", metavar="FILE", type=Path, help="coverage data written with --cov-context=test")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there")
    options = parser.parse_args()

    found = mutants(options.only)
    told = "all"
    if not options.all and not options.only:
        found, told = chosen(found, options.changed_since)
    excused = [mutant for mutant in found if (mutant.file, mutant.code, mutant.what) in EQUIVALENT]
    found = [mutant for mutant in found if mutant not in excused]
    if options.list:
        for mutant in found:
            print(f"{mutant.place}: {mutant.what}: {mutant.code}")
        print(f"{len(found)} mutants ({told})")
        return 0
    if not found:
        print("mutants: nothing to try, and an empty run proves nothing")
        return 1

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        slots = [make_slot(Path(temporary), number) for number in range(options.jobs)]
        data = options.map or next(
            (at for at in (TREE / ".coverage", TREE / ".mutants" / "coverage") if fresh(at)), None
        )
        data = data or make_map(slots[0], slot_environment(slots[0]), options.jobs)
        tries = Tries(slots, read_map(data))
        if not tries.map.weight:
            print("mutants: the coverage map names no tests")
            return 1
        preload()
        unmutated_passes(tries, sorted(tries.map.weight, key=lambda test: tries.map.weight[test])[:50])
        print(f"{len(found)} mutants ({told}); {len(tries.map.weight)} tests", flush=True)
        results: list[tuple[Mutant, str]] = []
        for mutant, result in tries.all(found):
            results.append((mutant, result))
            if result.startswith("SURVIVED"):
                print(f"{result:9} {mutant.place}: {mutant.what}: {mutant.code}", flush=True)
            if len(results) % 20 == 0:
                print(f"{len(results):5} of {len(found)} tried, {time.monotonic() - begun:.0f} s", flush=True)
        if tries.noticed:
            unmutated_passes(tries, list(tries.noticed))
    survivors = [mutant for mutant, result in results if result.startswith("SURVIVED")]
    for mutant in excused:
        reason = EQUIVALENT[mutant.file, mutant.code, mutant.what]
        print(f"excused   {mutant.place}: {mutant.what}: {mutant.code}  ({reason})")
    if options.json:
        rows = [{"place": mutant.place, "what": mutant.what, "result": result} for mutant, result in results]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    owed = [mutant for mutant in survivors if (mutant.file, mutant.what, mutant.code) in known_to_survive()]
    for mutant in owed:
        print(f"owed      {mutant.place}: {mutant.what}: {mutant.code}")
    late = sum("too long" in result for _, result in results)
    print(
        f"{len(results)} mutants tried in {time.monotonic() - begun:.0f} s: {len(results) - len(survivors)} killed "
        f"({late} by taking too long), {len(survivors)} survived ({len(owed)} of them known and owed a test), "
        f"{len(excused)} excused as equivalent"
    )
    return 1 if len(survivors) > len(owed) else 0


if __name__ == "__main__":
    sys.exit(main())
