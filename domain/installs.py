"""Installs: states of one product at one partner (INS-1)."""

from __future__ import annotations

from enum import StrEnum


class InstallStatus(StrEnum):
    """INSTALLED waits for activation; DISABLED has been uninstalled."""

    INSTALLED = "INSTALLED"
    ACTIVATED = "ACTIVATED"
    DISABLED = "DISABLED"


class SubscriptionKind(StrEnum):
    """What an install lives on now (INS-1)."""

    TRIAL = "TRIAL"
    PAID = "PAID"
    NONE = "NONE"
