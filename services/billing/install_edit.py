"""What an install lives on, set by hand: a trial, a paid period or nothing, and until when (INS-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from domain.billing import SubscriptionStatus
from domain.catalog import Term
from domain.installs import InstallStatus, SubscriptionKind
from domain.subscription_actions import SubscriptionAction
from models import Install, Subscription
from policies.scopes import require
from services import audit, installs
from services.billing.cancel import end_now
from services.billing.correct import LONGEST_REASON, Correction, apply_correction
from services.billing.locks import live_subscription
from services.billing.seats import NothingToChange
from services.billing.standing import NotAllowedNow, refuse
from services.loading import load


@dataclass(frozen=True)
class Tariff:
    """What a paid period is of, where no subscription of the install says so."""

    plan_id: int
    term: Term
    seats: int


async def set_subscription_kind(
    session: AsyncSession,
    actor: Principal,
    *,
    install_id: int,
    kind: SubscriptionKind,
    until: datetime | None,
    reason: str,
    tariff: Tariff | None = None,
) -> Install:
    """Have an install live on a trial, on a paid period or on nothing, without a bill.

    The subscription is what is changed, so both say the same. PAID goes on with the newest subscription that had a
    plan, or makes a paid one of the trial.

    Parameters:
        until: the end; not for NONE.
        tariff: plan, term and seats of PAID; needed where nothing was ever ordered.

    Raises:
        NotFound, NotAllowedNow, NothingToChange, InvalidValue, InvalidSeats, PlanNotOffered: see there.
    """
    require(actor, "subscription:adjust", "Mutation.installUpdate")
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    install = await load(session, actor, Install, install_id, field="id", lock=True)
    live = await live_subscription(session, install.id)
    if kind == SubscriptionKind.NONE:
        if until is not None:
            raise fields.InvalidValue("NONE has no end", field=fields.path("subscribedUntil"))
        if live is None:
            raise NothingToChange("the install has no subscription", field=fields.path("subscriptionKind"))
        await refuse(session, live, SubscriptionAction.CANCEL_NOW)
        await end_now(session, actor, install, live, reason=reason)
        return install
    if until is None or until <= clock.now():
        raise fields.InvalidValue(f"{kind} has an end in the future", field=fields.path("subscribedUntil"))
    if install.status == InstallStatus.DISABLED:
        raise NotAllowedNow("the install is disabled", field=fields.path("id"))
    if kind == SubscriptionKind.TRIAL:
        await _on_trial(session, actor, install, live, until, reason)
    else:
        await _on_paid(session, actor, install, live, until, reason, tariff)
    return install


async def _on_trial(
    session: AsyncSession,
    actor: Principal,
    install: Install,
    live: Subscription | None,
    until: datetime,
    reason: str,
) -> None:
    if live is not None and live.status != SubscriptionStatus.TRIAL:
        raise NotAllowedNow("the install is paid for; end that first", field=fields.path("subscriptionKind"))
    trial = live or await _newest(session, install, planned=False)
    if trial is None:
        await installs.begin_trial(session, actor, install, clock.now(), until)
        begun = {"subscription_kind": SubscriptionKind.TRIAL, "subscribed_until": until, "reason": reason}
        await audit.record(session, actor, "install.update", install, before=None, after=begun)
        return
    values: Correction = {"status": SubscriptionStatus.TRIAL, "ends_at": until}
    await apply_correction(session, actor, install, trial, values, reason=reason)


async def _on_paid(
    session: AsyncSession,
    actor: Principal,
    install: Install,
    live: Subscription | None,
    until: datetime,
    reason: str,
    tariff: Tariff | None,
) -> None:
    values: Correction = {"status": SubscriptionStatus.ACTIVE, "ends_at": until}
    if tariff is not None:
        values |= {"plan_id": tariff.plan_id, "term": tariff.term, "seats": tariff.seats}
    subscription = live or await _newest(session, install, planned=True) or await _newest(session, install)
    if subscription is None:
        subscription = await installs.begin_trial(session, actor, install, clock.now(), until)
    if subscription.plan_id is None and tariff is None:
        raise fields.InvalidValue("nothing was ever ordered; say of which plan", field=fields.path("planId"))
    await refuse(session, subscription, SubscriptionAction.CORRECT)
    await apply_correction(session, actor, install, subscription, values, reason=reason)


async def _newest(session: AsyncSession, install: Install, *, planned: bool | None = None) -> Subscription | None:
    """The newest subscription of an install, locked.

    Parameters:
        planned: only one with a plan, or only one without.
    """
    wanted = select(Subscription).where(Subscription.install_id == install.id)
    if planned is not None:
        wanted = wanted.where(Subscription.plan_id.is_not(None) if planned else Subscription.plan_id.is_(None))
    found: Subscription | None = await session.scalar(
        wanted.order_by(Subscription.id.desc()).limit(1).with_for_update(key_share=True)
    )
    return found
