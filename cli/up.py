"""`kontora up`: everything, in one terminal."""

from __future__ import annotations

import errno
import http.client
import importlib
import os
import signal
import socket
import sys
import threading
import time

from cli.servers import embedded_servers, point_settings_at, run
from cli.supervisor import Part, Supervisor, say
from core.errors import UserError
from core.settings import get_settings

PORT_WAIT_SECONDS = 3.0
READY_PROBE_SECONDS = 0.15
BACKLOG = 2048


class PortUsed(UserError):
    """Another program listens where the API should."""

    code = "PORT_USED"


class DataFolderUsed(UserError):
    """Another Kontora runs on the same data folder."""

    code = "DATA_FOLDER_USED"


def up() -> None:
    """Start the servers, the API, a worker and the scheduler; migrate and make the demo world first."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = get_settings()
    listener = _listen(settings.host, settings.port)
    # Python loads the house while PostgreSQL starts; the thread that starts the servers must be the main one,
    # for the kernel stops them when the thread that started them ends.
    loading = threading.Thread(target=_load_the_house)
    loading.start()
    servers = embedded_servers(redis=True)
    point_settings_at(servers)
    # The API loads meanwhile too; it begins to answer when we close our end of the pipe.
    gate, opener = os.pipe()
    handed = [listener.fileno(), gate]
    api = Part("The API", ["serve", "--socket-fd", str(listener.fileno()), "--gate-fd", str(gate)], handed)
    supervisor = Supervisor(servers, [api, Part("The worker", ["work"]), Part("The scheduler", ["schedule"])])
    try:
        api.start()
        if not servers.start(attach=False):
            raise DataFolderUsed(
                f"another Kontora runs on {settings.data_dir.resolve()}; KONTORA_DATA_DIR says where else to keep data"
            )
        loading.join()
        sign_ins = run(_prepare())
        os.close(opener)
        supervisor.run(_Announcement(began, sign_ins))
        say("\nStopping …")
    finally:
        listener.close()
        supervisor.stop()
        servers.stop()
        # A module that is loaded while the interpreter ends may fail, and would say so in our last lines.
        loading.join()
    say("Stopped.")


async def _prepare() -> str:
    from cli.users import seed
    from core.database import database_url
    from migrations.run import upgrade

    await upgrade(database_url())
    return await seed() if get_settings().mode == "sandbox" else ""


def _load_the_house() -> None:
    for name in ("migrations.run", "services.demo"):
        importlib.import_module(name)


class _Announcement:
    """Says once where everything is, as soon as the API answers."""

    def __init__(self, began: float, sign_ins: str) -> None:
        self.began = began
        self.sign_ins = sign_ins
        self.said = False

    def __call__(self) -> None:
        if self.said or not _answers():
            return
        self.said = True
        url = get_settings().base_url
        say(f"\nKontora runs at  {url}  (after {time.monotonic() - self.began:.1f} s)")
        say(f"GraphiQL is at   {url}/graphql")
        say("\n".join(filter(None, [self.sign_ins, "Ctrl-C stops everything.\n"])))


def _answers() -> bool:
    settings = get_settings()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=READY_PROBE_SECONDS)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listen(host: str, port: int) -> socket.socket:
    """The API's listening socket, ours for as long as we run: while the API restarts, callers wait in its queue.

    Raises:
        PortUsed: for longer than an API that was just killed may need to let go of it.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
            if time.monotonic() > deadline:
                raise PortUsed(
                    f"port {port} is used by another program, perhaps by another Kontora; "
                    "KONTORA_PORT chooses another port, KONTORA_DATA_DIR another folder for a second copy"
                ) from error
            time.sleep(0.1)
        else:
            listener.listen(BACKLOG)
            return listener
