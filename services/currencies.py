"""Rates of currencies, entered with the moment from which they hold (CAT-4)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from core.settings import get_settings
from domain import fields
from models import CurrencyRate
from policies.scopes import require
from services import audit
from services.changes import unique

RATE_PLACES = 4


async def set_rate(
    session: AsyncSession, actor: Principal, *, currency: str, rate: Decimal, valid_from: datetime | None, source: str
) -> CurrencyRate:
    """Enter what one unit of a currency is worth in the base currency; what held before stays on record.

    Raises:
        Conflict: the base currency has no rate, or this one has one from this very moment.
        UserError: a value is not fit for its field.
    """
    require(actor, "currency_rate:write", "Mutation.currencyRateSet")
    currency = fields.currency(currency, "currency")
    if currency == get_settings().base_currency:
        raise Conflict("the base currency is worth itself", field=fields.path("currency"))
    value = fields.amount(rate, "rate", places=RATE_PLACES)
    if not value:
        raise fields.InvalidAmount("a rate is more than nothing", field=fields.path("rate"))
    made = CurrencyRate(
        currency=currency,
        rate=value,
        valid_from=valid_from or clock.now(),
        source=fields.line(source, "source"),
        set_by_user_id=actor.user_id,
    )
    taken = "this currency has a rate from this moment"
    async with unique(session, "uq_currency_rates_currency_valid_from", taken, "validFrom"):
        session.add(made)
    after = {"currency": currency, "rate": value, "valid_from": made.valid_from, "source": made.source}
    await audit.record(session, actor, "currency_rate.set", made, before=None, after=after)
    return made
