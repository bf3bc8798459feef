"""Partners: standings, what each standing leaves allowed, contracts, notes (PAR-1, PAR-3, PAR-4)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from domain.allowed_actions import Blocked


class PartnerStatus(StrEnum):
    """The standing of a partner with us (PAR-1)."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    BLOCKED = "BLOCKED"
    ARCHIVED = "ARCHIVED"


class DeploymentType(StrEnum):
    """Where the partner runs our software."""

    SAAS = "SAAS"
    ON_PREMISE = "ON_PREMISE"


class PartnerMay(StrEnum):
    """What a partner's standing allows or not (PAR-1)."""

    SIGN_IN = "SIGN_IN"
    USE = "USE"
    INSTALL = "INSTALL"
    BUY = "BUY"
    RENEW = "RENEW"
    PAY = "PAY"
    HEAR = "HEAR"


class ContractStatus(StrEnum):
    """How far a contract is (PAR-3)."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class NoteKind(StrEnum):
    """What a note tells of (PAR-4)."""

    NOTE = "NOTE"
    CALL = "CALL"
    MEETING = "MEETING"


class TimelineKind(StrEnum):
    """What an entry of the timeline tells of (PAR-4)."""

    NOTE = "NOTE"
    CALL = "CALL"
    MEETING = "MEETING"
    STATUS_CHANGE = "STATUS_CHANGE"
    CONTRACT = "CONTRACT"
    DOCUMENT = "DOCUMENT"
    INVOICE = "INVOICE"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    SUBSCRIPTION_CHANGE = "SUBSCRIPTION_CHANGE"
    EVENT = "EVENT"
    ONBOARDING = "ONBOARDING"
    HELP = "HELP"
    SIGN_IN = "SIGN_IN"


MEANINGS: Mapping[PartnerMay, str] = MappingProxyType(
    {
        PartnerMay.SIGN_IN: "Its users sign in, keep their sessions and use their API tokens",
        PartnerMay.USE: "Its licences are valid: widgets and products work until the end of what was paid",
        PartnerMay.INSTALL: "Products are installed and activated",
        PartnerMay.BUY: "Subscriptions and coins are ordered",
        PartnerMay.RENEW: "Renewals are billed and stored cards are charged",
        PartnerMay.PAY: "Bills that wait are paid, and notifications of gateways are applied",
        PartnerMay.HEAR: "Events are delivered to the products",
    }
)
_ALWAYS = frozenset({PartnerMay.PAY, PartnerMay.HEAR})
ALLOWED: Mapping[PartnerStatus, frozenset[PartnerMay]] = MappingProxyType(
    {
        PartnerStatus.ACTIVE: frozenset(PartnerMay),
        PartnerStatus.SUSPENDED: _ALWAYS | {PartnerMay.SIGN_IN, PartnerMay.USE},
        PartnerStatus.BLOCKED: _ALWAYS,
        PartnerStatus.ARCHIVED: _ALWAYS,
    }
)


def allows(status: PartnerStatus, what: PartnerMay) -> bool:
    """Whether a partner of this standing may do it."""
    return what in ALLOWED[status]


def partner_not_allowed(status: PartnerStatus) -> Blocked:
    """Blocked by the standing of the partner."""
    return Blocked("PARTNER_NOT_ALLOWED", f"the partner is {status}")


def sql_names(what: PartnerMay) -> str:
    """The standings that allow it, as the list of an SQL ``IN``."""
    return ", ".join(f"'{status}'" for status in PartnerStatus if allows(status, what))
