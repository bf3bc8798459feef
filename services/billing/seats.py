"""More seats in mid-period, billed by whole months and added when paid; fewer from the renewal on (SUB-5)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from domain.billing import InvoiceKind, SubscriptionStatus
from domain.pricing import MOST_SEATS
from domain.proration import SeatsQuote, seats_quote
from domain.subscription_actions import SubscriptionAction
from models import Invoice, Payment, Plan, Subscription
from policies.scopes import require
from services.billing.announce import announce
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.log import record_change, told
from services.billing.orders import RENEWALS, withdraw
from services.billing.payments import new_payment
from services.billing.standing import InHand, look, plan_of, take
from services.billing.subscriptions import InvalidSeats


class NothingToChange(Conflict):
    """The subscription is as it was asked to be."""

    code = "NOTHING_TO_CHANGE"


async def preview_seats(session: AsyncSession, actor: Principal, *, subscription_id: int, seats: int) -> SeatsQuote:
    """What more seats would cost until the period ends, without saving anything.

    Raises:
        NotFound, NotAllowedNow, InvalidSeats: see there.
    """
    require(actor, "subscription:read", "Query.subscriptionPreviewSeats")
    subscription = await look(session, actor, SubscriptionAction.ADD_SEATS, subscription_id)
    _check_more(subscription, seats)
    plan = None if subscription.plan_id is None else await plan_of(session, subscription)
    return _priced(subscription, plan, seats)


async def add_seats(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, seats: int
) -> tuple[Subscription, Invoice | None, Payment | None]:
    """Order more seats; they are there when the invoice is paid, or at once where they cost nothing, as in a trial.

    Parameters:
        seats: how many there are to be in all.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidSeats: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionAddSeats")
    held = await take(session, actor, SubscriptionAction.ADD_SEATS, subscription_id=subscription_id, version=version)
    subscription = held.subscription
    _check_more(subscription, seats)
    plan = None if subscription.plan_id is None else await plan_of(session, subscription)
    price = _priced(subscription, plan, seats)
    if plan is None or price.total == 0:
        await _add_at_once(session, actor, held, seats)
        return subscription, None, None
    invoice = await issue_invoice(
        session,
        actor,
        Draft(
            partner_id=subscription.partner_id,
            install_id=subscription.install_id,
            subscription_id=subscription.id,
            kind=InvoiceKind.SEATS_UPGRADE,
            currency=subscription.currency,
            plan_id=plan.id,
            term=subscription.term,
            seats=price.added,
            unit_price=price.unit_price,
            auto_renew=subscription.auto_renew,
            period_start=clock.now(),
            period_end=subscription.ends_at,
            lines=(DraftLine.of_months(plan.name, price.months, price.quantity, price.unit_price, price.total),),
        ),
    )
    await _count_version(session, actor, subscription, invoice)
    return subscription, invoice, await new_payment(session, invoice, source=actor.label)


async def remove_seats(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, seats: int
) -> Subscription:
    """Have fewer seats from the next renewal on; until then it can be undone.

    Parameters:
        seats: how many there are to be in all.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidSeats: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionRemoveSeats")
    held = await take(session, actor, SubscriptionAction.REMOVE_SEATS, subscription_id=subscription_id, version=version)
    subscription, before = held.subscription, told(held.subscription)
    plan = await session.get_one(Plan, subscription.pending_plan_id or subscription.plan_id)
    if not plan.min_seats <= seats < subscription.seats:
        raise InvalidSeats(
            f"there are {subscription.seats} seats, and the plan has at least {plan.min_seats}",
            field=("input", "seats"),
        )
    subscription.pending_seats = seats
    await withdraw(session, actor, subscription, RENEWALS, "seats are to be fewer")
    await record_change(session, actor, subscription, "remove_seats_at_renewal", before)
    return subscription


async def _add_at_once(session: AsyncSession, actor: Principal, held: InHand, seats: int) -> None:
    before = told(held.subscription)
    held.subscription.seats = seats
    await record_change(session, actor, held.subscription, "add_seats", before)
    await withdraw(session, actor, held.subscription, RENEWALS, "seats were added")
    await announce(session, held.install, held.subscription, "subscription.changed")


async def _count_version(session: AsyncSession, actor: Principal, subscription: Subscription, invoice: Invoice) -> None:
    """An order counts as a change, so that two people do not order from the same reading."""
    await record_change(
        session, actor, subscription, "order_seats", told(subscription), reason=f"invoice {invoice.number}"
    )


def _check_more(subscription: Subscription, seats: int) -> None:
    if seats == subscription.seats:
        raise NothingToChange(f"there are {seats} seats already", field=("input", "seats"))
    if not subscription.seats < seats <= MOST_SEATS:
        raise InvalidSeats(
            f"there are {subscription.seats} seats; more may be added up to {MOST_SEATS}", field=("input", "seats")
        )


def _priced(subscription: Subscription, plan: Plan | None, seats: int) -> SeatsQuote:
    added = seats - subscription.seats
    if plan is None or subscription.status == SubscriptionStatus.TRIAL:
        return SeatsQuote(added, 0, 0, Decimal("0.00"), Decimal("0.00"), subscription.currency)
    return seats_quote(
        model=plan.pricing_model,
        added=added,
        unit_price=subscription.unit_price,
        currency=subscription.currency,
        now=clock.now(),
        ends_at=subscription.ends_at,
        anchor=subscription.anchor_day,
        zone=clock.zone(),
    )
