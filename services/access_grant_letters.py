"""Letters about access grants: those who may decide hear of a request, the asker hears what came of it (ACC-5).

They say who asks, for which partner by its number, and for how long; the reason, which may name people, is read in
Kontora by who may.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from core.settings import get_settings
from domain.access import UserKind, UserStatus
from domain.access_grants import AccessGrantStatus, AccessGrantStep
from models import AccessGrant, RolePermission, User, UserPermission, UserRole
from services import mail
from services.outbox import enqueue

TELL = "access_grant.tell"
APPROVE = "access_grant:approve"
# Who has signed in last is likeliest to look; more letters would only be more that nobody answers.
MOST_APPROVERS = 20
_TOLD_TO_ASKER = frozenset({AccessGrantStep.APPROVE, AccessGrantStep.DENY, AccessGrantStep.REVOKE})


async def tell_of_request(session: AsyncSession, grant: AccessGrant) -> None:
    """Have those told who may decide on a request."""
    await enqueue(session, TELL, {"grantId": grant.id, "step": None})


async def tell_of_step(session: AsyncSession, actor: Principal, grant: AccessGrant, step: AccessGrantStep) -> None:
    """Have the asker told of what another person has done; what a rule gives at once is told by the answer."""
    if step in _TOLD_TO_ASKER and actor.user_id not in (None, grant.requested_by_user_id):
        await enqueue(session, TELL, {"grantId": grant.id, "step": step.value})


async def write(session: AsyncSession, *, grant_id: int, step: AccessGrantStep | None) -> int:
    """Write the letters about a request, or about a step of a grant; gives their number: none without mail."""
    try:
        mail.make_sure_of_mail()
    except mail.MailNotConfigured:
        return 0
    grant = await session.get_one(AccessGrant, grant_id)
    asker = await session.get_one(User, grant.requested_by_user_id)
    told = {"partner_number": grant.partner_id, "minutes": grant.minutes, "link": get_settings().base_url}
    if step is not None:
        values = {**told, "step": step.value, "expires_at": grant.expires_at}
        await mail.send(session, asker.email, "access_grant_decided", asker.locale, values)
        return 1
    if grant.status is not AccessGrantStatus.REQUESTED:
        return 0
    approvers = await _approvers(session, but=asker.id)
    for one in approvers:
        await mail.send(session, one.email, "access_grant_requested", one.locale, {**told, "asker": asker.full_name})
    return len(approvers)


async def _approvers(session: AsyncSession, *, but: int) -> Sequence[User]:
    by_role = (
        exists()
        .where(UserRole.user_id == User.id, RolePermission.role_id == UserRole.role_id)
        .where(RolePermission.permission == APPROVE)
    )
    directly = exists().where(UserPermission.user_id == User.id, UserPermission.permission == APPROVE)
    found = (
        select(User)
        .where(User.kind == UserKind.STAFF, User.status == UserStatus.ACTIVE, User.id != but)
        .where(or_(User.password_hash.is_not(None), User.last_sign_in_at.is_not(None)), or_(by_role, directly))
        .order_by(User.last_sign_in_at.desc().nulls_last(), User.id)
        .limit(MOST_APPROVERS)
    )
    return (await session.scalars(found)).all()
