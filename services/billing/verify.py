"""Recomputes what must always hold between subscriptions, invoices and payments (INV-1, INV-3, SUB-1)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MOST_REPORTED = 20

# Each by a name; `{id}` and `{value}` are of the row at fault.
INVARIANTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "lines_make_the_total": (
            "invoice {id}: its lines sum to {value}, which is not its total",
            """
            SELECT i.id, coalesce(sum(l.amount), 0) AS value FROM invoices i
            LEFT JOIN invoice_lines l ON l.invoice_id = i.id
            GROUP BY i.id HAVING coalesce(sum(l.amount), 0) <> i.total
            """,
        ),
        "tax_is_within_the_total": (
            "invoice {id}: its tax of {value} is not what its rate gives",
            """
            SELECT id, vat_amount AS value FROM invoices
            WHERE vat_amount <> coalesce(round(total * vat_rate / (100 + vat_rate), 2), 0)
            """,
        ),
        "numbers_have_no_gap": (
            "invoices of a legal entity and year end at {value} and are {id}",
            """
            SELECT count(*) AS id, c.last_sequence AS value FROM invoice_counters c
            LEFT JOIN invoices i ON i.legal_entity = c.legal_entity AND i.year = c.year
            GROUP BY c.legal_entity, c.year, c.last_sequence
            HAVING count(i.id) <> c.last_sequence OR max(i.sequence) <> c.last_sequence
            """,
        ),
        "paid_by_a_payment": (
            "invoice {id} is paid, and {value} payments brought money for it",
            """
            SELECT i.id, count(p.id) AS value FROM invoices i
            LEFT JOIN payments p ON p.invoice_id = i.id AND p.status IN ('CONFIRMED', 'PARTIALLY_REFUNDED', 'REFUNDED')
            WHERE i.status IN ('PAID', 'REFUNDED', 'PARTIALLY_REFUNDED') AND i.total > 0
            GROUP BY i.id HAVING count(p.id) = 0
            """,
        ),
        "unpaid_without_money": (
            "invoice {id} waits for money, and payment {value} has brought it",
            """
            SELECT i.id, p.id AS value FROM invoices i
            JOIN payments p ON p.invoice_id = i.id AND p.status IN ('CONFIRMED', 'PARTIALLY_REFUNDED', 'REFUNDED')
            WHERE i.status IN ('PENDING', 'CHARGING', 'ACTION_REQUIRED', 'FAILED')
            """,
        ),
        "payment_over_the_total": (
            "payment {id} is over {value}, which is not its invoice's total",
            """
            SELECT p.id, p.amount AS value FROM payments p JOIN invoices i ON i.id = p.invoice_id
            WHERE p.amount <> i.total OR p.currency <> i.currency
            """,
        ),
        "refunds_are_what_was_given_back": (
            "payment {id}: its refunds sum to {value}, which is not what was given back",
            """
            SELECT p.id, coalesce(sum(r.amount), 0) AS value FROM payments p
            LEFT JOIN refunds r ON r.payment_id = p.id AND r.status = 'SUCCEEDED'
            GROUP BY p.id HAVING coalesce(sum(r.amount), 0) <> p.refunded_amount
            """,
        ),
        "history_ends_at_the_state": (
            "payment {id} is not in the state {value} in which its history ends",
            """
            SELECT p.id, h.to_status AS value FROM payments p
            JOIN LATERAL (
                SELECT to_status FROM payment_state_changes c WHERE c.payment_id = p.id ORDER BY c.id DESC LIMIT 1
            ) h ON true
            WHERE h.to_status <> p.status
            """,
        ),
        "one_renewal_a_period": (
            "subscription {id} has {value} renewals that begin at the same moment",
            """
            SELECT subscription_id AS id, count(*) AS value FROM invoices
            WHERE kind = 'RENEWAL' AND status <> 'CANCELED'
            GROUP BY subscription_id, period_start HAVING count(*) > 1
            """,
        ),
        "one_live_subscription": (
            "install {id} has {value} live subscriptions",
            """
            SELECT install_id AS id, count(*) AS value FROM subscriptions
            WHERE status IN ('TRIAL', 'ACTIVE', 'PAST_DUE') GROUP BY install_id HAVING count(*) > 1
            """,
        ),
        "install_shows_its_subscription": (
            "install {id} shows {value}, which is not what its subscription says",
            """
            SELECT i.id, i.subscription_kind AS value FROM installs i
            LEFT JOIN subscriptions s ON s.install_id = i.id AND s.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')
            WHERE (i.subscription_kind = 'PAID')
                <> coalesce(s.status IN ('ACTIVE', 'PAST_DUE') AND s.paused_at IS NULL, false)
                OR (i.subscription_kind = 'TRIAL') <> coalesce(s.status = 'TRIAL', false)
            """,
        ),
        "renewed_for_what_was_paid": (
            "subscription {id} is active, and {value} invoices have been paid for it",
            """
            SELECT s.id, count(i.id) AS value FROM subscriptions s
            LEFT JOIN invoices i ON i.subscription_id = s.id AND i.status IN ('PAID', 'REFUNDED', 'PARTIALLY_REFUNDED')
            WHERE s.status IN ('ACTIVE', 'PAST_DUE') AND NOT EXISTS (
                SELECT FROM subscription_changes c WHERE c.subscription_id = s.id AND c.action = 'correct')
            GROUP BY s.id HAVING count(i.id) = 0
            """,
        ),
        "prepayments_are_closed": (
            "payment {id} was received as {value}, and no closing receipt of it is on its way",
            """
            SELECT p.id, p.receipt_method AS value FROM payments p JOIN invoices i ON i.id = p.invoice_id
            WHERE p.receipt_method <> 'FULL_PAYMENT' AND p.status IN ('CONFIRMED', 'PARTIALLY_REFUNDED')
                AND i.status IN ('PAID', 'PARTIALLY_REFUNDED')
                AND p.confirmed_at = (SELECT min(q.confirmed_at) FROM payments q WHERE q.invoice_id = i.id)
                AND NOT EXISTS (
                    SELECT FROM closing_receipts c WHERE c.payment_id = p.id
                        AND (c.status <> 'WAITING' OR c.due_at > now() - interval '1 day'))
            """,
        ),
        "closing_receipts_close_what_is_left": (
            "closing receipt {id} is over {value}, which is not what is left of its payment",
            """
            SELECT c.id, c.amount AS value FROM closing_receipts c JOIN payments p ON p.id = c.payment_id
            WHERE c.status IN ('WAITING', 'QUEUED', 'BY_HAND', 'FAILED') AND c.amount <> p.amount - p.refunded_amount
            """,
        ),
        "charged_only_while_open": (
            "invoice {id} is {value} and still to be charged",
            """
            SELECT id, status AS value FROM invoices
            WHERE next_charge_at IS NOT NULL AND status NOT IN ('PENDING', 'FAILED')
            """,
        ),
    }
)


async def verify_billing(session: AsyncSession) -> list[str]:
    """Every violation in words, behind the name of its invariant, the first twenty of each; empty when all hold."""
    violations = []
    for name, (message, query) in INVARIANTS.items():
        rows = await session.execute(text(f"{query} ORDER BY 1 LIMIT {MOST_REPORTED}"))
        violations += [f"{name}: {message.format(id=row.id, value=row.value)}" for row in rows]
    return violations
