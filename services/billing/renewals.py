"""Issues the invoices of renewals, set by set: once a period, in any number of processes, from any point on (SUB-4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from core import clock
from core.principal import SYSTEM, Principal
from core.settings import get_settings
from domain.partners import PartnerMay, sql_names
from models import Subscription
from services.billing.cards import chargeable_accounts
from services.billing.issue import number_prefix
from services.events_many import HERE
from services.outbox import origin

CHUNK_ROWS = 1_000

# The end of the next period, from the anchor day and in local time, as `domain.periods.period_end` has it.
PERIOD_END = """
    ((date_trunc('month', {local}) + make_interval(months => {months})
      + make_interval(days => least({anchor}, extract(day FROM
            date_trunc('month', {local}) + make_interval(months => {months} + 1) - interval '1 day')::int) - 1)
      + ({local} - date_trunc('day', {local}))) AT TIME ZONE {zone})
"""

# The tax within the total, as `domain.vat.vat_within` has it.
VAT_WITHIN = "coalesce(round(total * vat_rate / (100 + vat_rate), 2), 0)"

# One statement is one transaction's work: whatever stops it, an invoice has its number, line, event and trail, or
# nothing of it exists. Install and subscription are both locked, so that a change made a moment ago is seen; the rows
# of another process are skipped, and `invoiced_until` tells whoever comes later that it has been done. Nobody is
# billed for a product that was uninstalled.
_ISSUE = f"""
    WITH due AS MATERIALIZED (
        SELECT s.id AS subscription_id, s.partner_id, s.install_id, i.product_id,
            i.event_sequence + 1 AS event_sequence, greatest(i.event_xid, {HERE}) AS event_xid,
            s.ends_at, s.anchor_day, s.currency, s.auto_renew,
            coalesce(s.auto_renew AND s.card_account = ANY (:accounts), false) AS has_card,
            coalesce(s.pending_plan_id, s.plan_id) AS plan_id, coalesce(s.pending_term, s.term) AS term,
            coalesce(s.pending_seats, s.seats) AS seats, coalesce(s.pending_unit_price, s.unit_price) AS unit_price
        FROM subscriptions s JOIN installs i ON i.id = s.install_id
        WHERE {{which}} AND s.paused_at IS NULL AND NOT s.cancel_at_period_end
            AND s.ends_at <= :horizon AND (s.invoiced_until IS NULL OR s.invoiced_until < s.ends_at)
            AND i.status <> 'DISABLED'
            AND (SELECT p.status FROM partners p WHERE p.id = s.partner_id) IN ({sql_names(PartnerMay.RENEW)})
            AND NOT EXISTS (
                SELECT FROM invoices AS billed WHERE billed.subscription_id = s.id AND billed.kind = 'RENEWAL'
                    AND billed.status <> 'CANCELED' AND billed.period_start = s.ends_at)
        ORDER BY s.ends_at, s.id LIMIT :rows
        FOR NO KEY UPDATE OF i, s SKIP LOCKED
    ),
    counter AS (
        INSERT INTO invoice_counters AS c (legal_entity, year, last_sequence)
        SELECT :legal_entity, :year, count(*) FROM due HAVING count(*) > 0
        ON CONFLICT (legal_entity, year) DO UPDATE SET last_sequence = c.last_sequence + excluded.last_sequence
        RETURNING last_sequence
    ),
    numbered AS MATERIALIZED (
        SELECT due.*, nextval(pg_get_serial_sequence('invoices', 'id')) AS invoice_id,
            last_sequence - count(*) OVER () + row_number() OVER (ORDER BY ends_at, subscription_id) AS sequence
        FROM due, counter
    ),
    priced AS MATERIALIZED (
        SELECT numbered.*, months, quantity, plans.name AS plan_name, activate_endpoint AS endpoint,
            activate_endpoint IS NOT NULL AND event_secret_encrypted IS NOT NULL AS told,
            round(unit_price * quantity, 2) * months AS total,
            {PERIOD_END.format(local="local", months="months", anchor="anchor_day", zone=":zone")} AS period_end,
            :number_prefix || CAST(:year AS text) || '-'
                || lpad(sequence::text, greatest(6, length(sequence::text)), '0') AS number
        FROM numbered
        JOIN (VALUES ('MONTH', 1), ('HALF_YEAR', 6), ('YEAR', 12)) AS terms (name, months) ON terms.name = term
        JOIN plans ON plans.id = plan_id
        JOIN products ON products.id = numbered.product_id,
        LATERAL (SELECT CASE pricing_model WHEN 'FLAT' THEN 1 ELSE seats END AS quantity,
            ends_at AT TIME ZONE :zone AS local) AS per_month
    ),
    issued AS (
        INSERT INTO invoices (id, partner_id, install_id, subscription_id, legal_entity, year, sequence, number, kind,
            plan_id, term, seats, unit_price, period_start, period_end, currency, total, vat_rate, vat_amount,
            auto_renew, due_at, next_charge_at)
        SELECT invoice_id, partner_id, install_id, subscription_id, :legal_entity, :year, sequence, number, 'RENEWAL',
            plan_id, term, seats, unit_price, ends_at, period_end, currency, total, vat_rate,
            {VAT_WITHIN}, auto_renew, greatest(ends_at, :now),
            CASE WHEN has_card OR total = 0 THEN ends_at + make_interval(days => :first_charge_day) END
        FROM priced LEFT JOIN legal_entities ON legal_entities.code = :legal_entity
    ),
    lines AS (
        INSERT INTO invoice_lines (partner_id, invoice_id, position, description, quantity, unit_price, amount,
            currency)
        SELECT partner_id, invoice_id, 1, plan_name || ', ' || months || ' × ' || quantity, months * quantity,
            unit_price, total, currency
        FROM priced
    ),
    marked AS (
        UPDATE subscriptions SET invoiced_until = due.ends_at, updated_at = now()
        FROM due WHERE subscriptions.id = due.subscription_id
    ),
    counted AS (
        UPDATE installs SET event_sequence = due.event_sequence, event_xid = due.event_xid
        FROM due WHERE installs.id = due.install_id
    ),
    trail AS (
        INSERT INTO audit_events (actor, actor_roles, action, entity_type, entity_id, partner_id, request_id, after)
        SELECT :actor, CAST(:actor_roles AS text[]), 'invoice.issue', 'Invoice', invoice_id, partner_id, :request_id,
            jsonb_build_object(
                'number', number, 'kind', 'RENEWAL', 'total', total::text, 'currency', currency)
        FROM priced
    ),
    events AS (
        INSERT INTO product_events (event_id, partner_id, product_id, install_id, sequence, order_xid, type, payload,
            endpoint, status)
        SELECT 'evt_' || replace(gen_random_uuid()::text, '-', ''), partner_id, product_id, install_id, event_sequence,
            event_xid, 'invoice.created', jsonb_build_object(
                'type', 'invoice.created', 'timestamp', :told_at, 'installId', install_id::text,
                'data', jsonb_build_object('invoiceNumber', number, 'kind', 'RENEWAL', 'total', total::text,
                    'currency', currency,
                    'dueAt', to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'))),
            endpoint, CASE WHEN told THEN 'PENDING' ELSE 'SKIPPED' END
        FROM priced
        RETURNING id, install_id, partner_id, status
    ),
    messages AS (
        INSERT INTO outbox_messages (kind, payload, ordering_key, partner_id, request_id, traceparent)
        SELECT 'event.deliver', jsonb_build_object('eventId', id), 'install:' || install_id, partner_id,
            :request_id, :traceparent
        FROM events WHERE status = 'PENDING'
    )
    SELECT count(*) FROM priced
"""  # noqa: S608 - constants only
_TYPES: dict[str, TypeEngine[Any]] = {
    "now": DateTime(timezone=True),
    "horizon": DateTime(timezone=True),
    "accounts": ARRAY(Text()),
    "zone": Text(),
    "legal_entity": Text(),
    "year": Integer(),
    "number_prefix": Text(),
    "first_charge_day": Integer(),
    "actor": Text(),
    "actor_roles": ARRAY(Text()),
    "request_id": Text(),
    "traceparent": Text(),
    "told_at": Text(),
}
_TYPED = tuple(bindparam(name, type_=kind) for name, kind in _TYPES.items())
# One that is past due without a bill was held back by its partner's standing, or its bill was withdrawn.
_STATEMENT = text(_ISSUE.format(which="s.status IN ('ACTIVE', 'PAST_DUE')")).bindparams(*_TYPED)
_ONE = text(_ISSUE.format(which="s.id = :subscription")).bindparams(*_TYPED)


async def issue_due_renewals(session: AsyncSession, rows: int = CHUNK_ROWS) -> int:
    """Issue the invoices of at most ``rows`` periods that end soon; gives how many, 0 when there are no more."""
    issued: int | None = await session.scalar(_STATEMENT, {"rows": rows, **_parameters(SYSTEM)})
    return issued or 0


async def issue_renewal(session: AsyncSession, actor: Principal, subscription: Subscription) -> None:
    """Issue the invoice of the next period of one subscription, locked with its install, whenever it begins."""
    subscription.invoiced_until = None
    await session.flush()
    given = {**_parameters(actor), "horizon": subscription.ends_at, "subscription": subscription.id, "rows": 1}
    issued = await session.scalar(_ONE, given)
    assert issued == 1, "what stops a renewal was refused before"
    await session.refresh(subscription)


def _parameters(actor: Principal) -> dict[str, Any]:
    settings = get_settings()
    now = clock.now()
    return {
        "now": now,
        "horizon": now + timedelta(days=settings.renewal_invoice_days),
        "accounts": chargeable_accounts(),
        "zone": settings.legal_entity_timezone,
        "legal_entity": settings.legal_entity,
        "year": now.astimezone(clock.zone()).year,
        "number_prefix": number_prefix(settings.legal_entity),
        "first_charge_day": settings.charge_days[0],
        "actor": actor.label,
        "actor_roles": list(actor.roles),
        **origin(),
        "told_at": now.isoformat(),
    }
