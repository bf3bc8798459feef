"""What we sell: kinds of products, terms and pricing models."""

from __future__ import annotations

from enum import StrEnum


class ProductKind(StrEnum):
    """How a product reaches its users (CAT-1)."""

    WIDGET = "WIDGET"
    SAAS = "SAAS"
    ON_PREMISE = "ON_PREMISE"


class ProductStatus(StrEnum):
    """Archived products keep their installs and accept no new ones."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class ProductSecret(StrEnum):
    """A secret of a product that can be revealed (ACC-3)."""

    CLIENT_SECRET = "CLIENT_SECRET"  # noqa: S105
    EVENT_SECRET = "EVENT_SECRET"  # noqa: S105


class PricingModel(StrEnum):
    """What a plan's price is multiplied by (CAT-2)."""

    PER_SEAT = "PER_SEAT"
    PER_BRANCH = "PER_BRANCH"
    FLAT = "FLAT"


class Term(StrEnum):
    """The length that a price and a period cover (CAT-2)."""

    MONTH = "MONTH"
    HALF_YEAR = "HALF_YEAR"
    YEAR = "YEAR"

    @property
    def months(self) -> int:
        """Length in calendar months."""
        return {"MONTH": 1, "HALF_YEAR": 6, "YEAR": 12}[self.value]
