"""`kontora verify …`: recompute what must always hold."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.servers import run, servers_for_command

if TYPE_CHECKING:
    from services.audit_verify import Trail


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


def verify_audit(
    anchor: Annotated[
        list[str] | None, typer.Option(help="`number:hash` of a segment that must be in the chain, kept elsewhere.")
    ] = None,
) -> None:
    """Recompute the audit trail's chain; says which event was changed, removed or inserted, and fails (ACC-6)."""
    with servers_for_command():
        trail = run(_audit(anchor or []))
    _tell(
        trail.violations,
        f"The audit trail holds: {trail.sealed} events in {trail.segments} segments, {trail.unsealed} not yet sealed."
        f" Anchor: {trail.anchor or 'none'}",
    )


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


async def _audit(anchors: list[str]) -> Trail:
    from core.database import transaction
    from core.principal import SYSTEM
    from services.audit_verify import verify_audit as verify

    async with transaction(SYSTEM) as session:
        return await verify(session, anchors)
