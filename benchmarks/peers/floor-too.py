# runtime: main
"""The shared harness's floor for cases that only we have, so that both are measured in the same rounds."""

import importlib.util
from pathlib import Path

import benchlib

_spec = importlib.util.spec_from_file_location("floor", Path(benchlib.__file__).parent / "peers" / "floor.py")
_floor = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_floor)
version = _floor.version

CASES = {
    "sdjwt.present-held.es256": _floor.CASES["sdjwt.present.es256"],
    "sdjwt.verify-strangers.es256": _floor.CASES["sdjwt.verify.es256"],
}
