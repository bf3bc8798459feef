"""People of an account become contacts of the partner (INS-2)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import SYSTEM
from domain import fields
from gateways.amocrm.client import CrmUser
from models import Contact, Partner
from services import audit

NAMELESS = "?"


async def store_people(
    session: AsyncSession, partner: Partner, users: Sequence[CrmUser], *, installer_id: int
) -> Contact | None:
    """Add and update the people of a locked partner; gives who authorised us, None if they are not among them.

    Who was here before is known again by the number at amoCRM, then by address, then by name; names and addresses of
    those who came from amoCRM follow amoCRM. Who has left the account stays.

    Parameters:
        installer_id: number of who authorised us; becomes the primary contact where there is none.
    """
    told = {user.id: (_name(user), _email(user)) for user in users}
    known = await _known(session, partner, told)
    by_number = {contact.amocrm_user_id: contact for contact in known if contact.amocrm_user_id is not None}
    strangers = [contact for contact in known if contact.amocrm_user_id is None]
    by_email = {contact.email: contact for contact in strangers if contact.email is not None}
    by_name = {contact.full_name: contact for contact in strangers if contact.email is None}
    added = changed = 0
    for number, (name, email) in told.items():
        contact = by_number.get(number)
        if contact is None:
            found = by_name.pop(name, None) if email is None else by_email.pop(email, None)
            if found is None:
                added += 1
                by_number[number] = Contact(
                    partner_id=partner.id, amocrm_user_id=number, full_name=name, email=email, is_primary=False
                )
            else:
                changed += 1
                found.amocrm_user_id = number
                found.version += 1
                by_number[number] = found
        elif (contact.full_name, contact.email) != (name, email):
            changed += 1
            contact.full_name, contact.email = name, email
            contact.version += 1
    session.add_all(by_number.values())
    installer = by_number.get(installer_id)
    if installer is not None and not await _has_primary(session, partner):
        installer.is_primary = True
        installer.version = (installer.version or 0) + 1
    if added or changed:
        after = {"added": added, "changed": changed}
        await audit.record(session, SYSTEM, "partner.store_people", partner, before=None, after=after)
    return installer


async def _known(session: AsyncSession, partner: Partner, told: dict[int, tuple[str, str | None]]) -> Sequence[Contact]:
    names = {name for name, email in told.values() if email is None}
    emails = {email for _, email in told.values() if email is not None}
    same = or_(
        Contact.amocrm_user_id.in_(told),
        Contact.email.in_(emails),
        Contact.email.is_(None) & Contact.full_name.in_(names),
    )
    wanted = select(Contact).where(Contact.partner_id == partner.id, same).order_by(Contact.id.desc())
    # Of two with the same address the older one counts: it comes last.
    return (await session.scalars(wanted)).all()


async def _has_primary(session: AsyncSession, partner: Partner) -> bool:
    primary = select(Contact.id).where(Contact.partner_id == partner.id, Contact.is_primary)
    return await session.scalar(primary) is not None


def _name(user: CrmUser) -> str:
    """What people typed at amoCRM is no reason to refuse an installation."""
    try:
        return fields.line(user.name[: fields.LONGEST_LINE_CHARS], "fullName")
    except fields.InvalidValue:
        return NAMELESS


def _email(user: CrmUser) -> str | None:
    try:
        return fields.email(user.email, "email")
    except fields.InvalidValue:
        return None
