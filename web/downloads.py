"""What the doors of signed links to files share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from core.errors import KontoraError
from web.pages import page

# Nobody between us and the reader keeps the file, and its address is not passed on.
PRIVATE: Mapping[str, str] = MappingProxyType(
    {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
)


def no_file(noun: str, error: KontoraError) -> Response:
    """The page of a link that leads to nothing any more."""
    return page(f"No {noun} here", f"<p>Sorry: {error.message}. Ask for a new one.</p>", 403)
