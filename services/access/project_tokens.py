"""Project tokens: the credential of a product's back end (ACC-7, CAT-1)."""

from __future__ import annotations

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.errors import Unauthenticated
from core.principal import Principal
from models import Product

PURPOSE = "project_token"
LONGEST_CHARS = 200


async def product_principal(session: AsyncSession, token: str) -> Principal:
    """Who sends a project token: the back end of its product. After a rotation the old token works for an overlap.

    Raises:
        Unauthenticated: no product has this token, or its overlap is over.
    """
    if not 1 <= len(token) <= LONGEST_CHARS:
        raise Unauthenticated("send the project token in X-Project-Token")
    hashed = crypto.keyed_hash(token, PURPOSE)
    overlapping = and_(Product.previous_token_hash == hashed, Product.previous_token_until > clock.now())
    product_id: int | None = await session.scalar(
        select(Product.id).where(or_(Product.project_token_hash == hashed, overlapping))
    )
    if product_id is None:
        raise Unauthenticated("the project token is not valid")
    return Principal(kind="product", product_id=product_id, roles=("PRODUCT",))
