"""Partners: states and how their software is deployed (PAR-1)."""

from __future__ import annotations

from enum import StrEnum


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
