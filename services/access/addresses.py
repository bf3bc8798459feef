"""Addresses of partners' people: nobody at one partner learns which address signs in at another (ACC-4)."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, UserError
from core.principal import Principal
from domain import fields
from models import User
from policies.scopes import scoped
from services.access.call_rates import count_call

LETTERS_A_MINUTE = 10


class EmailFixed(UserError):
    """Whoever has signed in keeps the address: another would be another's way into the account."""

    code = "EMAIL_FIXED"


async def count_letter(session: AsyncSession, actor: Principal) -> None:
    """Count a letter to an address of the actor's choice; people have a handful a minute, Kontora itself any number.

    Raises:
        RateLimited: one too many.
    """
    if actor.user_id is not None:
        await count_call(session, "letter", str(actor.user_id), per_minute=LETTERS_A_MINUTE)


async def is_taken(session: AsyncSession, actor: Principal, email: str) -> bool:
    """Whether an address signs in to somebody's account beyond the actor's reach, which the answer must not tell.

    For our own people no address is: they are told of it, as of one within reach, where the row is written.

    Raises:
        Conflict: somebody within the actor's reach has the address.
    """
    if not actor.is_tenant:
        return False
    own = scoped(select(User.id).where(User.email == email), User, actor)
    if await session.scalar(own.limit(1)) is not None:
        raise Conflict("there is a user with this email", code="TAKEN", field=fields.path("email"))
    return bool(await session.scalar(select(func.address_signs_in(email))))


async def check_new_address(session: AsyncSession, actor: Principal, user: User) -> None:
    """Make sure that the actor may give the user another address: at partners, as long as the user has not come yet.

    Raises:
        EmailFixed: the user has signed in, or has set a password.
        RateLimited: as for letters.
    """
    if actor.is_tenant and (user.password_set_at is not None or user.last_sign_in_at is not None):
        raise EmailFixed("whoever has signed in keeps the address; ask us to change it", field=fields.path("email"))
    await count_letter(session, actor)
