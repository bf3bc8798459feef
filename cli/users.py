"""`kontora create-superadmin` and `kontora seed-demo`: the first people of a new house."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.servers import run, servers_for_command
from core.errors import UserError
from core.settings import get_settings


class NotASandbox(UserError):
    """The demo world may only be made where nothing is real."""

    code = "NOT_A_SANDBOX"


def create_superadmin(
    email: Annotated[str, typer.Argument(help="Address to sign in with.")],
    password: Annotated[
        str, typer.Option(envvar="KONTORA_SUPERADMIN_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True)
    ],
    name: Annotated[str, typer.Option(help="Name of the person.")] = "Superadmin",
) -> None:
    """Create a user who may do everything."""
    with servers_for_command():
        run(_create_superadmin(email, name, password))
    print(f"{email} may sign in now.")


def seed_demo() -> None:
    """Make the demo world where it is missing, and give its users KONTORA_DEMO_PASSWORD; sandbox only."""
    with servers_for_command():
        print(run(seed()))


async def seed() -> str:
    """Make the demo world where it is missing; gives the sign-ins in words.

    Raises:
        NotASandbox: in production mode.
    """
    from core.database import transaction
    from core.principal import SYSTEM
    from services import demo

    if get_settings().mode != "sandbox":
        raise NotASandbox("the demo world exists in sandbox mode only")
    password = get_settings().demo_users_password()
    async with transaction(SYSTEM) as session:
        await demo.seed(session, password=password)
    width = max(map(len, demo.DEMO_USERS))
    lines = [f"  {email:<{width}}  {role}" for email, role in demo.DEMO_USERS.items()]
    return "\n".join([f"Demo sign-ins, all with the password {password}", *lines])


async def _create_superadmin(email: str, name: str, password: str) -> None:
    from core.database import transaction
    from core.principal import SYSTEM
    from services.access import create_superadmin as create

    async with transaction(SYSTEM) as session:
        await create(session, SYSTEM, email=email, name=name, password=password)
