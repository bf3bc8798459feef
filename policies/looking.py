"""Why our people look at partners' data: what the request and its session say of it, checked (ACC-5)."""

from __future__ import annotations

from urllib.parse import unquote

from core import clock
from core.principal import Principal
from core.request import current_request
from core.settings import get_settings
from domain.access_grants import checked_reason

REASON_HEADER = "X-Kontora-Reason"


def stated_reason() -> str | None:
    """The reason in the request's header, if there is one; percent-encoded where it is not ASCII.

    Raises:
        InvalidAccessReason: it is too short or too long.
    """
    told = (current_request().access_reason or "").strip()
    return None if not told else checked_reason(unquote(told), field=(REASON_HEADER,))


def lacks_reason(principal: Principal) -> bool:
    """Whether a reason is wanted and none is known, but for one that the session has stated a moment ago.

    A grant is its own reason.
    """
    if principal.kind != "staff" or principal.needs_grant or not get_settings().access_reason_is_required:
        return False
    until = principal.reason_until
    return stated_reason() is None and (until is None or until <= clock.now())
