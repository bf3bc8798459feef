"""`kontora tokens refresh`: have installs' tokens at amoCRM replaced (INS-4)."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.servers import run, servers_for_command


def refresh_tokens(
    install: Annotated[int | None, typer.Option(help="Number of one install, as events tell it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All installs.")] = False,
) -> None:
    """Have tokens replaced now, whatever their life; workers do it, one at a time an install."""
    if (install is None) != everything:
        raise typer.BadParameter("say --install NUMBER or --all")
    with servers_for_command():
        asked = run(_refresh(install))
    print(f"{asked} {'refresh is' if asked == 1 else 'refreshes are'} on the way.")


async def _refresh(install: int | None) -> int:
    from core.database import transaction
    from core.principal import Principal
    from services import amocrm

    actor = Principal(kind="system", permissions=frozenset({"oauth_token:refresh"}), roles=("CLI",))
    async with transaction() as session:
        if install is None:
            return await amocrm.request_refresh_of_all(session, actor)
        await amocrm.request_refresh(session, actor, install_id=install)
        return 1
