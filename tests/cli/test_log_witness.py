"""`cityid register witness`: cosigned by https and by file, told apart, and asked for by an auditor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cityid.edge import http
from cityid.errors import Unavailable
from cityid.log import Verifier
from cityid.plan import Request, Response
from tests.cli.towns import Town
from tests.spec import test_tlog_witness_client as client

pytestmark = pytest.mark.kdf
STATUS = "https://id.lindau.example/status"


class TestWitness:
    def test_from_publishing_to_the_audit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        town = Town(tmp_path / "town")
        name = "--did did:web:id.lindau.example --name Lindau --country DE"
        town.must(f"init city city {name} --status-url {STATUS}", secret=True)
        (town.here / "www").mkdir()
        courts = [client.Court(f"court.example/w{number}") for number in range(3)]
        keys = [f"--witness {one.key.write()}" for one in courts]
        by_url = f"--home city register witness www {keys[0]} --url https://court.example/"
        said, status = town.type(by_url)
        assert (status, "audit.unsigned" in said) == (2, True)
        town.must("--home city register publish www", secret=True)
        log = (town.here / "city" / "log.key").read_text("utf-8").strip()
        monkeypatch.setattr(client, "LOG", Verifier.read(log))

        class Fake(http.Http):
            def _hop(self, deadline: Any, request: Request) -> Response:
                if request.url != "https://court.example/add-checkpoint":
                    raise Unavailable("net.name", host="elsewhere.example")
                return courts[0](request)

        monkeypatch.setattr(http, "Http", Fake)
        audit = f"register audit --tiles www/log --key {log} {' '.join(keys)}"
        assert "court.example/w0 cosigned" in town.must(by_url)
        assert "witness.quorum" in town.type(f"{audit} --quorum 2")[0]
        assert town.type(f"{audit} --quorum 1")[1] == 0

        # The second sends a file; the third's file is of somebody else, and the second's counts all the same.
        checkpoint = (town.here / "www/log/checkpoint").read_bytes()
        town.write("second", courts[1].lines(checkpoint))
        town.write("third", courts[1].lines(checkpoint))
        asked = f"--home city register witness www {keys[2]} {keys[1]} --take third --take second"
        said, _, status = town.apart(f"{asked} --json")
        assert status == 1
        told = json.loads(said)
        assert told["cosigned"] == [courts[1].key.name]
        assert [(one["witness"], one["code"]) for one in told["refused"]] == [(courts[2].key.name, "witness.absent")]
        assert town.type(f"{audit} --quorum 2")[1] == 0
        assert "witness.quorum" in town.type(f"{audit} --quorum 3")[0]
        assert "witness.absent" in town.type(audit)[0]
        assert "witness.too_few" in town.type(f"{audit} --quorum 4")[0]
        said, status = town.type(asked)
        assert (status, "(witness.absent)" in said) == (1, True)

        away = f"--home city register witness www {keys[0]} --url https://elsewhere.example/"
        assert "net.name" in town.type(away)[0]
        for wrong in ("", keys[0], f"{keys[0]} --url a --url b", f"{keys[0]} {keys[1]} --url a --take second"):
            said, status = town.type(f"--home city register witness www {wrong}")
            assert (status, "witness.pairs" in said) == (2, True), wrong
        assert "audit.options" in town.type("--home city register audit --quorum 1")[0]
