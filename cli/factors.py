"""`kontora reset-second-factor`: for who has lost the phone and the recovery codes, and nobody else may help."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.servers import run, servers_for_command


def reset_second_factor(
    email: Annotated[str, typer.Argument(help="Address that the user signs in with.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = "reset at the command line",
) -> None:
    """Take a user's second factor away and end the user's sessions."""
    with servers_for_command():
        run(_reset(email, reason))
    print(f"{email} has no second factor now, and no sessions.")


async def _reset(email: str, reason: str) -> None:
    from core.database import transaction
    from core.principal import SYSTEM
    from services.access import reset_totp, user_with_email

    async with transaction(SYSTEM) as session:
        user = await user_with_email(session, email)
        await reset_totp(session, SYSTEM, user_id=user.id, reason=reason)
