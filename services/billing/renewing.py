"""Whether a subscription is renewed by itself, and a renewal that a person bills (SUB-1, SUB-4)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from core.settings import get_settings
from domain.billing import InvoiceKind, InvoiceStatus
from domain.partners import PartnerMay
from domain.renewals import next_charge
from domain.subscription_actions import SubscriptionAction
from models import Invoice, Payment, Subscription
from policies.scopes import require
from services.billing.announce import announce
from services.billing.cards import has_card
from services.billing.log import record_change, told
from services.billing.orders import RENEWALS, waiting
from services.billing.payments import new_payment
from services.billing.renewals import issue_renewal
from services.billing.settle import settle_free
from services.billing.standing import take
from services.partner_standing import check_standing


async def set_auto_renew(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, auto_renew: bool
) -> Subscription:
    """Have renewals charged by themselves, or only billed; also one that waits. What is so already stays so.

    Raises:
        NotFound, NotAllowedNow, Conflict: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionSetAutoRenew")
    action = SubscriptionAction.SET_AUTO_RENEW
    held = await take(session, actor, action, subscription_id=subscription_id, version=version)
    if held.subscription.auto_renew == auto_renew:
        return held.subscription
    before = told(held.subscription)
    held.subscription.auto_renew = auto_renew
    await plan_charge(session, held.subscription)
    await record_change(session, actor, held.subscription, "set_auto_renew", before)
    await announce(session, held.install, held.subscription, "subscription.changed", autoRenew=auto_renew)
    return held.subscription


async def plan_charge(session: AsyncSession, subscription: Subscription) -> None:
    """Have the renewal that waits charged on the published days, or not, as the locked subscription says now."""
    charged = has_card(subscription)
    for invoice in await waiting(session, [subscription.id], RENEWALS, lock=True):
        if invoice.status not in (InvoiceStatus.PENDING, InvoiceStatus.FAILED) or invoice.total == 0:
            continue
        since = invoice.period_start or invoice.due_at
        if not charged:
            invoice.next_charge_at = None
        elif invoice.next_charge_at is None:
            invoice.next_charge_at = next_charge(since, get_settings().charge_days, clock.now())


async def bill_renewal(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int
) -> tuple[Subscription, Invoice, Payment | None]:
    """Bill the next period now: ahead of time, or again where its bill was withdrawn; a link pays it (SUB-4).

    Raises:
        NotFound, NotAllowedNow, Conflict: see there; also while a bill of the renewal waits.
        PartnerNotAllowed: the partner's standing stops renewals.
    """
    require(actor, "subscription:change", "Mutation.subscriptionBillRenewal")
    action = SubscriptionAction.BILL_RENEWAL
    held = await take(session, actor, action, subscription_id=subscription_id, version=version)
    subscription, before = held.subscription, told(held.subscription)
    await check_standing(session, subscription.partner_id, PartnerMay.RENEW, field="id")
    await issue_renewal(session, actor, subscription)
    of_it = (Invoice.subscription_id == subscription.id, Invoice.kind == InvoiceKind.RENEWAL)
    newest = select(Invoice).where(*of_it).order_by(Invoice.id.desc()).limit(1).with_for_update(key_share=True)
    invoice = (await session.scalars(newest)).one()
    if invoice.total == 0:
        await settle_free(session, actor, invoice, held.install)
        return subscription, invoice, None
    await record_change(session, actor, subscription, "bill_renewal", before, reason=f"invoice {invoice.number}")
    return subscription, invoice, await new_payment(session, invoice, source=actor.label)
