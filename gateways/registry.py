"""The payment gateways by name."""

from __future__ import annotations

from core.errors import NotFound
from core.settings import get_settings
from gateways.interface import Gateway
from gateways.sandbox.client import SandboxGateway
from gateways.tbank.client import TBankGateway


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
