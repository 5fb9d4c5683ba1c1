"""`cityid serve vc-api`: a program that listens, over TLS too, and ends when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.edge.servers import Authority
from tests.transcripts import Shell, environment
from tests.vc_api import configuration, credential


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vc-api.toml").write_text(configuration())
    return tmp_path


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[dict[str, Any]]:
    """What the server says when it listens; afterwards it has ended as it should."""
    command = [str(Path(sys.executable).parent / "cityid"), "serve", "vc-api", "vc-api.toml", "--port", "0", "--json"]
    # a run in the background of a shell ignores this signal, and would leave that to what it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*command, *more], cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            lines: list[bytes] = []
            while not lines or lines[-1].rstrip() != b"}":
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()
            yield json.loads(b"".join(lines))
        finally:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        assert process.returncode == 130, said
        assert b"Traceback" not in said


@pytest.mark.slow
def test_over_tls(folder: Path) -> None:
    authority = Authority.made(folder)
    server = authority.server("localhost")
    (folder / "roots.pem").write_text(authority.roots)
    import ssl

    trusted = ssl.create_default_context(cadata=authority.roots)
    with serving(folder, "--tls-cert", str(server), "--tls-key", str(server)) as said:
        port = said["listening"].rpartition(":")[2]
        assert said["listening"] == f"https://127.0.0.1:{port}"
        assert "eddsa-jcs-2022" in said["issuers"]
        with httpx2.Client(base_url=f"https://localhost:{port}", verify=trusted) as client:
            told = {one["name"]: one for one in client.get("/issuers").json()}
            body = {"credential": credential(told["eddsa-jcs-2022"]["id"])}
            made = client.post("/issuers/eddsa-jcs-2022/credentials/issue", json=body)
            assert made.status_code == 201
            judged = client.post("/credentials/verify", json=made.json())
            assert (judged.status_code, judged.json()["verified"]) == (200, True)
            assert "server" not in judged.headers
            large = client.post("/credentials/verify", content=b"x" * (2**20 + 1))
            assert (large.status_code, large.json()["code"]) == (413, "vc_api.too_large")
            assert client.get("/nothing").json()["code"] == "vc_api.not_found"


@pytest.mark.slow
def test_over_http(folder: Path) -> None:
    with serving(folder) as said:
        assert said["listening"].startswith("http://127.0.0.1:")
        assert httpx2.get(said["listening"] + "/issuers").status_code == 200


class TestWhatCannotBeServed:
    @pytest.fixture
    def shell(self, folder: Path) -> Shell:
        return Shell(folder, environment(folder))

    def said(self, shell: Shell, more: str) -> tuple[str, int]:
        output, status = shell.run(f"cityid serve vc-api vc-api.toml --port 0 {more} --json")
        code: str = json.loads(output[: output.index("\n}\n") + 2])["error"]["code"]
        return code, status

    def test_half_of_tls(self, shell: Shell) -> None:
        for more in ("--tls-cert a.pem", "--tls-key a.pem"):
            assert self.said(shell, more) == ("serve.tls_half", 2)

    def test_no_certificate(self, shell: Shell) -> None:
        assert self.said(shell, "--tls-cert vc-api.toml --tls-key vc-api.toml") == ("serve.tls", 2)
        assert self.said(shell, "--tls-cert a.pem --tls-key a.pem") == ("serve.tls", 2)

    def test_no_address(self, shell: Shell) -> None:
        assert self.said(shell, "--host 192.0.2.1") == ("serve.address", 3)

    def test_a_port_that_is_taken(self, shell: Shell) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert self.said(shell, f"--port {taken.getsockname()[1]}") == ("serve.address", 3)

    def test_no_configuration(self, shell: Shell, folder: Path) -> None:
        (folder / "vc-api.toml").write_text("purpose = 'x'\n[ask]\n")
        assert self.said(shell, "")[1] == 2
