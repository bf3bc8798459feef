"""Who asks and why, as the statements of one request take it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from core import clock
from core.database import read_pool_of
from core.looks import named_grant
from core.principal import Principal
from core.request import current_request
from domain.access_grants import AccessReasonRequired
from policies.looking import stated_reason

# Whose reads are written down by the statement itself.
LOGGED_KIND = "staff"


@dataclass(frozen=True, slots=True)
class RunContext:
    """Who asks and why, as statements take it.

    Parameters:
        reason: why partners' data is looked at, where the request says so itself.
        named_grant: the access grant that the request names.
        looked: partners whose rows a function has loaded.
    """

    principal: Principal
    partner_setting: str
    user_id: int | None
    session_id: int | None
    roles: list[str]
    request_id: str
    ip: str | None
    reason: str | None
    named_grant: int | None
    now: datetime
    looked: Collection[int] = ()

    @classmethod
    def of(cls, principal: Principal) -> RunContext:
        """The context of the current request.

        Raises:
            InvalidAccessReason, InvalidId: what its headers say of the look cannot be right.
        """
        info = current_request()
        staff = principal.kind == LOGGED_KIND
        return cls(
            principal,
            "" if principal.partner_id is None else str(principal.partner_id),
            principal.user_id,
            principal.session_id,
            list(principal.roles),
            info.request_id,
            info.ip,
            stated_reason() if staff else None,
            named_grant() if staff else None,
            clock.now(),
        )


async def find_reason(context: RunContext) -> None:
    """Make sure that the session has stated a reason since the caller was last looked up.

    Raises:
        AccessReasonRequired: it has not.
    """
    sql = "SELECT FROM sessions WHERE id = $1 AND access_reason_until > $2"
    session_id = context.principal.session_id
    pool = read_pool_of(context.principal)
    if session_id is None or not await pool.fetch(sql, session_id, context.now):
        raise AccessReasonRequired
