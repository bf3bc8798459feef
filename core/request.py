"""What is known of the request being served, for the audit trail and the logs."""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """One request or background job.

    Parameters:
        request_id: id told to the caller in answers and logs.
        ip: address of the caller, when there is one.
        user_agent: the caller's program, cut to 200 characters.
        locale: language of messages, ``ru`` or ``en``.
        access_reason: the header that says why partners' data is looked at, as it came.
        access_grant: the header that names the access grant in use, as it came.
    """

    request_id: str
    ip: str | None = None
    user_agent: str | None = None
    locale: str = "en"
    access_reason: str | None = None
    access_grant: str | None = None


_current: ContextVar[RequestInfo | None] = ContextVar("kontora_request", default=None)


def new_request_id() -> str:
    """A fresh request id of 20 URL-safe characters."""
    return secrets.token_urlsafe(15)


def current_request() -> RequestInfo:
    """The request being served; outside of one, a fresh one with no address."""
    info = _current.get()
    if info is None:
        info = RequestInfo(request_id=new_request_id())
        _current.set(info)
    return info


def known_request() -> RequestInfo | None:
    """The request being served, if there is one."""
    return _current.get()


def enter_request(info: RequestInfo) -> None:
    """Make ``info`` the request of the current task."""
    _current.set(info)
