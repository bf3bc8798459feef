"""Partners and their people: make and change their cards (PAR-1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain import fields
from domain.access import UserKind
from domain.inn import check_inn, check_kpp, check_ogrn
from domain.partners import DeploymentType, PartnerStatus
from models import Contact, Partner, User
from policies.scopes import scoped
from services import audit
from services.changes import apply, next_version, unique
from services.loading import load
from services.partner_standing import move


class PartnerValues(TypedDict, total=False):
    """What may be said of a partner; what is left out stays as it is."""

    name: str
    legal_name: str | None
    inn: str | None
    kpp: str | None
    ogrn: str | None
    segment: str | None
    deployment: DeploymentType
    status: PartnerStatus
    status_reason: str | None
    connected_at: datetime | None
    branch_count: int | None
    account_manager_id: int | None
    amocrm_account_id: int | None
    amocrm_domain: str | None


class ContactValues(TypedDict, total=False):
    """What may be said of a contact; what is left out stays as it is."""

    full_name: str
    email: str | None
    phone: str | None
    position: str | None
    is_primary: bool


MOST_BRANCHES = 1_000_000
MOST_AT_ONCE = 1_000
_CAMEL = {"legal_name": "legalName", "status_reason": "statusReason", "amocrm_domain": "amocrmDomain"}


async def create(session: AsyncSession, actor: Principal, *, values: PartnerValues) -> Partner:
    """Make a partner's card.

    Raises:
        UserError: a value is not fit for its field, or the amoCRM account has a card already.
        NotFound: there is no such account manager among our people.
    """
    partner = Partner(**await _checked_partner(session, {"name": "", **values}))
    async with _one_account(session):
        session.add(partner)
    after = {name: getattr(partner, name) for name in values}
    await audit.record(session, actor, "partner.create", partner, before=None, after=after, partner_id=partner.id)
    return partner


async def update_card(
    session: AsyncSession, actor: Principal, *, partner_id: int, version: int, values: PartnerValues
) -> Partner:
    """Change a partner's card.

    Parameters:
        version: the version that the caller has read.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        Conflict: somebody changed the card in between.
        UserError: a value is not fit for its field; a standing other than active has no reason.
    """
    partner = await load(session, actor, Partner, partner_id, lock=True)
    next_version(partner, version)
    checked = await _checked_partner(session, values)
    standing = checked.pop("status", partner.status)
    if standing != partner.status:
        reason = checked.pop("status_reason", None)
        if standing != PartnerStatus.ACTIVE and not reason:
            raise fields.InvalidValue(f"say why the partner becomes {standing}", field=fields.path("statusReason"))
        await move(session, actor, partner, status=standing, reason=reason, version=None)
    async with _one_account(session):
        before, after = apply(partner, checked)
    await audit.record(session, actor, "partner.update", partner, before=before, after=after, partner_id=partner.id)
    return partner


async def assign_manager(
    session: AsyncSession, actor: Principal, *, partner_ids: Sequence[int], manager_id: int | None
) -> dict[int, bool]:
    """Give partners another account manager; tells of those in the actor's reach whether anything changed.

    Cards whose manager is the one already stay as they are, and their versions too.

    Raises:
        InvalidValue: no partners, or more than 1,000.
        NotFound: there is no such account manager among our people.
    """
    if not 1 <= len(partner_ids) <= MOST_AT_ONCE:
        raise fields.InvalidValue(f"name 1 to {MOST_AT_ONCE} partners", field=fields.path("ids"))
    await _check_manager(session, manager_id)
    wanted = scoped(select(Partner).where(Partner.id.in_(partner_ids)).order_by(Partner.id), Partner, actor)
    found: dict[int, bool] = {}
    for partner in await session.scalars(wanted.with_for_update(key_share=True)):
        before, after = apply(partner, {"account_manager_id": manager_id})
        found[partner.id] = bool(after)
        if after:
            partner.version += 1
            await audit.record(
                session, actor, "partner.assign_manager", partner, before=before, after=after, partner_id=partner.id
            )
    return found


async def create_contact(session: AsyncSession, actor: Principal, *, partner_id: int, values: ContactValues) -> Contact:
    """Add a person at a partner; the first one, and one said to be primary, becomes the primary contact.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        UserError: a value is not fit for its field.
    """
    await load(session, actor, Partner, partner_id, lock=True)
    checked = _checked_contact({"full_name": "", **values})
    others = await session.scalar(select(Contact.id).where(Contact.partner_id == partner_id).limit(1))
    checked["is_primary"] = bool(checked.get("is_primary")) or others is None
    if checked["is_primary"]:
        await _clear_primary(session, partner_id)
    contact = Contact(partner_id=partner_id, **checked)
    session.add(contact)
    await audit.record(session, actor, "contact.create", contact, before=None, after=checked)
    return contact


async def update_contact(session: AsyncSession, actor: Principal, *, contact_id: int, values: ContactValues) -> Contact:
    """Change a person at a partner.

    Raises:
        NotFound: there is no such contact in the caller's reach.
        UserError: a value is not fit for its field, or the primary contact would be left without a successor.
    """
    partner_id = await session.scalar(
        scoped(select(Contact.partner_id).where(Contact.id == contact_id), Contact, actor)
    )
    if partner_id is None:
        raise NotFound.of("Contact", field=fields.path("id"))
    await load(session, actor, Partner, partner_id, lock=True)
    contact = await session.get_one(Contact, contact_id, with_for_update=True)
    checked = _checked_contact(values)
    if contact.is_primary and checked.get("is_primary") is False:
        raise fields.InvalidValue("make another contact primary instead", field=fields.path("isPrimary"))
    if checked.get("is_primary") and not contact.is_primary:
        await _clear_primary(session, partner_id)
    before, after = apply(contact, checked)
    await audit.record(session, actor, "contact.update", contact, before=before, after=after)
    return contact


def _one_account(session: AsyncSession) -> Any:
    return unique(
        session, "uq_partners_amocrm_account_id", "the amoCRM account belongs to another partner", "amocrmAccountId"
    )


async def _checked_partner(session: AsyncSession, values: PartnerValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    if "name" in checked:
        checked["name"] = fields.line(checked["name"], "name")
    for name in ("legal_name", "segment", "status_reason", "amocrm_domain"):
        if name in checked:
            checked[name] = fields.optional_line(checked[name], _CAMEL.get(name, name))
    for name, check in (("inn", check_inn), ("kpp", check_kpp), ("ogrn", check_ogrn)):
        if name in checked:
            checked[name] = checked[name] and check(checked[name].strip(), fields.path(name))
    account = checked.get("amocrm_account_id")
    if account is not None:
        fields.whole(account, "amocrmAccountId", least=1, most=2**63 - 1)
    if checked.get("branch_count") is not None:
        fields.whole(checked["branch_count"], "branchCount", least=0, most=MOST_BRANCHES)
    await _check_manager(session, checked.get("account_manager_id"))
    return checked


async def _check_manager(session: AsyncSession, manager_id: int | None) -> None:
    if manager_id is not None:
        manager = await session.get(User, manager_id)
        if manager is None or manager.kind != UserKind.STAFF:
            raise NotFound.of("User", field=fields.path("accountManagerId"))


def _checked_contact(values: ContactValues) -> dict[str, Any]:
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


async def _clear_primary(session: AsyncSession, partner_id: int) -> None:
    await session.execute(
        update(Contact).where(Contact.partner_id == partner_id, Contact.is_primary).values(is_primary=False)
    )
