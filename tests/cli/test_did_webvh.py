"""`cityid did resolve` for DIDs with a history: versions, what was seen, logs in files, records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cityid.did import webvh
from cityid.did.webvh import identifier
from cityid.did.webvh.parameters import Witnesses
from tests.transcripts import Shell, environment
from tests.webvh import W1, A, B, created, day, entries, later, served, word

MADE = created(witnesses=Witnesses(1, (W1.name,)))
LOG = later(MADE.log, 20, state=webvh.document(MADE.did, {"key-2": B.public_key}))
PROOFS = word(LOG, W1, number=21)
CLOSED = webvh.deactivate(LOG, A, day(30))
SEEN = entries(LOG)[1]["versionId"]
FILES = "--log did.jsonl --witness-proofs did-witness.json"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "did.jsonl").write_bytes(LOG)
    (tmp_path / "did-witness.json").write_bytes(PROOFS)
    (tmp_path / "short.jsonl").write_bytes(MADE.log)
    (tmp_path / "closed.jsonl").write_bytes(CLOSED)
    (tmp_path / "closed-witness.json").write_bytes(word(CLOSED, W1, number=31))
    return Shell(tmp_path, environment(tmp_path))


def resolved(shell: Shell, rest: str) -> Any:
    output, status = shell.run(f"cityid did resolve {rest}")
    assert status == 0, output
    return json.loads(output)


@pytest.mark.parametrize(
    ("asked", "fragment"),
    [
        ("", "key-2"),
        ("--version-number 1", "key-1"),
        ("--version-time 2026-01-20T23:59:59Z", "key-1"),
        ("--version-time 2026-01-21T00:00:00Z", "key-2"),
        (f"--version-id {SEEN}", "key-2"),
        (f"--version-id {SEEN} --version-number 2", "key-2"),
        (f"--seen {SEEN}", "key-2"),
    ],
)
def test_versions(shell: Shell, asked: str, fragment: str) -> None:
    found = resolved(shell, f"{MADE.did} {FILES} {asked}")
    assert found["verificationMethod"][0]["id"] == f"{MADE.did}#{fragment}"


def test_a_url_asks_for_a_version_too(shell: Shell) -> None:
    found = resolved(shell, f"'{MADE.did}?versionNumber=1#key-1' {FILES} --json")
    assert found["didDocumentMetadata"]["versionNumber"] == 1
    found = resolved(shell, f"'{MADE.did}?versionNumber=1' {FILES} --version-time 2026-01-05T00:00:00Z")
    assert found["verificationMethod"][0]["id"].endswith("#key-1")


@pytest.mark.parametrize(
    ("rest", "code", "status"),
    [
        (f"{MADE.did} {FILES} --version-number 3", "did.version_not_found", 1),
        (f"{MADE.did} --log did.jsonl", "did.webvh_unwitnessed", 1),
        (f"{MADE.did} --log short.jsonl --witness-proofs did-witness.json --seen {SEEN}", "did.webvh_unwitnessed", 1),
        (f"{MADE.did}#key-1 {FILES}", "did.no_such_key", 1),
        (f"{MADE.did} {FILES} --seen 3-Qm", "did.webvh_truncated", 1),
        (f"{MADE.did} {FILES} --seen 2-Qm", "did.webvh_forked", 1),
        (f"{MADE.did} --log closed.jsonl --witness-proofs closed-witness.json", "did.deactivated", 1),
        (f"{MADE.did} --log nowhere.jsonl", "file.not_found", 2),
        ("--replay kept.json --log did.jsonl", "verify.replay_alone", 2),
        (f"did:key:{A.name} --version-number 1", "did.url_not_plain", 1),
    ],
)
def test_refused(shell: Shell, rest: str, code: str, status: int) -> None:
    output, found = shell.run(f"cityid did resolve {rest}")
    assert (code in output, found) == (True, status), output


def test_a_closed_did(shell: Shell) -> None:
    files = "--log closed.jsonl --witness-proofs closed-witness.json"
    found = resolved(shell, f"{MADE.did} {files} --json")
    assert found["didDocument"] is None
    assert found["didDocumentMetadata"]["deactivated"] is True
    assert resolved(shell, f"{MADE.did} {files} --version-number 2")["id"] == MADE.did


def test_what_was_fetched_is_kept(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from cityid._cli import service

    place = identifier.read(MADE.did)
    monkeypatch.setattr(service, "network", lambda: served({place.log: LOG, place.proofs: PROOFS}))
    output, _ = shell.run(f"cityid did resolve {MADE.did} --version-number 1 --record kept.json --json")
    found = json.loads(output[output.index("{") : output.rindex("}") + 1])
    monkeypatch.undo()
    again = resolved(shell, "--replay kept.json --json")
    assert again == found
    assert again["didDocumentMetadata"]["versionNumber"] == 1
