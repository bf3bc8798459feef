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
