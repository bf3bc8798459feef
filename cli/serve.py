"""`kontora serve`: the API."""

from __future__ import annotations

import importlib
import os
import socket
from typing import Annotated

import typer

from cli.servers import servers_for_command
from core.settings import get_settings

GRACEFUL_STOP_SECONDS = 10


def serve(
    socket_fd: Annotated[int | None, typer.Option(hidden=True, help="A listening socket that was handed over.")] = None,
    gate_fd: Annotated[int | None, typer.Option(hidden=True, help="A pipe whose end tells to begin.")] = None,
) -> None:
    """Serve the API on KONTORA_HOST and KONTORA_PORT."""
    with servers_for_command(redis=True):
        import uvicorn

        app = importlib.import_module("web.app").app
        if gate_fd is not None:
            os.read(gate_fd, 1)
        settings = get_settings()
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            # Otherwise anybody could choose the address that the audit trail and the throttle see.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            log_level="warning",
            timeout_graceful_shutdown=GRACEFUL_STOP_SECONDS,
            ws_max_size=settings.body_limit_bytes,
        )
        handed = None if socket_fd is None else [socket.socket(fileno=socket_fd)]
        uvicorn.Server(config).run(sockets=handed)
