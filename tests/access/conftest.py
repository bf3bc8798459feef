"""The application over HTTP, for the tests of access."""

from __future__ import annotations

from tests.web.conftest import http, token

__all__ = ["http", "token"]
