"""`kontora verify …`: recompute what must always hold."""

from __future__ import annotations

import sys

import typer

from cli.servers import run, servers_for_command


def verify_ledger() -> None:
    """Recompute every wallet from its journal; says what does not add up and fails (WAL-2)."""
    with servers_for_command():
        violations = run(_violations())
    for violation in violations:
        print(violation, file=sys.stderr)
    if violations:
        raise typer.Exit(1)
    print("The ledger holds.")


async def _violations() -> list[str]:
    from core.database import transaction
    from core.principal import SYSTEM
    from ledger.verify import verify

    async with transaction(SYSTEM) as session:
        return await verify(session)
