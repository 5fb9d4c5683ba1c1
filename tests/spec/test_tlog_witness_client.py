"""Asking witnesses: C2SP tlog-witness, from the log's side; and an auditor who wants K of N of them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cityid.edge.database import SqliteRegister
from cityid.edge.log_files import add_cosignature, ask_witness, audit_files, publish
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError, Refused
from cityid.keys import Algorithm
from cityid.log import Checkpoint, Witness, merkle, note
from cityid.log.checkpoint import open_signed
from cityid.log.cosignature import cosign, seen
from cityid.log.witnessing import add, ask
from cityid.plan import Request, Response
from tests.logs import AT, LOG, ORIGIN, SIGNER, lived
from tests.registers import BASE

RING = MemoryKeyring()
SEEN = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
URL = "https://court.example/witness/"


class Court:
    """A witness as tlog-witness has it: it keeps a checkpoint of each log, and cosigns what that one grew into."""

    def __init__(self, name: str = "court.example/w1") -> None:
        self.signer = RING.signer(RING.create(Algorithm.EDDSA))
        self.key = Witness(name, self.signer.public_key)
        self.size, self.root = 0, merkle.EMPTY_ROOT
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        head, _, signed = request.body.partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        old = int(first.removeprefix("old "))
        proof = [base64.b64decode(line, validate=True) for line in lines]
        found = open_signed(signed, LOG)
        if old > found.size:
            return answer(400)
        if old != self.size:
            return answer(409, f"{self.size}\n".encode(), "text/x.tlog.size")
        try:
            if old:
                merkle.verify_consistency(old, found.size, proof, self.root, found.root)
            elif proof:
                return answer(422)
        except Refused:
            return answer(422)
        self.size, self.root = found.size, found.root
        return answer(200, self.lines(signed))

    def lines(self, signed: bytes) -> bytes:
        return cosign(signed, self.key.name, self.signer, SEEN)[len(signed) :]


def answer(status: int, body: bytes = b"", media: str = "text/plain") -> Response:
    return Response(status, {"content-type": media}, body, SEEN)


def code(call: Callable[[], object]) -> str:
    try:
        call()
    except CityIdError as error:
        return error.code
    return ""


@pytest.fixture
def log(tmp_path: Path) -> tuple[SqliteRegister, Path]:
    register = SqliteRegister(tmp_path / "r", status_base=BASE, claims_key=bytes(32))
    grow(register, tmp_path / "log", 0)
    return register, tmp_path / "log"


def grow(register: SqliteRegister, folder: Path, times: int) -> None:
    lived(register, 100 * times)
    publish(register, SIGNER, ORIGIN, folder, "maria", AT)


class TestAsking:
    def test_a_log_that_grows(self, log: tuple[SqliteRegister, Path]) -> None:
        """The witness says what it saw last; what proves the rest is sent to it."""
        register, folder = log
        court = Court()
        for times in range(3):
            if times:
                grow(register, folder, times)
            assert code(lambda: audit_files(folder, LOG, witnesses=[court.key])) == "witness.absent"
            signed = ask_witness(folder, LOG, URL, court.key, court)
            add_cosignature(folder, LOG, signed, court.key)
            assert audit_files(folder, LOG, witnesses=[court.key]).seen == ((court.key.name, SEEN),)
        assert {(one.method, one.url) for one in court.requests} == {("POST", URL + "add-checkpoint")}
        assert len(court.requests) == 1 + 2 + 2
        # And a second time for the same checkpoint, which needs no proof.
        ask_witness(folder, LOG, URL, court.key, court)
        assert court.requests[-1].body.startswith(f"old {court.size}\n\n".encode())
        register.close()

    def test_another_log_under_the_same_name(self, log: tuple[SqliteRegister, Path], tmp_path: Path) -> None:
        register, folder = log
        court = Court()
        ask_witness(folder, LOG, URL, court.key, court)
        register.close()
        with SqliteRegister(tmp_path / "other", status_base=BASE, claims_key=bytes(32)) as other:
            for times in range(2):
                lived(other, 100 * times)
            publish(other, SIGNER, ORIGIN, tmp_path / "forged", "maria", AT)
        assert code(lambda: ask_witness(tmp_path / "forged", LOG, URL, court.key, court)) == "witness.refused"

    def test_the_court_saw_more(self, log: tuple[SqliteRegister, Path]) -> None:
        register, folder = log
        register.close()
        court = Court()
        court.size = open_signed((folder / "checkpoint").read_bytes(), LOG).size
        assert code(lambda: ask_witness(folder, LOG, URL, court.key, court)) == "witness.refused"  # another root
        court.size += 1
        assert code(lambda: ask_witness(folder, LOG, URL, court.key, court)) == "witness.ahead"

    def test_nothing_published(self, tmp_path: Path) -> None:
        court = Court()
        assert code(lambda: ask_witness(tmp_path, LOG, URL, court.key, court)) == "audit.nothing_published"


class TestAnswers:
    SIGNED = Checkpoint(ORIGIN, 7, bytes(range(32))).sign(SIGNER)

    def asked(self, court: Court, *answers: Response) -> str:
        left = list(answers)
        return code(lambda: ask(URL, court.key, self.SIGNED, lambda *_: ()).run(lambda _: left.pop(0)))

    @pytest.mark.parametrize(
        ("status", "told"),
        [
            (200, ""), (201, "witness.refused"), (302, "witness.refused"), (400, "witness.refused"),
            (403, "witness.refused"), (404, "witness.refused"), (422, "witness.refused"), (499, "witness.refused"),
            (500, "witness.away"), (503, "witness.away"),
        ],
    )  # fmt: skip
    def test_status(self, status: int, told: str) -> None:
        court = Court()
        assert self.asked(court, answer(status, court.lines(self.SIGNED))) == told

    @pytest.mark.parametrize(
        ("body", "media", "told"),
        [
            (b"3\n", "text/x.tlog.size", ""), (b"3\n", "text/x.tlog.size; charset=utf-8", ""),
            (b"0\n", "text/x.tlog.size", ""), (b"7\n", "text/x.tlog.size", ""),
            (b"3\n", "text/plain", "witness.answer"),
            (b"3", "text/x.tlog.size", "witness.answer"), (b"03\n", "text/x.tlog.size", "witness.answer"),
            (b"-3\n", "text/x.tlog.size", "witness.answer"), (b"8\n", "text/x.tlog.size", "witness.ahead"),
        ],
    )  # fmt: skip
    def test_another_size(self, body: bytes, media: str, told: str) -> None:
        court = Court()
        assert self.asked(court, answer(409, body, media), answer(200, court.lines(self.SIGNED))) == told

    def test_sizes_that_change_again(self) -> None:
        """Two witnesses behind one name, or somebody who asks at the same time: there is no third question."""
        size = answer(409, b"3\n", "text/x.tlog.size")
        assert self.asked(Court(), size, size) == "witness.refused"

    def test_a_cosignature_that_is_none(self) -> None:
        court, other = Court(), Court("other.example/w")
        good = court.lines(self.SIGNED)
        later = Checkpoint(ORIGIN, 8, bytes(32)).sign(SIGNER)
        assert self.asked(court, answer(200, good)) == ""
        assert self.asked(court, answer(200, other.lines(self.SIGNED))) == "witness.absent"
        assert self.asked(court, answer(200, court.lines(later))) == "witness.invalid"
        assert self.asked(court, answer(200, b"")) == "note.shape"
        assert self.asked(court, answer(200, b"<html>")) == "note.shape"

    def test_nothing_else_of_the_answer_is_kept(self) -> None:
        """Who answers cannot put other people's words into the city's checkpoint."""
        court, other = Court(), Court("other.example/w")
        both = add(self.SIGNED, other.lines(self.SIGNED) + court.lines(self.SIGNED), [court.key])
        assert both == self.SIGNED + court.lines(self.SIGNED)
        assert add(both, court.lines(self.SIGNED), [court.key]) == both

    def test_by_file(self) -> None:
        court = Court()
        whole = self.SIGNED + court.lines(self.SIGNED)
        assert add(self.SIGNED, whole, [court.key]) == whole
        later = Checkpoint(ORIGIN, 8, bytes(32)).sign(SIGNER)
        assert code(lambda: add(self.SIGNED, later + court.lines(later), [court.key])) == "witness.other"


class TestQuorum:
    SIGNED = TestAnswers.SIGNED

    def test_so_many_of_them(self) -> None:
        courts = [Court(f"court.example/w{number}") for number in range(3)]
        keys = [one.key for one in courts]
        found = self.SIGNED + courts[0].lines(self.SIGNED) + courts[2].lines(self.SIGNED)
        read = note.read(found)
        assert [name for name, _ in seen(read, keys, 2)] == ["court.example/w0", "court.example/w2"]
        assert code(lambda: seen(read, keys, 3)) == "witness.quorum"
        assert code(lambda: seen(read, keys)) == "witness.absent"
        assert len(seen(read, [keys[0], keys[2]])) == 2
        assert code(lambda: seen(read, keys, 4)) == "witness.too_few"

    def test_a_wrong_one_is_not_passed_over(self) -> None:
        courts = [Court(f"court.example/w{number}") for number in range(2)]
        later = Checkpoint(ORIGIN, 8, bytes(32)).sign(SIGNER)
        found = self.SIGNED + courts[0].lines(self.SIGNED) + courts[1].lines(later)
        assert code(lambda: seen(note.read(found), [one.key for one in courts], 1)) == "witness.invalid"

    def test_one_key_is_one_witness(self) -> None:
        court = Court()
        twin = Witness("twin.example/w", court.key.key)
        found = cosign(self.SIGNED + court.lines(self.SIGNED), twin.name, court.signer, SEEN)
        other = Court("other.example/w").key
        assert code(lambda: seen(note.read(found), [court.key, twin], 2)) == "witness.too_few"
        assert code(lambda: seen(note.read(found), [court.key, twin, other], 2)) == "witness.quorum"
        assert len(seen(note.read(found), [court.key, twin, other], 1)) == 2
