"""People at partners: added, changed, and deleted (PAR-1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, NotFound
from core.principal import Principal
from domain import fields
from models import Contact, Install, OAuthToken, Partner
from policies.scopes import scoped
from services import audit
from services.changes import apply, next_version
from services.loading import load


class PrimaryContact(Conflict):
    """The partner would be left without a primary contact while there are others."""

    code = "PRIMARY_CONTACT"


class ContactValues(TypedDict, total=False):
    """What may be said of a contact; what is left out stays as it is."""

    full_name: str
    email: str | None
    phone: str | None
    position: str | None
    is_primary: bool


async def create_contact(session: AsyncSession, actor: Principal, *, partner_id: int, values: ContactValues) -> Contact:
    """Add a person at a partner; the first one, and one said to be primary, becomes the primary contact.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        UserError: a value is not fit for its field.
    """
    await load(session, actor, Partner, partner_id, lock=True)
    checked = _checked({"full_name": "", **values})
    checked["is_primary"] = bool(checked.get("is_primary")) or not await _has_others(session, partner_id, but=0)
    if checked["is_primary"]:
        await _clear_primary(session, partner_id)
    contact = Contact(partner_id=partner_id, **checked)
    session.add(contact)
    await audit.record(session, actor, "contact.create", contact, before=None, after=checked)
    return contact


async def update_contact(
    session: AsyncSession, actor: Principal, *, contact_id: int, version: int, values: ContactValues
) -> Contact:
    """Change a person at a partner.

    Parameters:
        version: the version that the caller has read.

    Raises:
        NotFound: there is no such contact in the caller's reach.
        Conflict: somebody changed it in between.
        UserError: a value is not fit for its field, or the primary contact would be left without a successor.
    """
    contact = await _locked(session, actor, contact_id)
    next_version(contact, version)
    checked = _checked(values)
    if contact.is_primary and checked.get("is_primary") is False:
        raise fields.InvalidValue("make another contact primary instead", field=fields.path("isPrimary"))
    if checked.get("is_primary") and not contact.is_primary:
        await _clear_primary(session, contact.partner_id)
    before, after = apply(contact, checked)
    await audit.record(session, actor, "contact.update", contact, before=before, after=after)
    return contact


async def keep_primary(session: AsyncSession, actor: Principal, *, partner_id: int, values: ContactValues) -> None:
    """Have a partner's primary contact say this; one is made where there is none, and one that says so stays as it is.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        UserError: a value is not fit for its field.
    """
    await load(session, actor, Partner, partner_id, lock=True)
    wanted = select(Contact).where(Contact.partner_id == partner_id, Contact.is_primary)
    primary = await session.scalar(scoped(wanted, Contact, actor))
    if primary is None:
        await create_contact(session, actor, partner_id=partner_id, values=values)
    elif not _says(primary, values) and not _says(primary, _checked(values)):
        await update_contact(session, actor, contact_id=primary.id, version=primary.version, values=values)


async def delete_contact(session: AsyncSession, actor: Principal, *, contact_id: int, version: int) -> None:
    """Delete a person at a partner; installs that it made, and tokens that it manages, name nobody any more.

    Raises:
        NotFound: there is no such contact in the caller's reach.
        Conflict: somebody changed it in between.
        PrimaryContact: it is the primary one of several.
    """
    contact = await _locked(session, actor, contact_id)
    next_version(contact, version)
    if contact.is_primary and await _has_others(session, contact.partner_id, but=contact.id):
        raise PrimaryContact("make another contact primary first", field=fields.path("id"))
    of_install = update(Install).where(Install.installed_by_contact_id == contact.id)
    await session.execute(of_install.values(installed_by_contact_id=None))
    of_token = update(OAuthToken).where(OAuthToken.manager_contact_id == contact.id)
    await session.execute(of_token.values(manager_contact_id=None))
    told = {"full_name": contact.full_name, "email": contact.email, "phone": contact.phone}
    await audit.record(session, actor, "contact.delete", contact, before=told, after=None)
    await session.delete(contact)


async def _locked(session: AsyncSession, actor: Principal, contact_id: int) -> Contact:
    """A contact in the caller's reach; its partner is locked first, for one of its contacts is the primary one."""
    partner_id = await session.scalar(
        scoped(select(Contact.partner_id).where(Contact.id == contact_id), Contact, actor)
    )
    if partner_id is None:
        raise NotFound.of("Contact", field=fields.path("id"))
    await load(session, actor, Partner, partner_id, lock=True)
    return await load(session, actor, Contact, contact_id, lock=True, references=True)


async def _has_others(session: AsyncSession, partner_id: int, *, but: int) -> bool:
    others = select(Contact.id).where(Contact.partner_id == partner_id, Contact.id != but)
    return await session.scalar(others.limit(1)) is not None


def _says(contact: Contact, values: Mapping[str, Any]) -> bool:
    return all(getattr(contact, name) == value for name, value in values.items())


async def _clear_primary(session: AsyncSession, partner_id: int) -> None:
    primary = update(Contact).where(Contact.partner_id == partner_id, Contact.is_primary)
    await session.execute(primary.values(is_primary=False, version=Contact.version + 1))


def _checked(values: ContactValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    if "full_name" in checked:
        checked["full_name"] = fields.line(checked["full_name"], "fullName")
    if "email" in checked:
        checked["email"] = fields.email(checked["email"], "email")
    if "phone" in checked:
        checked["phone"] = fields.phone(checked["phone"], "phone")
    if "position" in checked:
        checked["position"] = fields.optional_line(checked["position"], "position")
    return checked
