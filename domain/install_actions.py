"""What people may do with an install, and with the wallet that belongs to it, in which state (INS-3, WAL-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from domain.allowed_actions import Blocked, nothing_to_do
from domain.installs import InstallStatus
from domain.partners import PartnerMay, PartnerStatus, allows, partner_not_allowed

_DISABLED = Blocked("CONFLICT", "the install was disabled; install the product again")


class InstallAction(StrEnum):
    """What people do with an install; each is the mutation `install…`."""

    ACTIVATE = "ACTIVATE"
    DISABLE = "DISABLE"


class WalletAction(StrEnum):
    """What people do with a wallet: `coinPurchaseCreate`, `walletAdjust` and `walletGrantBonus`."""

    BUY_COINS = "BUY_COINS"
    ADJUST = "ADJUST"
    GRANT_BONUS = "GRANT_BONUS"


INSTALL_ACTION_NEEDS: Mapping[InstallAction, frozenset[str]] = MappingProxyType(
    {
        InstallAction.ACTIVATE: frozenset({"install:activate"}),
        InstallAction.DISABLE: frozenset({"install:write"}),
    }
)
WALLET_ACTION_NEEDS: Mapping[WalletAction, frozenset[str]] = MappingProxyType(
    {
        WalletAction.BUY_COINS: frozenset({"wallet:buy"}),
        WalletAction.ADJUST: frozenset({"wallet:adjust"}),
        WalletAction.GRANT_BONUS: frozenset({"wallet:adjust"}),
    }
)


@dataclass(frozen=True)
class InstallStanding:
    """What decides which actions are allowed.

    Parameters:
        partner: the standing of its partner.
        needs_token: whether only a valid token at the CRM lets it live, as a widget.
        token_until: until when the active token is good; None where there is none.
        token_lost: whether the CRM takes the active token no more.
    """

    status: InstallStatus
    partner: PartnerStatus
    needs_token: bool = False
    token_until: datetime | None = None
    token_lost: bool = False


def install_blocked(action: InstallAction, standing: InstallStanding, now: datetime) -> Blocked | None:
    """Why the action is not allowed now; None where it is."""
    if action == InstallAction.DISABLE:
        return nothing_to_do("install", standing.status) if standing.status == InstallStatus.DISABLED else None
    if standing.status == InstallStatus.ACTIVATED:
        return nothing_to_do("install", standing.status)
    if standing.status == InstallStatus.DISABLED:
        return _DISABLED
    if not allows(standing.partner, PartnerMay.INSTALL):
        return partner_not_allowed(standing.partner)
    if not standing.needs_token:
        return None
    if standing.token_until is None:
        return Blocked("REINSTALL_NEEDED", "the install has no token at the CRM; install the widget again")
    if standing.token_lost:
        return Blocked("REINSTALL_NEEDED", "the CRM takes the install's token no more; install the widget again")
    if standing.token_until <= now:
        return Blocked("REINSTALL_NEEDED", "the install's token at the CRM has expired; install the widget again")
    return None


def wallet_blocked(action: WalletAction, install: InstallStatus, partner: PartnerStatus) -> Blocked | None:
    """Why the action is not allowed for the wallet of an install; None where it is."""
    if action != WalletAction.BUY_COINS:
        return None
    if install == InstallStatus.DISABLED:
        return _DISABLED
    return None if allows(partner, PartnerMay.BUY) else partner_not_allowed(partner)
