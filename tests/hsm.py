"""A token of SoftHSM in a folder of its own, for tests that sign with a real PKCS#11 module."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PIN = "1234"
MODULE = next(
    (name for name in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so") if Path(name).exists()),
    "",
)
needs_softhsm = pytest.mark.skipif(
    not MODULE or shutil.which("softhsm2-util") is None, reason="SoftHSM is not installed (apt-get install softhsm2)"
)


def configure(folder: Path) -> None:
    """Point SoftHSM, in this process and its children, at `folder`. The module reads this once."""
    (folder / "tokens").mkdir(parents=True, exist_ok=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")


def new_token(label: str) -> str:
    """A fresh token; its URI."""
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "5678"]
    subprocess.run(command, check=True, capture_output=True)
    return f"pkcs11:token={label}?module-path={MODULE}"
