"""Another plan, term or price: now, with credit for the unused part, or from the renewal on (SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from domain.billing import InvoiceKind
from domain.catalog import Term
from domain.periods import period_end
from domain.pricing import Quote
from domain.proration import ChangeQuote, CreditTooLarge, change_quote
from domain.subscription_actions import ChangeWhen, SubscriptionAction
from models import Invoice, Payment, Plan, Subscription
from policies.scopes import require
from services.billing.cancel import drop_pending
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.log import record_change, told
from services.billing.orders import CHANGE_ORDERS, RENEWALS, waiting, withdraw
from services.billing.payments import new_payment
from services.billing.seats import NothingToChange
from services.billing.settle import settle_free
from services.billing.standing import InHand, NotAllowedNow, look, plan_of, take
from services.billing.subscriptions import PlanNotOffered, priced
from services.billing.worth import worth_at
from services.loading import load

_ACTIONS = {
    ChangeWhen.NOW: SubscriptionAction.CHANGE_PLAN_NOW,
    ChangeWhen.RENEWAL: SubscriptionAction.CHANGE_PLAN_AT_RENEWAL,
}


class CreditExceedsPrice(Conflict):
    """The credit would buy more than five years of the new plan; change at the renewal instead."""

    code = "CREDIT_TOO_LARGE"


@dataclass(frozen=True)
class Wanted:
    """What a subscription is to become; what is None stays.

    Parameters:
        unit_price: an individual price of one seat and month. Without it the present price stays while plan and
            term stay; another plan or term brings the plan's price.
    """

    plan_id: int | None = None
    term: Term | None = None
    seats: int | None = None
    unit_price: Decimal | None = None


async def preview_change(
    session: AsyncSession, actor: Principal, *, subscription_id: int, wanted: Wanted, when: ChangeWhen
) -> ChangeQuote:
    """What another plan or term would cost, and the credit for the unused part, without saving anything.

    At the renewal there is no credit: the period that is paid runs to its end, and the new one follows it.

    Raises:
        NotFound, NotAllowedNow, NothingToChange, PlanNotOffered, InvalidSeats, CreditExceedsPrice: see there.
    """
    require(actor, "subscription:read", "Query.subscriptionPreviewChange")
    subscription = await look(session, actor, _ACTIONS[when], subscription_id)
    _, new = await _new_price(session, actor, subscription, wanted, when=when, lock=False)
    if when == ChangeWhen.NOW:
        return _with_credit(subscription, new)
    ends_at = period_end(subscription.ends_at, new.months, subscription.anchor_day, clock.zone())
    return ChangeQuote(new, Decimal("0.00"), new.total, subscription.ends_at, ends_at)


async def change_plan_now(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, wanted: Wanted
) -> tuple[Subscription, Invoice, Payment | None]:
    """Bill another plan or term with the unused part as credit; paid, its period begins at the moment of the order.

    Where the credit covers the price nothing is to be paid, the change takes place at once, and what is left of the
    credit buys more time.

    Raises:
        NotFound, NotAllowedNow, Conflict, NothingToChange, PlanNotOffered, InvalidSeats, CreditExceedsPrice: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionChangePlan")
    when = ChangeWhen.NOW
    held = await take(session, actor, _ACTIONS[when], subscription_id=subscription_id, version=version)
    plan, new = await _new_price(session, actor, held.subscription, wanted, when=when, lock=True)
    invoice = await _bill(session, actor, held, plan, _with_credit(held.subscription, new))
    if invoice.total == 0:
        await settle_free(session, actor, invoice, held.install)
        return held.subscription, invoice, None
    unchanged = told(held.subscription)
    await record_change(
        session, actor, held.subscription, "order_plan_change", unchanged, reason=f"invoice {invoice.number}"
    )
    return held.subscription, invoice, await new_payment(session, invoice, source=actor.label)


