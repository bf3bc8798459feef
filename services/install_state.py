"""How an install stands, in one query: for its widget and for the back end of its product (INS-5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound
from core.principal import Principal
from domain.partners import PartnerMay, sql_names
from models import Install

_STATE = text(f"""
    SELECT i.id AS install_id, i.status, i.subscription_kind, i.subscribed_until,
        i.status = 'ACTIVATED' AND partners.status IN ({sql_names(PartnerMay.USE)}) AND (
            NOT products.subscriptions_enabled
            OR coalesce(i.subscribed_until > :now, false)
            -- While a renewal's charges are tried, the period is over and the subscription is not.
            OR s.id IS NOT NULL AND s.paused_at IS NULL AND partners.status IN ({sql_names(PartnerMay.RENEW)})
        ) AS active,
        s.status AS subscription_status, s.seats, s.auto_renew, s.cancel_at_period_end, plans.name AS plan,
        ARRAY(SELECT modules.code FROM plan_modules JOIN modules ON modules.id = plan_modules.module_id
            WHERE plan_modules.plan_id = plans.id ORDER BY modules.code) AS modules,
        plans.most_users, plans.most_departments, plans.most_integrations, plans.api_requests_per_minute,
        spendable_coins(w.id, :now) AS balance, w.low_since IS NOT NULL AS low,
        open.number AS invoice_number, open.total AS invoice_total, open.currency AS invoice_currency,
        open.payment_link
    FROM installs i
    JOIN products ON products.id = i.product_id
    JOIN partners ON partners.id = i.partner_id
    LEFT JOIN subscriptions s ON s.install_id = i.id AND s.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')
    LEFT JOIN plans ON plans.id = s.plan_id
    LEFT JOIN wallets w ON w.install_id = i.id
    LEFT JOIN LATERAL (
        SELECT invoices.number, invoices.total, invoices.currency, (
            SELECT payments.payment_link FROM payments
            WHERE payments.invoice_id = invoices.id AND payments.status IN ('PENDING', 'REJECTED')
            ORDER BY payments.id DESC LIMIT 1) AS payment_link
        FROM invoices
        WHERE invoices.install_id = i.id AND invoices.status IN ('PENDING', 'ACTION_REQUIRED', 'FAILED')
        ORDER BY invoices.id DESC LIMIT 1) AS open ON true
    WHERE i.id = :install
""")  # noqa: S608


@dataclass(frozen=True)
class InstallState:
    """How an install stands.

    Parameters:
        active: whether it may be used now: activated, and subscribed unless the product sells no subscriptions.
        modules: codes of the modules that the plan includes.
        most_users: of the plan, like the limits behind it; None for no limit.
        balance: coins that may be spent; None without a wallet.
        invoice_number: the newest bill that waits for its payment, with its amount and link.
    """

    install_id: int
    status: str
    subscription_kind: str
    subscribed_until: datetime | None
    active: bool
    subscription_status: str | None
    seats: int | None
    auto_renew: bool | None
    cancel_at_period_end: bool | None
    plan: str | None
    modules: list[str]
    most_users: int | None
    most_departments: int | None
    most_integrations: int | None
    api_requests_per_minute: int | None
    balance: Decimal | None
    low: bool
    invoice_number: str | None
    invoice_total: Decimal | None
    invoice_currency: str | None
    payment_link: str | None


async def install_state(session: AsyncSession, install_id: int) -> InstallState:
    """How an install stands; who may ask was checked by the caller."""
    row = (await session.execute(_STATE, {"install": install_id, "now": clock.now()})).one()
    return InstallState(*row)


async def install_state_for_product(session: AsyncSession, actor: Principal, install_id: int) -> InstallState:
    """How an install stands, for the back end of its product.

    Raises:
        NotFound: it is not an install of the product.
    """
    own = select(Install.id).where(Install.id == install_id, Install.product_id == actor.product_id)
    if await session.scalar(own) is None:
        raise NotFound.of("Install", field=("installId",))
    return await install_state(session, install_id)
