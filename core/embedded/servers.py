"""Both embedded servers on one data folder: whoever holds its lock starts them, everybody else attaches."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from core.embedded.postgres import EmbeddedPostgres
from core.embedded.process import EmbeddedServerError, lock_folder, socket_folder
from core.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedServerError", "EmbeddedServers"]


class EmbeddedServers:
    """The servers of one data folder.

    Parameters:
        data_dir: folder of all data; made when missing.
        postgres: whether PostgreSQL is wanted (no, when one is given by URL).
        valkey: whether Valkey is wanted.
        settings: PostgreSQL settings beside the defaults.
    """

    def __init__(
        self, data_dir: Path, *, postgres: bool = True, valkey: bool = True, settings: dict[str, str] | None = None
    ) -> None:
        data_dir = data_dir.resolve()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        sockets = socket_folder(data_dir)
        self.data_dir = data_dir
        self.postgres = EmbeddedPostgres(data_dir / "postgres", sockets, settings) if postgres else None
        self.valkey = EmbeddedValkey(data_dir / "valkey", sockets) if valkey else None
        self._lock: IO[str] | None = None

    def start(self, *, attach: bool = True) -> bool:
        """Start the servers, or attach to the ones that another process runs on this folder.

        Parameters:
            attach: False leaves another process's servers alone.

        Returns:
            Whether the servers may be used.

        Raises:
            EmbeddedServerError: a server did not start, or the running one does not answer.
        """
        if self.postgres is None and self.valkey is None:
            return True
        self._lock = lock_folder(self.data_dir)
        if self._lock is None and not attach:
            return False
        for server in (self.postgres, self.valkey):
            if server is None:
                continue
            if self._lock is None:
                server.wait()
            else:
                server.start()
        return True

    @property
    def attached(self) -> bool:
        """Whether another process runs the servers."""
        return self._lock is None

    def restart_dead(self) -> list[str]:
        """Start again what has died; the names of those."""
        revived = []
        if self._lock is not None:
            for name, server in (("PostgreSQL", self.postgres), ("Valkey", self.valkey)):
                if server is not None and not server.alive():
                    server.start()
                    revived.append(name)
        return revived

    def stop(self) -> None:
        """Stop the servers that we started."""
        if self._lock is None:
            return
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()
        self._lock.close()
        self._lock = None
