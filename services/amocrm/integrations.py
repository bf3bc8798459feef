"""Our products as amoCRM knows them: integrations with a client UUID and a secret (CAT-1)."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.settings import get_settings
from gateways.amocrm.client import Integration
from models import Product
from services.catalog.secrets import client_secret_of

REDIRECT_PATH = "/amocrm/oauth"


def redirect_uri() -> str:
    """Our one redirect address, which every integration at amoCRM names."""
    return get_settings().base_url + REDIRECT_PATH


async def integration_of(session: AsyncSession, client_uuid: str) -> tuple[Product, Integration]:
    """The product and integration of a client UUID.

    Raises:
        NotFound: no product has it, or the product has no client secret.
    """
    try:
        wanted = uuid.UUID(client_uuid)
    except ValueError:
        raise NotFound.of("Integration") from None
    product: Product | None = await session.scalar(select(Product).where(Product.client_uuid == wanted))
    secret = None if product is None else client_secret_of(product)
    if product is None or secret is None:
        raise NotFound.of("Integration")
    return product, Integration(str(wanted), secret, redirect_uri())


async def client_secret(session: AsyncSession, client_uuid: str) -> str | None:
    """The secret of an integration; None where there is none. For the sandbox's emulator."""
    try:
        return (await integration_of(session, client_uuid))[1].client_secret
    except NotFound:
        return None
