"""All that happened at a partner, newest first, read in one statement by keyset (PAR-4)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import UserError
from core.ids import MAX_KEY, encode_id
from core.principal import Principal
from domain import fields
from domain.partners import TimelineKind
from policies.scopes import require
from services import partners

MOST = 100


class InvalidCursor(UserError):
    """The text is not a cursor of a timeline."""

    code = "INVALID_CURSOR"


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Parameters:
        node_id: global id of the row behind it, for `node`.
        code: what exactly: a state, an action, a type of event.
        text: a reason, a number, a note.
    """

    kind: TimelineKind
    happened_at: datetime
    node_id: str
    code: str
    text: str | None
    actor_id: str | None
    cursor: str


# Kind: the permission, the type of the row, and which rows with key, code, text and who did it.
_SOURCES: dict[TimelineKind, tuple[str, str, str]] = {
    TimelineKind.NOTE: (
        "partner_note:read",
        "PartnerNote",
        "SELECT id, created_at, kind, body, written_by_user_id FROM partner_notes",
    ),
    TimelineKind.STATUS_CHANGE: (
        "partner:read",
        "PartnerStatusChange",
        "SELECT id, created_at, to_status, reason, changed_by_user_id FROM partner_status_changes",
    ),
    TimelineKind.INVOICE: (
        "invoice:read",
        "Invoice",
        "SELECT id, created_at, status, number, NULL::bigint FROM invoices",
    ),
    TimelineKind.PAYMENT: (
        "payment:read",
        "Payment",
        "SELECT id, created_at, status, amount::text || ' ' || currency, NULL::bigint FROM payments",
    ),
    TimelineKind.REFUND: (
        "payment:read",
        "Refund",
        "SELECT id, created_at, status, amount::text || ' ' || currency, requested_by_user_id FROM refunds",
    ),
    TimelineKind.SUBSCRIPTION_CHANGE: (
        "subscription:read",
        "SubscriptionChange",
        "SELECT id, created_at, action, NULL, NULL::bigint FROM subscription_changes",
    ),
    TimelineKind.EVENT: (
        "event:read",
        "ProductEvent",
        "SELECT id, created_at, type, NULL, NULL::bigint FROM product_events",
    ),
    TimelineKind.SIGN_IN: (
        "audit:read",
        "AuditEvent",
        "SELECT id, created_at, action, ip, entity_id FROM audit_events",
    ),
}
_ONLY = {TimelineKind.SIGN_IN: "AND action = 'user.sign_in'"}


async def timeline(
    session: AsyncSession,
    actor: Principal,
    *,
    partner_id: int,
    first: int,
    after: str | None = None,
    kinds: list[TimelineKind] | None = None,
) -> tuple[list[Entry], bool]:
    """A page of what happened, newest first, and whether there is more; kinds that the actor may not read are left out.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        InvalidValue: ``first`` is out of its bounds.
        InvalidCursor: ``after`` is no cursor of a timeline.
    """
    require(actor, "partner:read", "Query.partnerTimeline")
    fields.whole(first, "first", least=1, most=MOST)
    await partners.load(session, actor, partner_id, lock=False, field="partnerId")
    parts = []
    for kind, (permission, _, rows) in _SOURCES.items():
        if permission in actor.permissions and (not kinds or kind in kinds):
            order = list(_SOURCES).index(kind)
            parts.append(
                f"(SELECT {order} AS kind, * FROM ({rows} WHERE partner_id = :partner_id {_ONLY.get(kind, '')}) "
                f"AS rows (id, happened_at, code, told, actor_id) "
                f"WHERE CAST(:at AS timestamptz) IS NULL OR (happened_at, {order}, id) < (:at, :kind, :id) "
                "ORDER BY happened_at DESC, id DESC LIMIT :rows)"
            )
    if not parts:
        return [], False
    order_by = "ORDER BY happened_at DESC, kind DESC, id DESC LIMIT :rows"
    sql = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS entries {order_by}"
    at, number, key = (None, 0, 0) if after is None else _decoded(after)
    given = {"partner_id": partner_id, "at": at, "kind": number, "id": key, "rows": first + 1}
    statement = text(sql).bindparams(bindparam("at", type_=DateTime(timezone=True)))
    rows_found = (await session.execute(statement, given)).all()
    return [_entry(*row) for row in rows_found[:first]], len(rows_found) > first


def _entry(number: int, key: int, at: datetime, code: str, told: str | None, actor_id: int | None) -> Entry:
    kind = list(_SOURCES)[number]
    cursor = base64.b64encode(orjson.dumps([at.isoformat(), number, key])).decode()
    who = None if actor_id is None else encode_id("User", actor_id)
    return Entry(kind, at, encode_id(_SOURCES[kind][1], key), code, told, who, cursor)


def _decoded(cursor: str) -> tuple[datetime, int, int]:
    try:
        at, number, key = orjson.loads(base64.b64decode(cursor[:500], validate=True))
        moment = datetime.fromisoformat(at)
        valid = moment.tzinfo is not None and number in range(len(_SOURCES)) and type(key) is int and 0 < key <= MAX_KEY
    except (ValueError, TypeError, binascii.Error):
        valid = False
    if not valid:
        raise InvalidCursor("`after` is not a cursor of a timeline", field=("after",))
    return moment, number, key
