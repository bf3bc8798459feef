"""A small world of two partners, written straight into the tables."""

from __future__ import annotations

import asyncpg


async def build(owner: asyncpg.Connection) -> None:
    """Two partners with two installs each, invoices with lines and payments, wallets and a subscription."""
    await owner.execute(
        """
        INSERT INTO products (name, code, kind) VALUES ('Транскрибация', 'p1', 'WIDGET'), ('Sense "AI"', 'p2', 'SAAS');
        INSERT INTO plans (product_id, name) SELECT id, 'Basic' FROM products;
        INSERT INTO plan_prices (plan_id, term, unit_price, currency) SELECT id, 'MONTH', 99, 'RUB' FROM plans;
        INSERT INTO users (kind, email, full_name, password_hash) VALUES ('STAFF', 'a@b.test', 'Анна', 'x');
        INSERT INTO partners (name, inn, account_manager_id) VALUES ('Альфа', '7707083893', 1), ('Beta \\ "b"', NULL, NULL);
        INSERT INTO contacts (partner_id, full_name, phone) SELECT id, 'Person ' || id, '+7999' || id FROM partners;
        INSERT INTO installs (partner_id, product_id, status) SELECT a.id, b.id, 'ACTIVATED' FROM partners a, products b
            ORDER BY a.id, b.id;
        INSERT INTO wallets (partner_id, install_id, balance, earned) SELECT partner_id, id, 1000.5, 1000.5
            FROM installs WHERE product_id = 1;
        INSERT INTO subscriptions (partner_id, install_id, product_id, plan_id, term, status, seats, unit_price, currency,
            starts_at, ends_at, anchor_day)
            SELECT partner_id, id, product_id, product_id, 'MONTH', 'ACTIVE', 5, 99, 'RUB', '2026-01-31', '2026-02-28', 31
            FROM installs WHERE product_id = 1;
        INSERT INTO invoices (partner_id, install_id, legal_entity, year, sequence, number, kind, status, seats, unit_price,
            currency, total, due_at, paid_at, created_at)
            SELECT i.partner_id, i.id, 'default', 2026, i.id * 10 + n, 'K-' || i.id || '-' || n, 'RENEWAL',
                CASE WHEN n = 1 THEN 'PENDING' ELSE 'PAID' END, 5, CASE WHEN n = 3 THEN NULL ELSE 99 END, 'RUB', 495.5 + n,
                '2026-03-01T00:00:00.123456Z'::timestamptz + n * interval '1 day',
                CASE WHEN n = 1 THEN NULL ELSE '2026-03-01'::timestamptz END, '2026-02-01'
            FROM installs i, generate_series(1, 4) n ORDER BY i.id, n;
        INSERT INTO invoice_lines (partner_id, invoice_id, position, description, quantity, unit_price, amount, currency)
            SELECT partner_id, id, n, 'Line ' || n, 1.5, 10, 15, 'RUB' FROM invoices, generate_series(1, 2) n;
        INSERT INTO payments (partner_id, invoice_id, gateway, status, order_id, amount, currency, gateway_answer)
            SELECT partner_id, id, 'sandbox', 'CONFIRMED', 'o-' || id, total, 'RUB', '{"Success": true, "a": [1, "я"]}'
            FROM invoices WHERE status = 'PAID' ORDER BY id DESC;
        INSERT INTO partner_notes (partner_id, kind, body, written_by_user_id, created_at)
            SELECT p.id, kind, 'A ' || lower(kind), 1, '2026-02-05 10:00Z' FROM partners p,
                unnest('{NOTE,CALL,MEETING}'::text[]) kind;
        INSERT INTO partner_status_changes (partner_id, from_status, to_status, reason, created_at)
            SELECT id, 'ACTIVE', 'SUSPENDED', 'asked', '2026-02-05 10:00Z' FROM partners;
        INSERT INTO partner_contracts (partner_id, number, created_at) SELECT id, 'C-' || id, '2026-02-03 10:00Z' FROM partners;
        INSERT INTO partner_documents (partner_id, contract_id, kind, title, status, visible_to_partner, url, created_at)
            SELECT c.partner_id, c.id, 'ACT', 'Shown ' || shown, 'AVAILABLE', shown, 'https://x.test', '2026-02-04 10:00Z'
            FROM partner_contracts c, unnest('{true,false}'::boolean[]) shown;
        INSERT INTO refunds (partner_id, payment_id, invoice_id, key, amount, currency, reason, created_at)
            SELECT partner_id, id, invoice_id, 'r-' || id, 1, 'RUB', 'x', '2026-02-06 10:00Z' FROM payments WHERE id IN (1, 11, 12) ORDER BY id;
        INSERT INTO subscription_changes (partner_id, subscription_id, action, actor, created_at)
            SELECT partner_id, id, 'create', 'system', '2026-02-05 10:00Z' FROM subscriptions;
        INSERT INTO users (email, kind, partner_id, full_name, created_at)
            SELECT 'owner-' || id || '@x.test', 'PARTNER', id, 'Owner ' || id, '2026-02-01 10:00Z' FROM partners;
        INSERT INTO sessions (user_id, kind, expires_at, last_used_at, partner_id, created_at)
            SELECT id, 'TOKEN', '2027-01-01', '2026-02-07', partner_id, '2026-02-07 10:00Z' FROM users
            WHERE partner_id IS NOT NULL;
        UPDATE payments SET created_at = '2026-02-02T10:00:00.5Z';
        """
    )
