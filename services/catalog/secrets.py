"""Secrets of products that we use ourselves: kept encrypted, and told to people by a reveal alone (ACC-3, CAT-1)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core import crypto
from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.catalog import ProductSecret
from models import Product
from services import audit, events
from services.loading import load

LONGEST_REASON_CHARS = 500


class NoSecret(Conflict):
    """The product has no such secret."""

    code = "NO_SECRET"


def keep_client_secret(product: Product, secret: str | None) -> None:
    """Give a flushed product the secret of its integration at the CRM, or take it away."""
    product.client_secret_encrypted = None if secret is None else crypto.encrypt(secret, _context(product))


def client_secret_of(product: Product) -> str | None:
    """The secret of a product's integration at the CRM."""
    kept = product.client_secret_encrypted
    return None if kept is None else crypto.decrypt(kept, _context(product))


async def reveal(
    session: AsyncSession, actor: Principal, *, product_id: int, secret: ProductSecret, reason: str
) -> tuple[Product, str]:
    """Tell a secret, to be typed in elsewhere; who asked and why stands in the audit trail.

    Tokens of back ends are kept as hashes and cannot be told: they are rotated.

    Raises:
        NotFound: there is no such product.
        NoSecret: the product has no such secret.
        InvalidValue: no reason, or a long one.
    """
    told = fields.line(reason, "reason", most_chars=LONGEST_REASON_CHARS)
    product = await load(session, actor, Product, product_id)
    if secret is ProductSecret.CLIENT_SECRET:
        found = client_secret_of(product)
    else:
        found = next(iter(events.secrets_of(product)), None)
    if found is None:
        raise NoSecret(f"the product has no {secret}", field=fields.path("secret"))
    after = {"revealed": secret, "reason": told}
    await audit.record(session, actor, "product.reveal_secret", product, before=None, after=after)
    return product, found


def _context(product: Product) -> str:
    return f"products.client_secret:{product.id}"
