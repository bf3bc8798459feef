"""PostgreSQL and Valkey from PyPI wheels, so that a fresh machine needs no server (OPS-1)."""

from core.embedded.servers import EmbeddedServerError, EmbeddedServers

__all__ = ["EmbeddedServerError", "EmbeddedServers"]
