"""Links by which users set their passwords: good once and for a while, kept as hashes, sent by mail (ACC-1)."""

from __future__ import annotations

from urllib.parse import urlencode

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash, random_token
from core.settings import get_settings
from domain.access import PasswordLinkPurpose
from models import Partner, PasswordLink, User
from services import mail

PATH = "/set-password"
PURPOSE = "password_link"
TEMPLATES = {PasswordLinkPurpose.INVITE: "user_invite", PasswordLinkPurpose.RESET: "password_reset"}


async def send_link(session: AsyncSession, user: User) -> PasswordLink:
    """Mail a user the one link that is good from now on: an invitation, as long as there is no password yet.

    Raises:
        MailNotConfigured: production without a mail server.
    """
    await revoke_links(session, user.id)
    if user.email_taken:
        user.email_taken = bool(await session.scalar(select(func.address_signs_in(user.email))))
    purpose = PasswordLinkPurpose.INVITE if user.password_set_at is None else PasswordLinkPurpose.RESET
    token = random_token("kpl")
    link = PasswordLink(
        user_id=user.id,
        partner_id=user.partner_id,
        purpose=purpose,
        token_hash=hash_of(token),
        expires_at=clock.now() + purpose.lifetime,
    )
    session.add(link)
    partner = await session.get_one(Partner, user.partner_id) if user.partner_id is not None else None
    values = {
        "email": user.email,
        "partner": partner.name if partner is not None else None,
        # Whoever has another account is told that this address cannot be of use here.
        "link": None if user.email_taken else f"{get_settings().base_url}{PATH}?{urlencode({'token': token})}",
        "expires_at": link.expires_at,
    }
    await mail.send(session, user.email, TEMPLATES[purpose], user.locale, values, partner_id=user.partner_id)
    return link


async def revoke_links(session: AsyncSession, user_id: int) -> None:
    """Let none of a user's links be good any more."""
    unused = (PasswordLink.user_id == user_id, PasswordLink.used_at.is_(None), PasswordLink.revoked_at.is_(None))
    await session.execute(update(PasswordLink).where(*unused).values(revoked_at=clock.now()))


def hash_of(token: str) -> str:
    """How a link's token is kept."""
    return keyed_hash(token, PURPOSE)
