"""Where the source tree lies: beside the tests, unless the tests were copied away to try an installed wheel."""

import os
from pathlib import Path

TREE = Path(os.environ.get("CITYID_TREE") or Path(__file__).resolve().parents[1])
