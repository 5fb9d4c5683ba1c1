"""Every `tests/cli/*.txt` is typed, and answers as it says."""

from pathlib import Path

import pytest

from tests import transcripts

FILES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcript(file: Path, tmp_path: Path) -> None:
    transcripts.run(file.read_text(encoding="utf-8"), tmp_path, f"tests/cli/{file.name}")
