"""T-Bank's signature: SHA-256 over the sorted root scalars and the password (API v2, section "Token")."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def token(parameters: Mapping[str, Any], password: str) -> str:
    """The token of a request or a notification; nested values and `Token` itself take no part."""
    scalars = {
        name: _text(value)
        for name, value in parameters.items()
        if name != "Token" and value is not None and not isinstance(value, (Mapping, list, tuple))
    }
    scalars["Password"] = password
    joined = "".join(scalars[name] for name in sorted(scalars))
    return hashlib.sha256(joined.encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
