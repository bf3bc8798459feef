"""Access grants: asked for by one person, decided on by another, ended by either or by time (ACC-5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound
from core.principal import SYSTEM, Principal
from core.settings import get_settings
from domain import fields
from domain.access_grants import (
    MOST_TICKET_CHARS,
    OPEN,
    REASON_LIVES,
    REQUEST_LIVES,
    AccessGrantNotOpen,
    AccessGrantStatus,
    AccessGrantStep,
    OwnAccessGrant,
    check_length,
    checked_reason,
    moved,
)
from domain.search_text import fold
from models import AccessGrant, Partner, Session
from policies.scopes import require, require_staff
from services import access_grant_letters, audit
from services.access.sessions import NoSession
from services.access_grant_letters import APPROVE as APPROVE
from services.changes import unique
from services.loading import load

REQUEST = "access_grant:request"
FEWEST_NAME_CHARS = 3
MOST_FOUND = 20
CHUNK = 1_000


@dataclass(frozen=True)
class PartnerToAskFor:
    """What is known of a partner before there is a grant."""

    partner_id: int
    name: str


async def partners_to_ask_for(session: AsyncSession, actor: Principal, *, query: str) -> list[PartnerToAskFor]:
    """Partners by a part of their name, or by their number: as much as a request needs, and no more.

    Raises:
        Forbidden: the actor may not ask for access, or is a partner's.
        InvalidValue: the query is too short or too long.
    """
    require_staff(actor, REQUEST, "Query.accessGrantPartners")
    asked = fields.line(query, "query", most_chars=100)
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 19 else None
    if number is None and len(asked) < FEWEST_NAME_CHARS:
        raise fields.InvalidValue(f"a part of a name has at least {FEWEST_NAME_CHARS} characters", field=("query",))
    escaped = re.sub(r"([\\%_])", r"\\\1", fold(asked.lower()))
    # The text of the search's own index; what else is in it does not count as found.
    found = await session.execute(
        text(
            """
            SELECT id, name FROM partners
            WHERE id = CAST(:number AS bigint) OR (
                CAST(:number AS bigint) IS NULL
                AND search_text LIKE '%' || :part || '%' AND search_fold(name) LIKE '%' || :part || '%')
            ORDER BY id LIMIT :most
            """
        ),
        {"number": number, "part": escaped, "most": MOST_FOUND},
    )
    return [PartnerToAskFor(row.id, row.name) for row in found]


async def request(
    session: AsyncSession, actor: Principal, *, partner_id: int, reason: str, ticket: str | None, minutes: int
) -> AccessGrant:
    """Ask for access to a partner's data; where the policy of the settings says so, it is given at once.

    Raises:
        InvalidAccessReason, InvalidAccessGrant: the reason or the length cannot be right.
        NotFound: there is no such partner.
        AccessGrantNotOpen: the actor has asked already, or has access.
    """
    require(actor, REQUEST, "Mutation.accessGrantRequest")
    assert actor.user_id is not None, "only users have permissions"
    settings = get_settings()
    check_length(timedelta(minutes=minutes), longest=timedelta(minutes=settings.access_grant_max_minutes))
    told = checked_reason(reason)
    named = fields.optional_line(ticket, "ticket", most_chars=MOST_TICKET_CHARS)
    name = await session.scalar(select(Partner.name).where(Partner.id == partner_id))
    if name is None:
        raise NotFound.of("Partner", field=fields.path("partnerId"))
    await _end_overdue(session, AccessGrant.requested_by_user_id == actor.user_id, AccessGrant.partner_id == partner_id)
    open_already = select(AccessGrant.id).where(
        AccessGrant.requested_by_user_id == actor.user_id,
        AccessGrant.partner_id == partner_id,
        AccessGrant.status.in_(OPEN),
    )
    if await session.scalar(open_already) is not None:
        raise AccessGrantNotOpen("you have an open request or a grant for this partner", field=("input", "partnerId"))
    grant = AccessGrant(
        partner_id=partner_id,
        partner_name=name,
        requested_by_user_id=actor.user_id,
        ticket=named,
        reason=told,
        minutes=minutes,
        status=AccessGrantStatus.REQUESTED,
    )
    async with unique(session, "uq_access_grants_open", "you have an open request or a grant already", "partnerId"):
        session.add(grant)
    after = {"reason": told, "ticket": named, "minutes": minutes}
    await audit.record(session, actor, "access_grant.request", grant, before=None, after=after)
    by_policy = named is not None and re.fullmatch(settings.access_grant_auto_tickets, named)
    if by_policy and minutes <= settings.access_grant_auto_minutes:
        await _approve(session, SYSTEM, grant, minutes, note=None, by_policy=True)
    else:
        await access_grant_letters.tell_of_request(session, grant)
    return grant


async def approve(
    session: AsyncSession, actor: Principal, *, grant_id: int, minutes: int | None, note: str | None
) -> AccessGrant:
    """Give the access that somebody else has asked for, from now on, for as long as asked or shorter.

    Raises:
        NotFound: there is no such grant.
        OwnAccessGrant: the actor has asked for it.
        AccessGrantNotOpen: it was decided or has grown too old.
        InvalidAccessGrant: longer than was asked for, or too short.
    """
    grant = await _to_decide(session, actor, grant_id, AccessGrantStep.APPROVE)
    given = grant.minutes if minutes is None else minutes
    check_length(timedelta(minutes=given), longest=timedelta(minutes=grant.minutes))
    await _approve(session, actor, grant, given, note=_note(note), by_policy=False)
    return grant


async def deny(session: AsyncSession, actor: Principal, *, grant_id: int, note: str | None) -> AccessGrant:
    """Refuse the access that somebody else has asked for.

    Raises:
        NotFound, OwnAccessGrant, AccessGrantNotOpen: as for `approve`.
    """
    grant = await _to_decide(session, actor, grant_id, AccessGrantStep.DENY)
    grant.decided_by_user_id, grant.decided_at, grant.decision_note = actor.user_id, clock.now(), _note(note)
    await _move(session, actor, grant, AccessGrantStep.DENY)
    return grant


async def revoke(session: AsyncSession, actor: Principal, *, grant_id: int) -> AccessGrant:
    """End a grant at once, or take a request back; by whoever asked, or may approve.

    Raises:
        NotFound: there is no such grant in the actor's reach.
        AccessGrantNotOpen: it has ended.
    """
    grant = await _load(session, actor, grant_id)
    if grant.requested_by_user_id != actor.user_id:
        require(actor, APPROVE, "Mutation.accessGrantRevoke")
    requested = grant.status is AccessGrantStatus.REQUESTED
    grant.ended_by_user_id = actor.user_id
    await _move(session, actor, grant, AccessGrantStep.WITHDRAW if requested else AccessGrantStep.REVOKE)
    return grant


async def use(session: AsyncSession, actor: Principal, *, grant_id: int) -> AccessGrant:
    """Choose which of one's grants this session works under: one partner's data at a time.

    Raises:
        NoSession: the caller came with an API token, which names the grant in a header.
        NotFound: there is no such grant of the actor's.
        AccessGrantNotOpen: it is not in force.
    """
    if actor.session_id is None:
        raise NoSession("without a session the grant is named in the header X-Kontora-Grant")
    grant = await _load(session, actor, grant_id)
    if grant.requested_by_user_id != actor.user_id:
        raise NotFound.of("AccessGrant", field=fields.path("id"))
    if grant.status is not AccessGrantStatus.APPROVED:
        raise AccessGrantNotOpen(f"the access grant is {grant.status}", field=fields.path("id"))
    await session.execute(update(Session).where(Session.id == actor.session_id).values(access_grant_id=grant.id))
    await audit.record(session, actor, "access_grant.use", grant, before=None, after={"session_id": actor.session_id})
    return grant


async def state_reason(session: AsyncSession, actor: Principal, *, reason: str) -> str:
    """Say once why this session looks at partners' data; asked again after a working day.

    Raises:
        NoSession: the caller came with an API token, which states the reason in a header.
        InvalidAccessReason: it is too short or too long.
    """
    if actor.session_id is None:
        raise NoSession("without a session the reason is stated in the header X-Kontora-Reason")
    told = checked_reason(reason)
    found = await session.get(Session, actor.session_id)
    assert found is not None, "a session is known as long as it is used"
    found.access_reason, found.access_reason_until = told, clock.now() + REASON_LIVES
    await audit.record(session, actor, "session.state_reason", found, before=None, after={"reason": told})
    return told


async def in_force(session: AsyncSession, grant_id: int) -> bool:
    """Whether a grant opens anything at this moment."""
    in_force = select(AccessGrant.id).where(
        AccessGrant.id == grant_id,
        AccessGrant.status == AccessGrantStatus.APPROVED,
        AccessGrant.expires_at > clock.now(),
    )
    return await session.scalar(in_force) is not None


async def expire(session: AsyncSession) -> int:
    """End a chunk of grants whose time is over, and of requests too old; gives their number."""
    return await _end_overdue(session)


async def _end_overdue(session: AsyncSession, *conditions: ColumnElement[bool]) -> int:
    now = clock.now()
    overdue = text(
        "(access_grants.status = 'APPROVED' AND access_grants.expires_at <= :now) "
        "OR (access_grants.status = 'REQUESTED' AND access_grants.created_at <= :asked_before)"
    ).bindparams(now=now, asked_before=now - REQUEST_LIVES)
    found = select(AccessGrant).where(AccessGrant.status.in_(OPEN), overdue, *conditions)
    grants: Sequence[AccessGrant] = (
        await session.scalars(found.order_by(AccessGrant.id).limit(CHUNK).with_for_update(skip_locked=True))
    ).all()
    for grant in grants:
        await _move(session, SYSTEM, grant, AccessGrantStep.EXPIRE)
    await session.flush()
    return len(grants)


async def _load(session: AsyncSession, actor: Principal, grant_id: int) -> AccessGrant:
    """A grant under lock, so that of two who decide at once the second sees what the first did."""
    grant = await load(session, actor, AccessGrant, grant_id, lock=True)
    if grant.status is AccessGrantStatus.APPROVED and grant.expires_at is not None and grant.expires_at <= clock.now():
        raise AccessGrantNotOpen("the access grant has expired", field=fields.path("id"))
    return grant


async def _to_decide(session: AsyncSession, actor: Principal, grant_id: int, step: AccessGrantStep) -> AccessGrant:
    require(actor, APPROVE, f"Mutation.accessGrant{step.capitalize()}")
    grant = await _load(session, actor, grant_id)
    if grant.requested_by_user_id == actor.user_id:
        raise OwnAccessGrant("somebody else must decide on your request", field=fields.path("id"))
    moved(grant.status, step)
    if grant.created_at <= clock.now() - REQUEST_LIVES:
        raise AccessGrantNotOpen("the request is too old; it must be made again", field=fields.path("id"))
    return grant


async def _approve(
    session: AsyncSession, actor: Principal, grant: AccessGrant, minutes: int, *, note: str | None, by_policy: bool
) -> None:
    now = clock.now()
    grant.decided_by_user_id, grant.decided_at, grant.decision_note = actor.user_id, now, note
    grant.by_policy = by_policy
    grant.expires_at = now + timedelta(minutes=minutes)
    await _move(session, actor, grant, AccessGrantStep.APPROVE)


async def _move(session: AsyncSession, actor: Principal, grant: AccessGrant, step: AccessGrantStep) -> None:
    before = grant.status
    grant.status = moved(before, step)
    if step in (AccessGrantStep.EXPIRE, AccessGrantStep.REVOKE, AccessGrantStep.WITHDRAW):
        grant.ended_at = clock.now()
    after = {"status": grant.status, "expires_at": grant.expires_at}
    await audit.record(session, actor, f"access_grant.{step.lower()}", grant, before={"status": before}, after=after)
    await access_grant_letters.tell_of_step(session, actor, grant, step)


def _note(note: str | None) -> str | None:
    return fields.optional_line(note, "note", most_chars=500)
