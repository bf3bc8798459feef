"""Secrets at rest, lookup hashes, random tokens and passwords."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import KontoraError
from core.settings import get_settings

NONCE_BYTES = 12
_hasher = PasswordHasher()


class Undecryptable(KontoraError):
    """The stored secret was made with a key that is not configured, or belongs to another row."""

    code = "UNDECRYPTABLE"


def newest_key_id() -> str:
    """The id of the key that new secrets and seals are made with."""
    return next(iter(get_settings().encryption_keys()))


def derived_key(key_id: str, purpose: str) -> bytes:
    """The key for one purpose behind a configured key.

    Raises:
        Undecryptable: no key with this id is configured.
    """
    material = get_settings().encryption_keys().get(key_id)
    if material is None:
        raise Undecryptable(f"no encryption key with the id {key_id!r} is configured")
    return hmac.new(material, purpose.encode(), hashlib.sha256).digest()


def encrypt(plain: str, context: str) -> str:
    """AES-GCM under the newest key; ``context`` (for example ``oauth_tokens.access_token:7``) is bound to the text."""
    key_id = newest_key_id()
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(derived_key(key_id, "encrypt")).encrypt(nonce, plain.encode(), context.encode())
    return f"{key_id}:{(nonce + sealed).hex()}"


def decrypt(stored: str, context: str) -> str:
    """The text behind :func:`encrypt`.

    Raises:
        Undecryptable: unknown key id, altered text, or another context.
    """
    key_id, _, body = stored.partition(":")
    try:
        raw = bytes.fromhex(body)
        return (
            AESGCM(derived_key(key_id, "encrypt"))
            .decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode())
            .decode()
        )
    except (InvalidTag, ValueError):
        raise Undecryptable(f"the secret of {context} cannot be decrypted") from None


def keyed_hash(value: str, purpose: str) -> str:
    """HMAC-SHA256 in hex, so that secrets can be looked up without being stored; stable over key rotation."""
    return hmac.new(get_settings().lookup_key(), f"{purpose}\0{value}".encode(), hashlib.sha256).hexdigest()


def same(a: str, b: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(a.encode(), b.encode())


def random_token(prefix: str, size_bytes: int = 32) -> str:
    """A fresh bearer secret such as ``kat_…``; the prefix lets scanners recognise leaks."""
    return f"{prefix}_{secrets.token_urlsafe(size_bytes)}"


async def hash_password(password: str) -> str:
    """Argon2id hash (ACC-1), computed in a thread."""
    return await asyncio.to_thread(_hasher.hash, password)


def is_outdated(stored: str) -> bool:
    """Whether a password's hash was made with other parameters than are used today."""
    return _hasher.check_needs_rehash(stored)


async def verify_password(stored: str, password: str) -> bool:
    """Whether ``password`` is the one behind ``stored``, computed in a thread."""
    try:
        return await asyncio.to_thread(_hasher.verify, stored, password)
    except (VerificationError, InvalidHashError):
        return False
