"""Fills a migrated, empty database with the world that the reading benchmarks use."""

from __future__ import annotations

import asyncpg

PARTNERS = 20_000
INSTALLS_PER_PARTNER = 5
INVOICES_PER_INSTALL = 5

STATEMENTS = (
    """
    INSERT INTO products (name, code, kind)
    SELECT 'Product ' || n, 'product-' || n, 'WIDGET' FROM generate_series(1, $1) n
    """,
    """
    INSERT INTO plans (product_id, name, currency, pricing_model, min_seats)
    SELECT id, 'Basic', 'RUB', 'PER_SEAT', 1 FROM products
    """,
    """
    INSERT INTO plan_prices (plan_id, term, unit_price, currency)
    SELECT id, term, price, 'RUB' FROM plans, (VALUES ('MONTH', 99), ('HALF_YEAR', 89), ('YEAR', 79)) AS t (term, price)
    """,
    """
    INSERT INTO partners (name, legal_name, inn, amocrm_domain, segment)
    SELECT 'Партнёр «' || n || '»', 'ООО «Ромашка ' || n || '»', lpad(n::text, 10, '7'), 'p' || n || '.amocrm.ru', 'SMB'
    FROM generate_series(1, $1) n
    """,
    """
    INSERT INTO installs (partner_id, product_id, status, subscription_kind, activated_at)
    SELECT p.id, pr.id, 'ACTIVATED', 'PAID', now() FROM partners p, products pr
    """,
    """
    INSERT INTO wallets (partner_id, install_id, balance, earned)
    SELECT partner_id, id, 1000, 1000 FROM installs
    """,
    """
    INSERT INTO subscriptions
        (partner_id, install_id, product_id, plan_id, term, status, seats, unit_price, currency, starts_at, ends_at,
            anchor_day)
    SELECT i.partner_id, i.id, i.product_id, p.id, 'MONTH', 'ACTIVE', 5, 99, 'RUB',
           now() - interval '10 days', now() + interval '20 days', 1
    FROM installs i JOIN plans p USING (product_id)
    """,
    """
    INSERT INTO invoices
        (partner_id, install_id, subscription_id, legal_entity, year, sequence, number, kind, status, plan_id, term,
         seats, unit_price, currency, total, due_at, paid_at)
    SELECT partner_id, install_id, id, 'default', 2026, row_number, 'K-2026-' || lpad(row_number::text, 6, '0'),
           'RENEWAL', CASE WHEN n = 1 THEN 'PENDING' ELSE 'PAID' END, plan_id, 'MONTH', 5, 99, 'RUB', 495,
           now() + interval '5 days', CASE WHEN n = 1 THEN NULL ELSE now() END
    FROM (
        SELECT s.*, n, row_number() OVER (ORDER BY n, s.id)
        FROM subscriptions s, generate_series(1, $1) n
    ) AS numbered
    """,
    """
    INSERT INTO payments
        (partner_id, invoice_id, gateway, status, gateway_payment_id, order_id, amount, currency, confirmed_at)
    SELECT partner_id, id, 'sandbox', 'CONFIRMED', 'bench-' || id, 'bench-' || id, total, currency, paid_at
    FROM invoices WHERE status = 'PAID'
    """,
)


async def fill(url: str, *, partners: int = PARTNERS, invoices_per_install: int = INVOICES_PER_INSTALL) -> None:
    """Insert the world, unless it is there, and bring the planner's statistics up to date.

    Parameters:
        partners: how many; each has five installs.
        invoices_per_install: how many of each; all but the first are paid.
    """
    sizes = {1: INSTALLS_PER_PARTNER, 4: partners, 8: invoices_per_install}
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT count(*) FROM partners") >= partners:
            return
        for number, statement in enumerate(STATEMENTS, 1):
            arguments = (sizes[number],) if number in sizes else ()
            await connection.execute(statement, *arguments, timeout=600)
        await connection.execute("VACUUM ANALYZE", timeout=600)
    finally:
        await connection.close()
