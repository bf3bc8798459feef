"""`kontora serve`: the API."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from cli.servers import servers_for_command
from core.settings import get_settings

GRACEFUL_STOP_SECONDS = 10


def serve(
    socket_fd: Annotated[int | None, typer.Option(hidden=True, help="A listening socket that was handed over.")] = None,
) -> None:
    """Serve the API on KONTORA_HOST and KONTORA_PORT."""
    with servers_for_command(redis=True):
        import uvicorn

        settings = get_settings()
        config = uvicorn.Config(
            "web.app:app",
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            log_level="warning",
            timeout_graceful_shutdown=GRACEFUL_STOP_SECONDS,
        )
        handed = None if socket_fd is None else [socket.socket(fileno=socket_fd)]
        uvicorn.Server(config).run(sockets=handed)
