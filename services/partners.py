"""Partners: make and change their cards (PAR-1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain import fields
from domain.inn import check_inn, check_kpp, check_ogrn
from domain.partners import DeploymentType, PartnerStatus
from gateways.amocrm.hosts import account_domain
from models import Partner
from policies.scopes import scoped
from services import audit
from services.changes import apply, next_version, unique
from services.colleagues import check_colleague
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


MOST_BRANCHES = 1_000_000
MOST_AT_ONCE = 1_000
_CAMEL = {"legal_name": "legalName", "status_reason": "statusReason"}


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
    checked = await _checked_partner(session, values, manager_id=partner.account_manager_id)
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
    await check_colleague(session, manager_id, "accountManagerId")
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


def _one_account(session: AsyncSession) -> Any:
    return unique(
        session, "uq_partners_amocrm_account_id", "the amoCRM account belongs to another partner", "amocrmAccountId"
    )


async def _checked_partner(
    session: AsyncSession, values: PartnerValues, *, manager_id: int | None = None
) -> dict[str, Any]:
    """The values as they are kept; whoever is the account manager already may stay it, blocked meanwhile or not."""
    checked: dict[str, Any] = dict(values)
    if "name" in checked:
        checked["name"] = fields.line(checked["name"], "name")
    for name in ("legal_name", "segment", "status_reason"):
        if name in checked:
            checked[name] = fields.optional_line(checked[name], _CAMEL.get(name, name))
    for name, check in (("inn", check_inn), ("kpp", check_kpp), ("ogrn", check_ogrn)):
        if name in checked:
            checked[name] = checked[name] and check(checked[name].strip(), fields.path(name))
    if "amocrm_domain" in checked:
        # Tokens of installs are sent there.
        domain = fields.optional_line(checked["amocrm_domain"], "amocrmDomain")
        checked["amocrm_domain"] = domain and account_domain(domain, fields.path("amocrmDomain"))
    account = checked.get("amocrm_account_id")
    if account is not None:
        fields.whole(account, "amocrmAccountId", least=1, most=2**63 - 1)
    if checked.get("branch_count") is not None:
        fields.whole(checked["branch_count"], "branchCount", least=0, most=MOST_BRANCHES)
    if checked.get("account_manager_id") != manager_id:
        await check_colleague(session, checked.get("account_manager_id"), "accountManagerId")
    return checked
