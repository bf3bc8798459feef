"""Keys of encryption and of lookups, and secrets that a sandbox makes for itself."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from core.settings.server import ServerSettings

MIN_SECRET_KEY_CHARS = 32


class SecretKeySettings(ServerSettings):
    """Keys and secrets"""

    production_needs = ("secret_keys", "lookup_key_secret")

    secret_keys: SecretStr | None = Field(
        default=None,
        description="Encryption keys, newest first: `id:secret,id:secret`, secrets of 32 characters or more. "
        "The sandbox makes one in its data folder; production requires it.",
    )
    lookup_key_secret: SecretStr | None = Field(
        default=None, description="Key of lookup hashes and signed links; never rotated. Production requires it."
    )
    demo_password: SecretStr | None = Field(default=None, description="Password of the demo users; sandbox only.")

    @model_validator(mode="after")
    def _keys_are_whole(self) -> Self:
        self.encryption_keys()
        return self

    @cached_property
    def _sandbox_secret(self) -> str:
        return _read_or_create_secret(self.data_dir / "secret.key", random_bytes=48)

    def demo_users_password(self) -> str:
        """Password of the demo users: the one set, else one made at the first start and kept in the data folder."""
        if self.demo_password is not None:
            return self.demo_password.get_secret_value()
        return _read_or_create_secret(self.data_dir / "demo-password", random_bytes=9)

    def encryption_keys(self) -> dict[str, bytes]:
        """Key id to key material, newest first."""
        if self.secret_keys is None:
            return {"sandbox": self._sandbox_secret.encode()}
        keys: dict[str, bytes] = {}
        for part in self.secret_keys.get_secret_value().split(","):
            key_id, _, secret = part.strip().partition(":")
            if not key_id or len(secret) < MIN_SECRET_KEY_CHARS:
                raise ValueError(
                    f"KONTORA_SECRET_KEYS wants `id:secret` with {MIN_SECRET_KEY_CHARS} characters or more"
                )
            keys[key_id] = secret.encode()
        return keys

    def lookup_key(self) -> bytes:
        """Key of lookup hashes and signed links."""
        if self.lookup_key_secret is None:
            return f"lookup:{self._sandbox_secret}".encode()
        return self.lookup_key_secret.get_secret_value().encode()


def _read_or_create_secret(path: Path, *, random_bytes: int) -> str:
    """The secret kept at ``path``, readable by the owner only; made by whoever comes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(random_bytes))
        with suppress(FileExistsError):
            os.link(scratch, path)
        scratch.unlink()
    return path.read_text()
