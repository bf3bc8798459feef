"""Tokens that a provider has signed: only with its own keys, asked for anew when it has changed them."""

from __future__ import annotations

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwt import Token

from gateways.oidc.metadata import Metadata, keys_of

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that only the provider can make: none without a key, none with a key that we hold too."""


async def decoded(metadata: Metadata, text: str) -> Token:
    """A token whose signature holds; what it claims is still to be checked.

    Raises:
        JoseError, ValueError, TypeError: it does not hold, or is no token.
        OidcUnanswered: see there.
    """
    try:
        return jwt.decode(text, await keys_of(metadata), algorithms=list(ALGORITHMS))
    except InvalidKeyIdError:
        # The provider has changed its keys.
        return jwt.decode(text, await keys_of(metadata, again=True), algorithms=list(ALGORITHMS))
