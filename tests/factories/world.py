"""Partners, products, plans and installs for tests, each valid with no arguments."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from core import clock
from core.database import transaction
from core.principal import Principal
from domain.catalog import ProductKind, Term
from models import Install, Partner, Plan
from policies.permissions import ALL
from services import installs, partners
from services.catalog import plans, products

STAFF = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",))
PRICES = (
    plans.Price(Term.MONTH, Decimal(100)),
    plans.Price(Term.HALF_YEAR, Decimal(90)),
    plans.Price(Term.YEAR, Decimal(80)),
)

_numbers = itertools.count(1)


async def a_partner(**values: Any) -> Partner:
    """A partner with nothing but a name."""
    async with transaction() as session:
        return await partners.create(
            session, STAFF, values=partners.PartnerValues(**{"name": f"Partner {next(_numbers)}", **values})
        )


async def a_product(**values: Any) -> products.NewProduct:
    """A product of a cloud service, with its secrets."""
    number = next(_numbers)
    given: dict[str, Any] = {"name": f"Product {number}", "code": f"product-{number}", "kind": ProductKind.SAAS}
    async with transaction() as session:
        return await products.create(session, STAFF, values=products.ProductValues(**{**given, **values}))


async def a_plan(product_id: int, *, prices: Sequence[plans.Price] = PRICES, **values: Any) -> Plan:
    """A plan of 100 RUB a seat and month, cheaper for longer terms."""
    async with transaction() as session:
        return await plans.create(
            session,
            STAFF,
            product_id=product_id,
            name=f"Plan {next(_numbers)}",
            currency="RUB",
            values=plans.PlanValues(prices=prices, **values),
        )


async def an_install(partner_id: int, product_id: int, *, tokens: installs.TokenPair | None = None) -> Install:
    """An install that waits for its activation."""
    async with transaction() as session:
        return await installs.create(session, STAFF, partner_id=partner_id, product_id=product_id, tokens=tokens)


def tokens_for(hours: float) -> installs.TokenPair:
    """Tokens at the CRM that end in ``hours``."""
    return installs.TokenPair("access", "refresh", clock.now() + timedelta(hours=hours))
