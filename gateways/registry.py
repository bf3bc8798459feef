"""The payment gateways by name."""

from __future__ import annotations

from core.errors import NotFound
from core.settings import get_settings
from gateways.interface import Gateway
from gateways.sandbox.client import SandboxGateway
from gateways.tbank.client import TBankGateway

NAMES = ("sandbox", "tbank")


def gateway(name: str | None = None) -> Gateway:
    """A gateway by name; without one, the configured gateway of new payments.

    Raises:
        NotFound: there is none of that name, or it is not configured here.
    """
    settings = get_settings()
    wanted = name or settings.gateway
    if wanted == "sandbox" and settings.mode == "sandbox":
        return SandboxGateway(settings.base_url)
    if wanted == "tbank" and settings.tbank_terminal_key and settings.tbank_password:
        password = settings.tbank_password.get_secret_value()
        return TBankGateway(
            settings.tbank_url, settings.tbank_terminal_key, password, two_stage=settings.tbank_two_stage
        )
    raise NotFound.of(f"payment gateway {wanted[:40]!r}")


def merchant_account(code: str) -> Gateway:
    """The gateway of a merchant account, as :class:`~gateways.interface.Gateway` names it.

    Raises:
        NotFound: it is not configured here: another gateway or another terminal took its place.
    """
    found = gateway(code.partition(":")[0])
    if code not in (found.account, found.name):
        raise NotFound.of(f"merchant account {code[:60]!r}")
    return found


def merchant_accounts() -> list[str]:
    """All the accounts that :func:`merchant_account` finds.

    A gateway's bare name stands for cards that were stored before their terminal was noted.
    """
    known = []
    for name in NAMES:
        try:
            found = gateway(name)
        except NotFound:
            continue
        known += sorted({found.account, found.name})
    return known
