"""Who knocks at the doors for product back ends: the product whose project token comes along (ACC-7)."""

from __future__ import annotations

from starlette.requests import Request

from core.database import transaction
from core.errors import Unauthenticated
from core.principal import Principal
from core.rates import Rates
from core.settings import get_settings
from services import access

_rates = Rates()


async def product_of(request: Request) -> Principal:
    """The product that asks, if it has not asked too often.

    Raises:
        Unauthenticated: no project token, or one that no product has.
        RateLimited: more requests in this minute than the settings allow.
    """
    token = request.headers.get("x-project-token")
    if token is None:
        raise Unauthenticated("send the project token in X-Project-Token")
    async with transaction() as session:
        actor = await access.product_principal(session, token)
    _rates.take(actor.product_id, get_settings().usage_requests_per_minute)
    return actor
