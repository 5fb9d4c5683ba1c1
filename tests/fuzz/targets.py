"""What is fuzzed: bytes go in; a value that an oracle agrees with comes out, or one of our own errors."""

from __future__ import annotations

import hashlib
import io
import json as plain
import os
import shutil
import tempfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from cityid import limits
from cityid.credential_type import columns, from_row
from cityid.edge import sealed
from cityid.encoding import json
from cityid.encoding.table import Row, Table
from cityid.errors import CityIdError, Malformed
from cityid.formats import FORMATS
from cityid.jose import sd_jwt
from cityid.status import token_status_list as lists
from cityid.status.token_status_list import Packed


def status_list(data: bytes) -> None:
    """The first byte says how: a whole token in either form, a list as it was compressed, or one that is compressed
    here. Every entry is what a shift of the whole list says."""
    if not data:
        return
    how, rest = data[0] & 7, data[1:]
    if how < 2:
        with suppress(Malformed):
            lists.read(rest, "cwt" if how else "jwt").entries()
        return
    bits = (1, 2, 4, 8)[data[0] >> 6]
    packed = rest if how == 2 else zlib.compress(rest)
    try:
        found = Packed(bits, packed).unpack()
    except Malformed:
        assert how == 2 or not rest, "a list that is whole was refused"
        return
    raw = zlib.decompress(packed)
    assert len(raw) <= limits.STATUS_LIST
    whole = int.from_bytes(raw, "little")
    for index in {0, len(found) // 2, len(found) - 1, *range(min(len(found), 16))}:
        if 0 <= index < len(found):
            assert found[index] == whole >> index * bits & (1 << bits) - 1


def strict_json(data: bytes) -> None:
    """What is read is what Python's own reader reads, and is written as something that is read as the same."""
    try:
        value = json.read(data)
    except Malformed:
        return
    assert value == plain.loads(data.decode("utf-8")), "it was read as something else"
    written = json.write(value)
    assert json.read(written) == value
    assert json.write(json.read(written)) == written


@cache
def _types() -> Mapping[str, Any]:
    from tests.jobs.offices import TYPES

    return TYPES


def csv_import(data: bytes) -> None:
    """The first byte says which form. Reading on behind any row gives the same rows; each row is a person's claims or
    says what is wrong with it."""
    form = "jsonl" if data[:1] == b"{" else "csv"
    file = io.BytesIO(data)
    rows: list[Row] = []
    with suppress(Malformed):
        table = Table(file, form)  # type: ignore[arg-type]
        rows.extend(table.rows())
    for row in rows[:4]:
        assert 0 < row.end.offset <= len(data)
    if not rows:
        return
    again = Table(io.BytesIO(data), form)  # type: ignore[arg-type]
    rest: list[Row] = []
    with suppress(Malformed):
        rest.extend(again.rows(rows[0].end))
    assert rest == rows[1:], "a second reader sees other rows"
    for kind in ("residency", "age"):
        names = columns(_types()[kind])
        for row in rows[:3]:
            if isinstance(row.data, list) and not row.problem:
                cells = dict(zip(again.columns, row.data, strict=True))
                with suppress(CityIdError):
                    from_row(_types()[kind], cells)
        assert names


def sd_jwt_processing(data: bytes) -> None:
    """As it is; and where it is a JSON object with `payload` and `disclosures`, as a token made of them, in which "$0"
    stands for the first disclosure's digest. Every disclosure has its one place, and no digest is left."""
    with suppress(Malformed):
        FORMATS["dc+sd-jwt"].read(data)
    for reader in (sd_jwt.read, sd_jwt.read_json):
        with suppress(Malformed):
            reader(data, typ=None)
    try:
        given = plain.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(given, dict) or not isinstance(given.get("disclosures"), list):
        return
    made = [_b64(plain.dumps(one).encode()) for one in given["disclosures"][:8]]
    text = plain.dumps(given.get("payload"))
    for number, one in enumerate(made):
        text = text.replace(f'"${number}"', f'"{_b64(hashlib.sha256(one.encode()).digest())}"')
    head = _b64(plain.dumps(given.get("header", {"alg": "ES256", "typ": "dc+sd-jwt"})).encode())
    token = "~".join([f"{head}.{_b64(text.encode())}.{_b64(bytes(64))}", *made, ""])
    with suppress(Malformed):
        found = sd_jwt.read(token, typ=None).processed
        assert len(found.hidden) == len(made), "a disclosure that is not used, or is used twice"
        assert not _reserved(found.payload), "a digest was left"
    with suppress(Malformed):
        FORMATS["dc+sd-jwt"].read(token.encode())


def _reserved(value: Any) -> bool:
    if isinstance(value, dict):
        return not value.keys().isdisjoint({"_sd", "...", "_sd_alg"}) or any(map(_reserved, value.values()))
    return isinstance(value, list) and any(map(_reserved, value))


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def _wallet() -> tuple[bytes, bytes, Any, Path]:
    """A wallet's file, its data key, what it holds, and a folder to open others in."""
    from tests.edge import wallet_crashes

    with mock.patch.object(sealed, "derive", wallet_crashes.cheap):
        folder = Path(
            tempfile.mkdtemp(prefix="cityid-fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        )
        import atexit

        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / wallet_crashes.NAME
        key = wallet_crashes.template(path)
        wallet_crashes.opened(path, key).close()  # as the newest version has it
        return path.read_bytes(), key, wallet_crashes.held(path, key), folder


def wallet_file(data: bytes) -> None:
    """The first byte says how: a header; or a wallet in which some bytes are changed (three bytes each: where, what),
    which was cut, or which grew. It opens as what it was, or not at all."""
    from tests.edge import wallet_crashes

    if not data:
        return
    how, rest = data[0] & 3, data[1:]
    if how == 0:
        with suppress(CityIdError):
            sealed.read_header(rest, "wallet")
        return
    whole, key, held, folder = _wallet()
    changed = bytearray(whole)
    if how == 1:
        for start in range(0, min(len(rest) - 2, 60), 3):
            changed[int.from_bytes(rest[start : start + 2], "big") * len(whole) >> 16] ^= rest[start + 2]
    elif how == 2:
        del changed[int.from_bytes(rest[:2], "big") * len(whole) >> 16 :]
    else:
        changed += rest
    for left in folder.iterdir():
        left.unlink()
    path = folder / wallet_crashes.NAME
    path.write_bytes(changed)
    path.chmod(0o600)
    with mock.patch.object(sealed, "derive", wallet_crashes.cheap), suppress(CityIdError):
        assert wallet_crashes.held(path, key) == held, "a changed wallet opens as something else"


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "status_list": status_list,
    "strict_json": strict_json,
    "csv_import": csv_import,
    "sd_jwt": sd_jwt_processing,
    "wallet_file": wallet_file,
}
CORPUS = Path(__file__).parent / "corpus"
