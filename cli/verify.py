"""`kontora verify …`: recompute what must always hold."""

from __future__ import annotations

import sys

import typer

from cli.servers import run, servers_for_command


def verify_ledger() -> None:
    """Recompute every wallet from its journal; says what does not add up and fails (WAL-2)."""
    with servers_for_command():
        violations = run(_ledger())
    _tell(violations, "The ledger holds.")


def verify_billing() -> None:
    """Recompute what must hold between subscriptions, invoices and payments; says what does not and fails (INV-1)."""
    with servers_for_command():
        violations = run(_billing())
    _tell(violations, "Billing holds.")


def _tell(violations: list[str], good: str) -> None:
    for violation in violations:
        print(violation, file=sys.stderr)
    if violations:
        raise typer.Exit(1)
    print(good)


async def _ledger() -> list[str]:
    from core.database import transaction
    from core.principal import SYSTEM
    from ledger.verify import verify

    async with transaction(SYSTEM) as session:
        return await verify(session)


async def _billing() -> list[str]:
    from core.database import transaction
    from core.principal import SYSTEM
    from services.billing.verify import verify_billing as verify

    async with transaction(SYSTEM) as session:
        return await verify(session)
