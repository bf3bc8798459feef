"""Ends what has run out, set by set: trials, cancelled periods, unpaid renewals and their days of grace (SUB-4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import DateTime, Row, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM
from core.request import current_request
from domain.billing import SubscriptionStatus
from domain.partners import PartnerMay, sql_names
from domain.renewals import grace_end
from services.events_many import emit_many
from services.outbox import ORIGIN, origin

CHUNK_ROWS = 1_000

# Install and subscription are both locked, and the rows of another process are skipped. After an outage the run of
# renewals may come later than this one; nobody loses access for a bill not written, except where the partner's
# standing stops renewals: nobody is billed later for time without access.
_LAPSE = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT s.id AS subscription_id, s.partner_id, s.install_id, i.product_id, s.status, s.seats,
            coalesce(plans.grace_days, 0) AS grace_days,
            CASE WHEN s.status IN ('TRIAL', 'PAST_DUE') THEN 'EXPIRED'
                WHEN s.cancel_at_period_end THEN 'CANCELED' ELSE 'PAST_DUE' END AS becomes
        FROM subscriptions s
        JOIN installs i ON i.id = s.install_id
        JOIN partners q ON q.id = s.partner_id
        LEFT JOIN plans ON plans.id = s.plan_id,
        LATERAL (SELECT q.status IN ({sql_names(PartnerMay.RENEW)}) AS may_renew) AS standing,
        LATERAL (SELECT EXISTS (
            SELECT FROM invoices AS bill WHERE bill.subscription_id = s.id AND bill.kind = 'RENEWAL'
                AND (bill.status = 'CHARGING' OR bill.next_charge_at IS NOT NULL AND may_renew)) AS waits) AS bills
        WHERE s.ends_at <= :now AND s.paused_at IS NULL AND s.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')
            AND CASE s.status
            WHEN 'TRIAL' THEN true
            WHEN 'PAST_DUE' THEN
                s.past_due_at + make_interval(days => coalesce(plans.grace_days, 0)) <= :now AND NOT waits
            ELSE s.cancel_at_period_end OR NOT waits AND NOT (
                may_renew AND i.status <> 'DISABLED' AND s.plan_id IS NOT NULL
                AND coalesce(s.invoiced_until, s.starts_at) < s.ends_at) END
        ORDER BY s.ends_at, s.id LIMIT :rows
        FOR NO KEY UPDATE OF i, s SKIP LOCKED
    ),
    changed AS (
        UPDATE subscriptions SET status = becomes, version = version + 1, updated_at = now(),
            past_due_at = CASE becomes WHEN 'PAST_DUE' THEN :now ELSE subscriptions.past_due_at END,
            canceled_at = CASE becomes WHEN 'CANCELED' THEN :now ELSE subscriptions.canceled_at END
        FROM due WHERE subscriptions.id = due.subscription_id
    ),
    shown AS (
        UPDATE installs SET updated_at = now(),
            subscription_kind = CASE becomes WHEN 'PAST_DUE' THEN 'PAID' ELSE 'NONE' END,
            subscribed_until = CASE becomes WHEN 'PAST_DUE' THEN :now + make_interval(days => grace_days) END
        FROM due WHERE installs.id = due.install_id
    ),
    told AS (
        SELECT due.*, jsonb_build_object('status', status) AS before, jsonb_build_object('status', becomes) AS after,
            CASE becomes WHEN 'PAST_DUE' THEN 'past_due' WHEN 'CANCELED' THEN 'cancel' ELSE 'expire' END AS verb
        FROM due
    ),
    logged AS (
        INSERT INTO subscription_changes (partner_id, subscription_id, action, actor, before, after)
        SELECT partner_id, subscription_id, verb, :actor, before, after FROM told
    ),
    trail AS (
        INSERT INTO audit_events (actor, actor_roles, action, entity_type, entity_id, partner_id, request_id, before,
            after)
        SELECT :actor, :actor_roles, 'subscription.' || verb, 'Subscription', subscription_id, partner_id, :request_id,
            before, after
        FROM told
    )
    SELECT subscription_id, partner_id, install_id, product_id, seats, grace_days, becomes FROM due
    """  # noqa: S608 - constants only
).bindparams(
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("actor", type_=Text()),
    bindparam("actor_roles", type_=ARRAY(Text())),
    bindparam("request_id", type_=Text()),
)
_TELL = {
    status: text(
        f"""
        WITH told AS (
            SELECT * FROM jsonb_to_recordset(CAST(:told AS jsonb))
                AS t (install_id bigint, partner_id bigint, product_id bigint, data jsonb)
        ),
        {emit_many("told", f"subscription.{status.lower()}")}
        SELECT count(*) FROM told
        """  # noqa: S608 - constants only
    ).bindparams(bindparam("told_at", type_=Text()), *ORIGIN)
    for status in (SubscriptionStatus.PAST_DUE, SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)
}


async def lapse_due(session: AsyncSession, rows: int = CHUNK_ROWS) -> int:
    """Take the step that is due for at most ``rows`` subscriptions; gives how many, 0 when all is done.

    A trial expires; a period that was cancelled for its end is CANCELED; an unpaid one becomes PAST_DUE once its
    renewal was billed and no charge is planned or under way, and EXPIRED after the plan's days of grace. A paused
    one waits.
    """
    now = clock.now()
    given = {"now": now, "rows": rows, "request_id": current_request().request_id}
    given |= {"actor": SYSTEM.label, "actor_roles": list(SYSTEM.roles)}
    taken = (await session.execute(_LAPSE, given)).all()
    steps: defaultdict[SubscriptionStatus, list[Row[Any]]] = defaultdict(list)
    for step in taken:
        steps[SubscriptionStatus(step.becomes)].append(step)
    for status, of_it in steps.items():
        told = orjson.dumps(_events(of_it, status, now)).decode()
        await session.execute(_TELL[status], {"told": told, "told_at": now.isoformat(), **origin()})
    return len(taken)


def _events(steps: Sequence[Row[Any]], status: SubscriptionStatus, now: datetime) -> list[dict[str, Any]]:
    """What products hear, as `services.billing.announce` says it."""
    events = []
    for step in steps:
        until = grace_end(now, step.grace_days).isoformat() if status == SubscriptionStatus.PAST_DUE else None
        data = {
            "subscriptionId": str(step.subscription_id),
            "status": status.value,
            "seats": str(step.seats),
            "activeUntil": until,
        }
        events.append(
            {"install_id": step.install_id, "partner_id": step.partner_id, "product_id": step.product_id, "data": data}
        )
    return events
