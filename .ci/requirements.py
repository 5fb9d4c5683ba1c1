"""Print the requirements of dependency groups of pyproject.toml, one a line (`pip --group` needs pip 25.1)."""

import sys
import tomllib
from pathlib import Path

GROUPS = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))[
    "dependency-groups"
]


def requirements(group: str) -> list[str]:
    found: list[str] = []
    for entry in GROUPS[group]:
        found += [entry] if isinstance(entry, str) else requirements(entry["include-group"])
    return found


print("\n".join(dict.fromkeys(line for group in sys.argv[1:] for line in requirements(group))))
