"""Say what the reliability experiments did in their short form; more seconds than allowed is told.

python .ci/reliability.py FOLDER SECONDS
"""

import json
import os
import sys
from pathlib import Path

tallies = [
    tally
    for file in sorted(Path(sys.argv[1]).glob("soak-*.json"))
    for tally in json.loads(file.read_text(encoding="utf-8"))["experiments"]  # noqa: TID251  # our own
]
# the tests run beside each other on all cores
seconds = sum(tally["seconds"] for tally in tallies) / min(2, os.cpu_count() or 1)
done = sum(sum(tally["done"].values()) for tally in tallies)
print(f"reliability: {len(tallies)} experiments, {done} operations and faults, {seconds:.0f} s of {sys.argv[2]} s")
for tally in tallies:
    for lacking in tally["lacks"]:
        print(f"  {tally['experiment']} lacks {lacking}")
if seconds > float(sys.argv[2]):
    print("  OVER BUDGET")
