"""Real TLS servers on this machine, each connection answered by a script; and the certificates they need."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Script = Callable[[ssl.SSLSocket, bytes], None]
"""Answers one connection; the second argument is the head of the request."""
NAME = "city.example"


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    head = {"content-type": "application/json", "content-length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


def says(data: bytes) -> Script:
    return lambda connection, _: connection.sendall(data)


@dataclass(frozen=True)
class Authority:
    """A certification authority and what it certified."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def roots(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @classmethod
    def made(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(folder, key, _certificate(key, "test authority", key, None, days=(-1, 30)))

    def server(self, *names: str, days: tuple[int, int] = (-1, 30), own: bool = False) -> Path:
        """A PEM file with key and certificate for `names`, issued by this authority or (`own`) by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = None if own else self.certificate
        certificate = _certificate(key, names[0], key if own else self.key, issuer, *names, days=days)
        file = self.folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return file


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    subject: str,
    signed_with: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    *names: str,
    days: tuple[int, int],
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_with.public_key()), critical=False)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(entry) for entry in names]), critical=False)
    else:
        made = made.add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
        )
    return made.sign(signed_with, hashes.SHA256())


class Server:
    """Listens on 127.0.0.1; each connection gets the next script, the last one for ever."""

    def __init__(self, pem: Path | None, *scripts: Script, latest: ssl.TLSVersion | None = None) -> None:
        self._context: ssl.SSLContext | None = None
        if pem is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(pem)
            if latest is not None:
                self._context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                self._context.maximum_version = latest
                self._context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self._scripts = list(scripts)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self.connections = 0
        self.over = threading.Event()
        if self._context is not None:
            self._context.sni_callback = lambda _, name, __: self.names.append(name)
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    def url(self, path: str = "/", name: str = NAME) -> str:
        return f"https://{name}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            thread = threading.Thread(target=self._answer, args=(plain, script), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, plain: socket.socket, script: Script) -> None:
        connection: socket.socket = plain
        try:
            plain.settimeout(5)
            if self._context is not None:
                connection = self._context.wrap_socket(plain, server_side=True)
                head = b""
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                self.requests.append(head)
            else:
                head = b""
            script(connection, head)  # type: ignore[arg-type]
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                connection.close()
