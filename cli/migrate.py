"""`kontora migrate`: bring the database up to date, or write the next migration."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.servers import run, servers_for_command


def migrate(
    revise: Annotated[str, typer.Option(help="Write the migration between the database and the models.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Fail if the models differ from the migrations.")] = False,
) -> None:
    """Bring the database up to date; safe to run at any time and from several places at once."""
    with servers_for_command():
        from core.database import database_url
        from migrations.run import upgrade

        run(upgrade(database_url()))
        if revise:
            run(_revise(revise))
        differences = run(_pending()) if check else []
        for difference in differences:
            print(difference, file=sys.stderr)
        if differences:
            raise typer.Exit(1)


async def _revise(message: str) -> None:
    from core.database import engine
    from migrations.run import revise

    async with engine().connect() as connection:
        await connection.run_sync(revise, message)


async def _pending() -> list[str]:
    from core.database import engine
    from migrations.run import pending

    async with engine().connect() as connection:
        return await connection.run_sync(pending)
