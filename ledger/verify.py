"""Recomputes the whole coin journal and reports what does not add up (WAL-2)."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MOST_REPORTED = 20

_CHECKS = {
    "entries of wallet transaction {id} sum to {value}, not to zero": """
        SELECT transaction_id AS id, sum(amount) AS value FROM ledger_entries
        GROUP BY transaction_id HAVING sum(amount) <> 0
    """,
    "wallet transaction {id} of {value} is not what its wallet's account says": """
        SELECT t.id, t.amount AS value FROM wallet_transactions t
        LEFT JOIN ledger_accounts a ON a.wallet_id = t.wallet_id
        LEFT JOIN ledger_entries e ON e.transaction_id = t.id AND e.account_id = a.id
        GROUP BY t.id HAVING sum(e.amount) IS DISTINCT FROM t.amount
    """,
    "wallet {id} differs from its journal by {value}": """
        SELECT w.id, w.balance - coalesce(sum(e.amount), 0) AS value FROM wallets w
        LEFT JOIN ledger_accounts a ON a.wallet_id = w.id
        LEFT JOIN ledger_entries e ON e.account_id = a.id
        GROUP BY w.id HAVING w.balance <> coalesce(sum(e.amount), 0)
    """,
    "wallet {id} differs from its lots by {value}": """
        SELECT w.id, w.balance - coalesce(sum(l.remaining), 0) AS value FROM wallets w
        LEFT JOIN wallet_lots l ON l.wallet_id = w.id
        GROUP BY w.id HAVING w.balance <> coalesce(sum(l.remaining), 0)
    """,
    "lot {id} differs from its journal by {value}": """
        SELECT l.id, l.remaining - l.opening - coalesce(sum(e.amount), 0) AS value FROM wallet_lots l
        LEFT JOIN ledger_entries e ON e.lot_id = l.id
        GROUP BY l.id HAVING l.remaining - l.opening <> coalesce(sum(e.amount), 0)
    """,
    "coins of wallet {id} on hold differ from its journal by {value}": """
        SELECT w.id, coalesce(h.held, 0) - coalesce(j.held, 0) AS value FROM wallets w
        LEFT JOIN (SELECT wallet_id, sum(amount) AS held FROM wallet_holds WHERE status = 'HELD' GROUP BY 1) h
            ON h.wallet_id = w.id
        LEFT JOIN (
            SELECT t.wallet_id, sum(e.amount) AS held FROM ledger_entries e
            JOIN ledger_accounts a ON a.id = e.account_id AND a.kind = 'HOLD'
            JOIN wallet_transactions t ON t.id = e.transaction_id GROUP BY 1) j ON j.wallet_id = w.id
        WHERE coalesce(h.held, 0) <> coalesce(j.held, 0)
    """,
    "purchase {id} gave {value} coins more or less than were paid for": """
        SELECT i.id, coalesce(sum(t.amount), 0) - i.coins AS value FROM invoices i
        LEFT JOIN wallets w ON w.install_id = i.install_id
        LEFT JOIN wallet_transactions t
            ON t.wallet_id = w.id AND t.kind = 'PURCHASE' AND t.reference = 'invoice:' || i.id
        WHERE i.kind = 'COIN_PURCHASE' AND i.status IN ('PAID', 'REFUNDED', 'PARTIALLY_REFUNDED')
        GROUP BY i.id HAVING coalesce(sum(t.amount), 0) <> i.coins
    """,
    "balance after wallet transaction {id} is off by {value}": """
        SELECT id, balance_after - running AS value FROM (
            SELECT id, balance_after, sum(amount) OVER (PARTITION BY wallet_id ORDER BY id) AS running
            FROM wallet_transactions) AS journal
        WHERE balance_after <> running
    """,
    "totals of wallet {id} differ from its journal by {value}": """
        SELECT w.id, abs(w.earned - sum(CASE WHEN t.kind = 'BONUS' THEN t.amount ELSE 0 END))
                   + abs(w.bought - sum(CASE WHEN t.kind = 'PURCHASE' THEN t.amount ELSE 0 END))
                   + abs(w.spent + sum(CASE WHEN t.kind = 'USAGE' THEN t.amount ELSE 0 END)) AS value
        FROM wallets w JOIN wallet_transactions t ON t.wallet_id = w.id
        GROUP BY w.id
        HAVING w.earned <> sum(CASE WHEN t.kind = 'BONUS' THEN t.amount ELSE 0 END)
            OR w.bought <> sum(CASE WHEN t.kind = 'PURCHASE' THEN t.amount ELSE 0 END)
            OR w.spent <> -sum(CASE WHEN t.kind = 'USAGE' THEN t.amount ELSE 0 END)
    """,
}


async def verify(session: AsyncSession) -> list[str]:
    """Every violation in words, the first twenty of each sort; empty when the journal holds."""
    violations = []
    for message, query in _CHECKS.items():
        rows = await session.execute(text(f"{query} ORDER BY 1 LIMIT {MOST_REPORTED}"))
        violations += [message.format(id=row.id, value=row.value) for row in rows]
    return violations
