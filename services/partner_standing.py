"""The standing of partners: changed with a reason, told to their products, and asked about before things are done."""

from __future__ import annotations

from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.installs import InstallStatus
from domain.partners import PartnerMay, PartnerStatus, allows, partner_not_allowed
from domain.state_actions import PARTNER_MOVES, partner_blocked
from models import Install, Partner, PartnerStatusChange
from policies.scopes import require
from services import audit, events
from services.changes import next_version
from services.loading import load

LONGEST_REASON = 500
_ACTIONS = MappingProxyType({to: action for action, to in PARTNER_MOVES.items()})


class PartnerNotAllowed(Conflict):
    """The partner's standing does not allow it; says which standing it is."""

    code = "PARTNER_NOT_ALLOWED"


async def change_status(
    session: AsyncSession, actor: Principal, *, partner_id: int, version: int, status: PartnerStatus, reason: str | None
) -> Partner:
    """Move a partner to another standing; the same standing again changes nothing.

    Raises:
        NotFound: there is no such partner in the actor's reach.
        Forbidden, Conflict, InvalidValue: see :func:`move`.
    """
    partner = await load(session, actor, Partner, partner_id, lock=True)
    return await move(session, actor, partner, status=status, reason=reason, version=version)


async def move(
    session: AsyncSession,
    actor: Principal,
    partner: Partner,
    *,
    status: PartnerStatus,
    reason: str | None,
    version: int | None,
) -> Partner:
    """Move a locked partner to another standing.

    Where licences become valid or invalid by it, each activated install's product is told in the same transaction.

    Parameters:
        version: the version that was read; None where the caller has checked it.

    Raises:
        Forbidden: the actor may not change standings.
        Conflict: the card was changed in between.
        InvalidValue: no reason for a standing other than ACTIVE.
    """
    require(actor, "partner:status", "Mutation.partnerChangeStatus")
    reason = fields.optional_line(reason, "reason", most_chars=LONGEST_REASON)
    if status != PartnerStatus.ACTIVE and reason is None and partner.status != status:
        raise fields.InvalidValue(f"say why the partner becomes {status}", field=fields.path("reason"))
    if partner_blocked(_ACTIONS[status], partner.status) is not None:
        return partner
    if version is not None:
        next_version(partner, version)
    before = {"status": partner.status, "status_reason": partner.status_reason}
    was = partner.status
    partner.status, partner.status_reason = status, reason
    session.add(
        PartnerStatusChange(
            partner_id=partner.id,
            from_status=was,
            to_status=status,
            reason=reason,
            changed_by_user_id=actor.user_id,
        )
    )
    after = {"status": status, "status_reason": reason}
    await audit.record(
        session, actor, "partner.change_status", partner, before=before, after=after, partner_id=partner.id
    )
    if allows(was, PartnerMay.USE) != allows(status, PartnerMay.USE):
        await _tell_products(session, partner)
    return partner


async def standing_allows(session: AsyncSession, partner_id: int, what: PartnerMay) -> bool:
    """Whether a partner's standing allows something."""
    status = await session.scalar(select(Partner.status).where(Partner.id == partner_id))
    return status is not None and allows(status, what)


async def check_standing(session: AsyncSession, partner_id: int, what: PartnerMay, *, field: str) -> None:
    """Make sure that a partner's standing allows something.

    Raises:
        PartnerNotAllowed: it does not; names ``field``.
    """
    status = await session.scalar(select(Partner.status).where(Partner.id == partner_id))
    assert status is not None, "the caller has loaded the partner or what is its own"
    if not allows(status, what):
        blocked = partner_not_allowed(status)
        raise PartnerNotAllowed(blocked.message, field=fields.path(field))


async def _tell_products(session: AsyncSession, partner: Partner) -> None:
    kind = "partner.restored" if allows(partner.status, PartnerMay.USE) else "partner.blocked"
    activated = (Install.partner_id == partner.id, Install.status == InstallStatus.ACTIVATED)
    for install in await session.scalars(select(Install).where(*activated).order_by(Install.id).with_for_update()):
        await events.emit(session, install, kind, {"partnerStatus": partner.status.value})
