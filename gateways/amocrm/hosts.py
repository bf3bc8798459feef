"""Which addresses are accounts of amoCRM or Kommo; everything else in a redirect or token is an attacker's."""

from __future__ import annotations

import re

from core.errors import UserError

_ACCOUNT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\.(?:amocrm\.ru|amocrm\.com|kommo\.com)")


class ForeignHost(UserError):
    """Not the address of an account."""

    code = "FOREIGN_HOST"


def account_domain(host: str, field: tuple[str, ...] | None = None) -> str:
    """The domain of an account, in lower case.

    Raises:
        ForeignHost: not a name right below amocrm.ru, amocrm.com or kommo.com.
    """
    domain = host.strip().lower()
    if not _ACCOUNT.fullmatch(domain):
        raise ForeignHost(f"{host[:80]!r} is not an account of amoCRM or Kommo", field=field)
    return domain


def is_account_origin(origin: str) -> bool:
    """Whether a browser's Origin is the page of an account."""
    scheme, _, host = origin.partition("://")
    return scheme == "https" and _ACCOUNT.fullmatch(host) is not None
