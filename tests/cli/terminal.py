"""A terminal to type at: what a person sees and answers, through a pty."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 30.0


@dataclass
class Terminal:
    """One command at a terminal of its own; `seen` is all that it has shown so far."""

    pid: int
    fd: int
    other: int
    seen: str = ""
    status: int | None = None
    _taken: int = field(default=0, repr=False)

    @classmethod
    def start(cls, arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> Terminal:
        master, slave = pty.openpty()
        pid = os.fork()
        if pid == 0:  # pragma: no cover - the child
            os.close(master)
            os.setsid()
            os.close(os.open(os.ttyname(slave), os.O_RDWR))  # becomes the controlling terminal, so that Ctrl-C works
            for number in (0, 1, 2):
                os.dup2(slave, number)
            os.chdir(folder)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests themselves run in the background
            os.execve(sys.executable, [sys.executable, "-P", "-m", "cityid._cli", *arguments], dict(env))
        return cls(pid, master, slave)

    def expect(self, text: str) -> None:
        """Wait until `text` is shown, after what was expected before."""
        end = time.monotonic() + SECONDS
        while (at := self.seen.find(text, self._taken)) < 0:
            assert self._read(end), f"{text!r} never came; the terminal shows:\n{self.seen}"
        self._taken = at + len(text)

    def wait_for_silence(self, *, echo: bool) -> None:
        """Wait until the command reads, with the echo switched as it should be."""
        end = time.monotonic() + SECONDS
        while self.echo is not echo:
            assert time.monotonic() < end, "the echo was never switched"
            time.sleep(0.01)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def interrupt(self) -> None:
        self.type("\x03")

    @property
    def echo(self) -> bool:
        return bool(termios.tcgetattr(self.other)[3] & termios.ECHO)

    def end(self) -> int:
        """Wait until the command ends; its exit status."""
        end = time.monotonic() + SECONDS
        while self.status is None:
            self._read(time.monotonic() + 0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"it did not end; the terminal shows:\n{self.seen}")
        while self._read(time.monotonic() + 0.05):
            pass
        self.seen = self.seen.replace("\r\n", "\n")
        return self.status

    def close(self) -> None:
        os.close(self.fd)
        os.close(self.other)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self.fd], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return False
        self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
        return True
