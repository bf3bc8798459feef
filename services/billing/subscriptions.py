"""Subscriptions: what one would cost, and ordering one (SUB-1 to SUB-3)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, UserError
from core.principal import Principal
from domain import fields
from domain.billing import WAITING_INVOICE, InvoiceKind, InvoiceStatus, SubscriptionStatus
from domain.catalog import Term
from domain.installs import InstallStatus
from domain.partners import PartnerMay
from domain.pricing import DEFAULT_SEATS, MOST_SEATS, Quote, quote
from models import Install, Invoice, Payment, Plan, PlanPrice
from policies.scopes import require
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.locks import live_subscription
from services.billing.orders import CHANGE_ORDERS, RENEWALS, cancel
from services.billing.payments import new_payment
from services.billing.settle import settle_free
from services.billing.standing import AlreadySubscribed
from services.loading import load
from services.partner_standing import check_standing


class InvalidSeats(UserError):
    """Fewer seats than the plan's minimum, or more than we sell (SUB-1)."""

    code = "INVALID_SEATS"


class PlanNotOffered(UserError):
    """The plan is closed, is another product's, or has no price for the term (CAT-2)."""

    code = "PLAN_NOT_OFFERED"


async def preview_subscription(
    session: AsyncSession,
    actor: Principal,
    *,
    plan_id: int,
    term: Term,
    seats: int | None = None,
    unit_price: Decimal | None = None,
) -> Quote:
    """What a period would cost, without saving anything (SUB-2).

    Parameters:
        unit_price: an individual price of one seat and month; the plan's unless told.

    Raises:
        InvalidSeats, PlanNotOffered, NotFound: see there.
    """
    require(actor, "plan:read", "Query.subscriptionPreview")
    plan = await load(session, actor, Plan, plan_id, field="planId")
    return await priced(session, plan, term, seats, unit_price=unit_price)


async def create_subscription(
    session: AsyncSession,
    actor: Principal,
    *,
    install_id: int,
    plan_id: int,
    term: Term,
    seats: int | None = None,
    auto_renew: bool = True,
    unit_price: Decimal | None = None,
    replace: bool = False,
) -> tuple[Invoice, Payment | None]:
    """Order a subscription: an invoice and a payment whose link the gateway gives after commit (SUB-3).

    What costs nothing begins at once and has no payment.

    Parameters:
        unit_price: an individual price of one seat and month, kept by renewals; the plan's unless told.
        replace: whether an order that waits for its payment is cancelled and this one takes its place.

    Raises:
        Forbidden: only those who may adjust subscriptions give an individual price.
        InvalidSeats, PlanNotOffered, NotFound: see there.
        AlreadySubscribed: a paid subscription lives, or an order waits for its payment.
        Conflict: the install is disabled.
    """
    require(actor, "subscription:write", "Mutation.subscriptionCreate")
    if unit_price is not None:
        require(actor, "subscription:adjust", "SubscriptionCreateInput.unitPrice")
    install = await load(session, actor, Install, install_id, field="installId", lock=True)
    if install.status == InstallStatus.DISABLED:
        raise Conflict("the install is disabled", field=("input", "installId"))
    await check_standing(session, install.partner_id, PartnerMay.BUY, field="installId")
    plan = await load(session, actor, Plan, plan_id, field="planId")
    # A version that is being sold does not change under the sale (CAT-2); other sales may go on.
    await session.refresh(plan, with_for_update={"read": True})
    if plan.product_id != install.product_id:
        raise PlanNotOffered("the plan is another product's", field=("input", "planId"))
    price = await priced(session, plan, term, seats, unit_price=unit_price)
    await _refuse_second(session, actor, install, replace=replace)
    invoice = await issue_invoice(
        session,
        actor,
        Draft(
            partner_id=install.partner_id,
            install_id=install.id,
            kind=InvoiceKind.SUBSCRIPTION_START,
            currency=price.currency,
            plan_id=plan.id,
            term=term,
            seats=price.seats,
            unit_price=price.unit_price,
            auto_renew=auto_renew,
            lines=(DraftLine.of_months(plan.name, price.months, price.quantity, price.unit_price, price.total),),
        ),
    )
    if invoice.total == 0:
        await settle_free(session, actor, invoice, install)
        return invoice, None
    return invoice, await new_payment(session, invoice, source=actor.label)


async def priced(
    session: AsyncSession,
    plan: Plan,
    term: Term,
    seats: int | None,
    *,
    unit_price: Decimal | None = None,
    kept: bool = False,
) -> Quote:
    """The price of a period of this plan.

    Parameters:
        seats: 5 or the plan's minimum, whichever is more, unless told.
        unit_price: an individual price; the plan's unless told.
        kept: whether the subscription has the plan already, so that it may be closed for others.

    Raises:
        InvalidSeats: fewer than the plan's minimum, or more than we sell.
        PlanNotOffered: the plan is closed, or has no price for the term.
        InvalidAmount: the individual price is negative or too fine.
    """
    asked = select(PlanPrice).where(PlanPrice.plan_id == plan.id, PlanPrice.term == term)
    own: PlanPrice | None = await session.scalar(asked)
    return price_with(plan, None if own is None else own.unit_price, term, seats, unit_price=unit_price, kept=kept)


def price_with(
    plan: Plan,
    own_price: Decimal | None,
    term: Term,
    seats: int | None,
    *,
    unit_price: Decimal | None = None,
    kept: bool = False,
) -> Quote:
    """Like :func:`priced`, where the plan's own price of one seat and month of the term is known; None: it has none.

    Raises:
        InvalidSeats, PlanNotOffered, InvalidAmount: see there.
    """
    wanted = max(DEFAULT_SEATS, plan.min_seats) if seats is None else seats
    if not plan.min_seats <= wanted <= MOST_SEATS:
        raise InvalidSeats(f"the plan takes {plan.min_seats} to {MOST_SEATS} seats", field=("input", "seats"))
    if not plan.active and not kept:
        raise PlanNotOffered("the plan is closed", field=("input", "planId"))
    if own_price is None:
        raise PlanNotOffered(f"the plan has no price for the term {term}", field=("input", "term"))
    unit = own_price if unit_price is None else fields.amount(unit_price, "unitPrice")
    return quote(model=plan.pricing_model, term=term, seats=wanted, unit_price=unit, currency=plan.currency)


async def _refuse_second(session: AsyncSession, actor: Principal, install: Install, *, replace: bool) -> None:
    live = await live_subscription(session, install.id)
    if live is not None and live.status != SubscriptionStatus.TRIAL:
        raise AlreadySubscribed("the install has a paid subscription already", field=("input", "installId"))
    wanted = select(Invoice).where(
        Invoice.install_id == install.id,
        Invoice.kind.in_([InvoiceKind.SUBSCRIPTION_START, *RENEWALS, *CHANGE_ORDERS]),
        Invoice.status.in_(sorted(WAITING_INVOICE)),
    )
    for waiting in await session.scalars(wanted.order_by(Invoice.id).with_for_update(key_share=True)):
        # What was billed for a subscription that has ended gives way; an order that waits only where it is told to.
        gives_way = replace or waiting.kind != InvoiceKind.SUBSCRIPTION_START
        if not gives_way or waiting.status == InvoiceStatus.CHARGING:
            raise AlreadySubscribed(f"the order {waiting.number} waits for its payment", field=("input", "installId"))
        await cancel(session, actor, waiting, "another order took its place")
