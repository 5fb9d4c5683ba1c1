"""What was fetched is kept in a folder: lists outlive the process; what was fetched ahead serves without a network."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid import limits
from cityid.edge import http_kept
from cityid.edge.http import Http
from cityid.edge.http_async import AsyncHttp
from cityid.edge.http_cache import Cache
from cityid.edge.http_kept import KeptFolder, only_kept, with_kept_documents
from cityid.errors import Unavailable
from cityid.plan import Request, Response
from cityid.status import Freshness
from cityid.status.token_status_list import CWT, JWT
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, URI, code, judge, ref, token

OFFICE = Office()
LIST = Request("GET", URI, {"accept": f"{JWT}, {CWT};q=0.9"}, max_age=HOUR)
DOCUMENT = Request("GET", "https://id.lindau.example/.well-known/did.json", {"accept": "application/json"})


def answer(body: bytes = b"{}", media: str = "application/json", **headers: str) -> Response:
    return Response(200, {"content-type": media, **headers}, body, NOW)


def a_list(**more: Any) -> Response:
    return answer(token(OFFICE, **more), JWT)


class TestKept:
    def test_a_list_outlives_the_process(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path / "kept").put(LIST, a_list())
        found = KeptFolder(tmp_path / "kept").get(LIST, NOW + HOUR / 2)
        assert found is not None
        assert (found.status, found.headers, found.received, found.ahead) == (200, {"content-type": JWT}, NOW, False)
        assert KeptFolder(tmp_path / "kept").get(LIST, NOW + HOUR) is None
        assert KeptFolder(tmp_path / "kept").get(replace(LIST, max_age=2 * HOUR), NOW + HOUR) is not None
        assert KeptFolder(tmp_path / "kept").get(replace(LIST, url=URI + "x"), NOW) is None
        assert KeptFolder(tmp_path / "kept").get(LIST, NOW - timedelta(seconds=1)) is None  # a clock set back

    def test_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path / "kept").put(LIST, a_list())
        (file,) = (tmp_path / "kept").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
        assert "lindau" not in file.name

    def test_documents_only_when_fetched_ahead(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path).put(DOCUMENT, answer())
        assert list(tmp_path.iterdir()) == []
        KeptFolder(tmp_path, ahead=True).put(replace(DOCUMENT, max_age=timedelta(0)), answer())
        found = KeptFolder(tmp_path).get(replace(DOCUMENT, max_age=HOUR), NOW)
        assert found is not None
        assert found.ahead
        # without a word of ours the server's own holds, which says nothing here
        assert KeptFolder(tmp_path).get(DOCUMENT, NOW) is None

    def test_fetched_ahead_stays_so(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path, ahead=True).put(LIST, a_list())
        newer = replace(a_list(values={5: 1}), received=NOW + HOUR)
        KeptFolder(tmp_path).put(LIST, newer)
        found = KeptFolder(tmp_path).get(LIST, NOW + HOUR)
        assert found is not None
        assert (found.ahead, found.received, found.body) == (True, NOW + HOUR, newer.body)
        never = replace(LIST, url=URI + "/other")
        KeptFolder(tmp_path).put(never, answer(token(OFFICE, uri=URI + "/other"), JWT))
        other = KeptFolder(tmp_path).get(never, NOW)
        assert other is not None
        assert not other.ahead

    def test_an_error_page_drives_nothing_out(self, tmp_path: Path) -> None:
        kept = KeptFolder(tmp_path)
        kept.put(LIST, a_list())
        good = kept.get(LIST, NOW)
        for bad in (
            answer(b"<html>", "text/html"),
            replace(a_list(), status=500),
            answer(b"a.b", JWT),
            answer(b"", JWT),
        ):
            kept.put(LIST, bad)
            assert kept.get(LIST, NOW) == good
            again = KeptFolder(tmp_path).get(LIST, NOW)
            assert again is not None
            assert good is not None
            assert again.body == good.body

    def test_what_is_no_such_file_is_none(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path).put(LIST, a_list())
        (file,) = tmp_path.iterdir()
        good = file.read_bytes()
        head, _, body = good.partition(b"\n")
        changed = ((b"lindau", b"bregenz"), (b"false", b"0"), (b"2026", b"20"))
        heads = [head.replace(old, new) + b"\n" + body for old, new in changed]
        for wrong in (b"", b"{}", b"\xff\n", head, b"[]\n" + body, *heads):
            file.write_bytes(wrong)
            assert KeptFolder(tmp_path).get(LIST, NOW) is None
        file.write_bytes(good)
        assert KeptFolder(tmp_path).get(LIST, NOW) is not None
        file.unlink()
        file.mkdir()
        assert KeptFolder(tmp_path).get(LIST, NOW) is None

    def test_a_full_disk_changes_no_verdict(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise Unavailable("file.disk_full", path="kept")

        monkeypatch.setattr("cityid.edge.files.write", full)
        kept = KeptFolder(tmp_path)
        kept.put(LIST, a_list())
        assert kept.get(LIST, NOW) is not None
        assert list(tmp_path.iterdir()) == []

    def test_the_oldest_go(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_kept, "FILES", 3)
        kept = KeptFolder(tmp_path)
        for number in range(5):
            uri = f"{URI}/{number}"
            kept.put(replace(LIST, url=uri), answer(token(OFFICE, uri=uri), JWT))
            for file in tmp_path.iterdir():
                os.utime(file, (number, number)) if file.stat().st_mtime > 1000 else None
        assert len(list(tmp_path.iterdir())) == 3
        assert KeptFolder(tmp_path).get(replace(LIST, url=f"{URI}/1"), NOW) is None
        assert KeptFolder(tmp_path).get(replace(LIST, url=f"{URI}/4"), NOW) is not None

    def test_other_methods_are_not_kept(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path, ahead=True).put(replace(LIST, method="POST"), a_list())
        assert list(tmp_path.iterdir()) == []


class TestAskingForWhatIsKept:
    def test_nothing_leaves(self) -> None:
        cache = Cache()
        ask = replace(LIST, kept=True)

        async def both() -> None:
            await AsyncHttp(cache=cache)(ask)

        with pytest.raises(Unavailable) as caught:
            Http(cache=cache)(ask)
        assert caught.value.code == "net.not_kept"
        with pytest.raises(Unavailable) as caught:
            asyncio.run(both())
        assert caught.value.code == "net.not_kept"
        cache.put(LIST, a_list())
        assert Http(cache=cache, clock=lambda: NOW)(ask).received == NOW

    def test_only_kept(self, tmp_path: Path) -> None:
        kept = KeptFolder(tmp_path)
        ask = only_kept(kept, lambda: NOW)
        with pytest.raises(Unavailable) as caught:
            ask(LIST)
        assert caught.value.code == "net.offline"
        kept.put(LIST, a_list())
        assert ask(LIST).received == NOW


class TestDocuments:
    """A DID document or an issuer's keys, fetched ahead, where the network does not answer."""

    def through(self, folder: Path, offline: timedelta, hours: int, request: Request = DOCUMENT) -> Response:
        def dead(request: Request) -> Response:
            raise Unavailable("net.name", host="id.lindau.example")

        return with_kept_documents(dead, KeptFolder(folder), offline, lambda: NOW + hours * HOUR)(request)

    def test_for_as_long_as_the_policy_says(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path, ahead=True).put(DOCUMENT, answer(b'{"a":1}'))
        assert self.through(tmp_path, 8 * HOUR, 7).body == b'{"a":1}'
        for offline, hours in ((8 * HOUR, 8), (timedelta(0), 0)):
            with pytest.raises(Unavailable) as caught:
                self.through(tmp_path, offline, hours)
            assert caught.value.code == "net.name"

    def test_only_what_was_fetched_ahead(self, tmp_path: Path) -> None:
        """A document kept because somebody once asked for it with an age of their own is no stand-in."""
        KeptFolder(tmp_path).put(replace(DOCUMENT, max_age=HOUR), answer())
        with pytest.raises(Unavailable):
            self.through(tmp_path, 8 * HOUR, 0)
        KeptFolder(tmp_path, ahead=True).put(DOCUMENT, answer())
        assert self.through(tmp_path, 8 * HOUR, 0).body == b"{}"

    def test_lists_are_asked_for_by_the_plan(self, tmp_path: Path) -> None:
        KeptFolder(tmp_path, ahead=True).put(LIST, a_list())
        with pytest.raises(Unavailable):
            self.through(tmp_path, 8 * HOUR, 2, LIST)

    def test_an_answer_is_an_answer(self, tmp_path: Path) -> None:
        gone = replace(answer(), status=404)
        ask = with_kept_documents(lambda request: gone, KeptFolder(tmp_path), 8 * HOUR, lambda: NOW)
        assert ask(DOCUMENT).status == 404


def test_a_whole_status_offline(tmp_path: Path) -> None:
    KeptFolder(tmp_path, ahead=True).put(LIST, a_list())
    policy = Freshness(offline=8 * HOUR)
    for hours, index, expected in ((1, 0, "passed"), (1, 1, "status.invalid"), (9, 0, "status.stale")):
        at = NOW + hours * HOUR
        ask = only_kept(KeptFolder(tmp_path), lambda at=at: at)  # type: ignore[misc]
        assert code(judge(ask, OFFICE, ref(index), freshness=policy, at=at)) == expected
    assert limits.STATUS_KEPT > 8 * HOUR