async def change_plan_at_renewal(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, wanted: Wanted
) -> Subscription:
    """Have another plan or term from the next renewal on; until then it can be undone.

    Raises:
        NotFound, NotAllowedNow, Conflict, NothingToChange, PlanNotOffered, InvalidSeats: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionChangePlan")
    when = ChangeWhen.RENEWAL
    held = await take(session, actor, _ACTIONS[when], subscription_id=subscription_id, version=version)
    plan, new = await _new_price(session, actor, held.subscription, wanted, when=when, lock=True)
    await withdraw(session, actor, held.subscription, RENEWALS, "the plan is to change")
    await plan_for_renewal(session, actor, held.subscription, plan, new)
    return held.subscription


async def plan_for_renewal(
    session: AsyncSession, actor: Principal, subscription: Subscription, plan: Plan, new: Quote
) -> None:
    """Note what the next renewal brings; the caller has withdrawn a renewal that was billed already."""
    before = told(subscription)
    subscription.pending_plan_id, subscription.pending_term = plan.id, new.term
    subscription.pending_unit_price = new.unit_price
    subscription.pending_seats = None if new.seats == subscription.seats else new.seats
    await record_change(session, actor, subscription, "change_plan_at_renewal", before)


async def undo_change(session: AsyncSession, actor: Principal, *, subscription_id: int, version: int) -> Subscription:
    """Take back what waits: a change at the renewal, and the unpaid order of seats or of another plan.

    Raises:
        NotFound, NotAllowedNow, Conflict: see there; also while the order's money is on its way.
    """
    require(actor, "subscription:change", "Mutation.subscriptionUndoChange")
    held = await take(session, actor, SubscriptionAction.UNDO_CHANGE, subscription_id=subscription_id, version=version)
    subscription, before = held.subscription, told(held.subscription)
    orders = await waiting(session, [subscription.id], CHANGE_ORDERS)
    taken_back = await withdraw(session, actor, subscription, CHANGE_ORDERS, "the change was undone")
    if len(taken_back) < len(orders):
        raise NotAllowedNow("the money for the change is on its way", field=("input", "id"))
    drop_pending(subscription)
    if told(subscription) != before:
        await withdraw(session, actor, subscription, RENEWALS, "the change was undone")
    await record_change(session, actor, subscription, "undo_change", before)
    return subscription


async def set_price(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, unit_price: Decimal | None
) -> Subscription:
    """Give an individual price of one seat and month from the next renewal on; None brings the plan's price back.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidAmount, PlanNotOffered, NothingToChange: see there.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionSetPrice")
    held = await take(session, actor, SubscriptionAction.SET_PRICE, subscription_id=subscription_id, version=version)
    subscription, before = held.subscription, told(held.subscription)
    plan = await session.get_one(Plan, subscription.pending_plan_id or subscription.plan_id)
    term = subscription.pending_term or subscription.term
    seats = subscription.pending_seats or subscription.seats
    new = await priced(session, plan, term, seats, unit_price=unit_price, kept=True)
    planned = subscription.unit_price if subscription.pending_unit_price is None else subscription.pending_unit_price
    if new.unit_price == planned:
        raise NothingToChange(f"the price is {planned}", field=("input", "unitPrice"))
    as_is = subscription.pending_plan_id is None and new.unit_price == subscription.unit_price
    subscription.pending_unit_price = None if as_is else new.unit_price
    await withdraw(session, actor, subscription, RENEWALS, "the price is to change")
    await record_change(session, actor, subscription, "set_price_at_renewal", before)
    return subscription


async def _new_price(
    session: AsyncSession,
    actor: Principal,
    subscription: Subscription,
    wanted: Wanted,
    *,
    when: ChangeWhen,
    lock: bool,
) -> tuple[Plan, Quote]:
    """The plan that is wanted, and its price; ``lock`` keeps the plan as it is while it is being sold (CAT-2)."""
    base = _base(subscription, when)
    current = await plan_of(session, subscription)
    plan = await load(session, actor, Plan, base.plan_id if wanted.plan_id is None else wanted.plan_id, field="planId")
    kept = plan.id in (base.plan_id, subscription.plan_id)
    if lock and not kept:
        await session.refresh(plan, with_for_update={"read": True})
    if plan.product_id != current.product_id or plan.currency != subscription.currency:
        raise PlanNotOffered("the plan is another product's, or in another currency", field=("input", "planId"))
    term, unit_price = wanted.term or base.term, wanted.unit_price
    if unit_price is not None:
        require(actor, "subscription:adjust", "SubscriptionChangePlanInput.unitPrice")
    elif (plan.id, term) == (base.plan_id, base.term):
        unit_price = base.unit_price
    seats = base.seats if wanted.seats is None else wanted.seats
    new = await priced(session, plan, term, seats, unit_price=unit_price, kept=kept)
    if _Base(plan.id, new.term, new.seats, new.unit_price) == base:
        raise NothingToChange("the subscription is like that already, or is to be", field=("input", "planId"))
    return plan, new


@dataclass(frozen=True)
class _Base:
    """What a change starts from: the running period, or what the renewal is to bring already."""

    plan_id: int
    term: Term
    seats: int
    unit_price: Decimal


def _base(subscription: Subscription, when: ChangeWhen) -> _Base:
    assert subscription.plan_id is not None
    if when == ChangeWhen.NOW:
        return _Base(subscription.plan_id, subscription.term, subscription.seats, subscription.unit_price)
    pending = subscription.pending_unit_price
    return _Base(
        subscription.pending_plan_id or subscription.plan_id,
        subscription.pending_term or subscription.term,
        subscription.pending_seats or subscription.seats,
        subscription.unit_price if pending is None else pending,
    )


def _with_credit(subscription: Subscription, new: Quote) -> ChangeQuote:
    now = clock.now()
    try:
        return change_quote(new=new, credit=worth_at(subscription, now), now=now, zone=clock.zone())
    except CreditTooLarge as error:
        raise CreditExceedsPrice(f"{error}; change the plan at the renewal", field=("input", "when")) from None


async def _bill(session: AsyncSession, actor: Principal, held: InHand, plan: Plan, change: ChangeQuote) -> Invoice:
    subscription, new = held.subscription, change.new
    lines = [DraftLine.of_months(plan.name, new.months, new.quantity, new.unit_price, new.total)]
    credit = min(change.credit, new.total)
    if credit > 0:
        was = await plan_of(session, subscription)
        until = subscription.ends_at.astimezone(clock.zone()).date()
        lines.append(DraftLine(f"{was.name}, unused until {until.isoformat()}", Decimal(1), -credit, -credit))
    return await issue_invoice(
        session,
        actor,
        Draft(
            partner_id=subscription.partner_id,
            install_id=subscription.install_id,
            subscription_id=subscription.id,
            kind=InvoiceKind.PLAN_CHANGE,
            currency=new.currency,
            plan_id=plan.id,
            term=new.term,
            seats=new.seats,
            unit_price=new.unit_price,
            auto_renew=subscription.auto_renew,
            period_start=change.starts_at,
            period_end=change.ends_at,
            lines=tuple(lines),
        ),
    )
