"""Access log entries of what the planner does not read itself: files that leave (ACC-5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.links import BadLink
from core.principal import Principal
from core.request import current_request
from domain.access_grants import AccessReasonRequired
from models import AccessGrant, AccessLogEntry, AccessLogPartner, Session
from policies.looking import lacks_reason, stated_reason
from services import access_grants
from services.access import permissions_of

READER, GRANT, REASON = "reader", "grant", "reason"


async def why(session: AsyncSession, actor: Principal) -> tuple[int | None, str | None]:
    """The grant that our staff member looks under and the reason: the grant's, else the request's, else the session's.

    Raises:
        AccessReasonRequired: no reason was stated where one must be.
    """
    if actor.needs_grant:
        return await _grant(session)
    reason = stated_reason()
    if reason is None and actor.session_id is not None:
        until = Session.access_reason_until > clock.now()
        reason = await session.scalar(select(Session.access_reason).where(Session.id == actor.session_id, until))
    if reason is None and lacks_reason(actor):
        raise AccessReasonRequired
    return None, reason


async def write(
    session: AsyncSession,
    *,
    user_id: int | None,
    roles: Collection[str],
    operation: str,
    document_hash: str,
    fields: Collection[str],
    partner_ids: Collection[int],
    reason: str | None,
    grant_id: int | None,
) -> None:
    """Put an entry into the transaction."""
    request = current_request()
    entry = AccessLogEntry(
        user_id=user_id,
        roles=list(roles),
        operation_name=operation,
        document_hash=document_hash,
        fields=sorted(fields),
        partner_ids=sorted(partner_ids),
        reason=reason,
        access_grant_id=grant_id,
        request_id=request.request_id,
        ip=request.ip,
    )
    session.add(entry)
    await session.flush()
    session.add_all(AccessLogPartner(partner_id=partner_id, entry_id=entry.id) for partner_id in entry.partner_ids)


async def signed_terms(session: AsyncSession, actor: Principal) -> dict[str, str]:
    """What a link for our staff says beside its path: who asked for it, under which grant and why; else nothing.

    Raises:
        AccessReasonRequired: no reason was stated where one must be.
    """
    if actor.kind != "staff" or actor.user_id is None:
        return {}
    grant_id, reason = await why(session, actor)
    told = {READER: actor.user_id, GRANT: grant_id, REASON: reason}
    return {name: str(value) for name, value in told.items() if value is not None}


async def opened(
    session: AsyncSession,
    told: Mapping[str, str],
    *,
    operation: str,
    document_hash: str,
    fields: Collection[str],
    partner_id: int,
) -> None:
    """Write down that a link was opened, if our staff asked for it.

    Raises:
        BadLink: the access grant that it was made under has ended.
    """
    if READER not in told:
        return
    grant_id = int(told[GRANT]) if GRANT in told else None
    if grant_id is not None and not await access_grants.in_force(session, grant_id):
        raise BadLink("the access grant that the link was made under has ended")
    roles, _ = await permissions_of(session, int(told[READER]))
    await write(
        session,
        user_id=int(told[READER]),
        roles=roles,
        operation=operation,
        document_hash=document_hash,
        fields=fields,
        partner_ids=[partner_id],
        reason=told.get(REASON),
        grant_id=grant_id,
    )


async def _grant(session: AsyncSession) -> tuple[int | None, str | None]:
    in_use = text("access_grants.id = nullif(current_setting('kontora.access_grant_id', true), '')::bigint")
    why = func.concat_ws(": ", AccessGrant.ticket, AccessGrant.reason)
    found = (await session.execute(select(AccessGrant.id, why).where(in_use))).one_or_none()
    return (None, None) if found is None else (found[0], found[1])
