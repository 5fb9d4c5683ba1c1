"""Print the lowest versions that pyproject.toml allows of what the package needs, as constraints for pip.

python .ci/floor.py EXTRA...
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def floor(requirement: str) -> str:
    found = re.match(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9.]+)", requirement)
    if found is None:
        sys.exit(f"no lower bound in {requirement!r}")
    return f"{found[1]}=={found[2]}"


extras = [line for extra in sys.argv[1:] for line in PROJECT["optional-dependencies"][extra]]
print("\n".join(floor(line) for line in PROJECT["dependencies"] + extras))
