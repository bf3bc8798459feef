"""Links that carry their own permission: signed, and good until they expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from core import clock, crypto
from core.errors import KontoraError
from core.settings import get_settings

SIGNATURE = "signature"
EXPIRES = "expires"
DOWNLOAD_LIFETIME = timedelta(minutes=15)


class BadLink(KontoraError):
    """The link was altered, was never ours, or has expired."""

    code = "BAD_LINK"


@dataclass(frozen=True, slots=True)
class DownloadLink:
    """Where a file is downloaded by whoever holds the link, and until when."""

    url: str
    expires_at: datetime

    @classmethod
    def to(cls, path: str, parameters: Mapping[str, str]) -> DownloadLink:
        """The link to a path of ours; see :func:`signed_link`."""
        link, expires_at = signed_link(path, parameters, lifetime=DOWNLOAD_LIFETIME)
        return cls(get_settings().base_url + link, expires_at)


def signed_link(path: str, parameters: Mapping[str, str], *, lifetime: timedelta) -> tuple[str, datetime]:
    """A path with its signed query, and when it expires.

    Parameters:
        parameters: what the link says beside its path; they cannot be altered, left out or added to.
    """
    expires_at = clock.now() + lifetime
    told = {**parameters, EXPIRES: str(int(expires_at.timestamp()))}
    return f"{path}?{urlencode({**told, SIGNATURE: _signature(path, told)})}", expires_at


def check_link(path: str, query: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a link that is genuine and has not expired.

    Raises:
        BadLink: it is not.
    """
    told = {name: value for name, value in query.items() if name != SIGNATURE}
    # The signature comes first: nothing of a forged link is looked at.
    if not crypto.same(query.get(SIGNATURE, ""), _signature(path, told)):
        raise BadLink("the link is not genuine")
    if int(told.pop(EXPIRES)) <= clock.now().timestamp():
        raise BadLink("the link has expired")
    return told


def _signature(path: str, told: Mapping[str, str]) -> str:
    return crypto.keyed_hash(f"{path}?{urlencode(sorted(told.items()))}", "link")
