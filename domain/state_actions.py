"""What moves partners, products and plans from one state to another, and when there is nothing to move."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from domain.allowed_actions import Blocked, nothing_to_do
from domain.catalog import ProductStatus
from domain.partners import PartnerStatus


class PartnerAction(StrEnum):
    """Where `partnerChangeStatus` may move a partner (PAR-1)."""

    ACTIVATE = "ACTIVATE"
    SUSPEND = "SUSPEND"
    BLOCK = "BLOCK"
    ARCHIVE = "ARCHIVE"


class ProductAction(StrEnum):
    """What people do with a product; each is the mutation `product…` (CAT-1)."""

    ARCHIVE = "ARCHIVE"
    RESTORE = "RESTORE"
    ROTATE_PROJECT_TOKEN = "ROTATE_PROJECT_TOKEN"  # noqa: S105


class PlanAction(StrEnum):
    """What people do with a plan; each is the mutation `plan…` (CAT-2)."""

    UPDATE = "UPDATE"


PARTNER_MOVES: Mapping[PartnerAction, PartnerStatus] = MappingProxyType(
    {
        PartnerAction.ACTIVATE: PartnerStatus.ACTIVE,
        PartnerAction.SUSPEND: PartnerStatus.SUSPENDED,
        PartnerAction.BLOCK: PartnerStatus.BLOCKED,
        PartnerAction.ARCHIVE: PartnerStatus.ARCHIVED,
    }
)
PRODUCT_MOVES: Mapping[ProductAction, ProductStatus] = MappingProxyType(
    {ProductAction.ARCHIVE: ProductStatus.ARCHIVED, ProductAction.RESTORE: ProductStatus.ACTIVE}
)
PARTNER_ACTION_NEEDS = MappingProxyType(dict.fromkeys(PartnerAction, frozenset({"partner:status"})))
PRODUCT_ACTION_NEEDS = MappingProxyType(
    {
        ProductAction.ARCHIVE: frozenset({"product:write"}),
        ProductAction.RESTORE: frozenset({"product:write"}),
        ProductAction.ROTATE_PROJECT_TOKEN: frozenset({"product:secret"}),
    }
)
PLAN_ACTION_NEEDS = MappingProxyType({PlanAction.UPDATE: frozenset({"plan:write"})})


def partner_blocked(action: PartnerAction, status: PartnerStatus) -> Blocked | None:
    """Why a partner is not moved; None where it can be."""
    return nothing_to_do("partner", status) if PARTNER_MOVES[action] == status else None


def product_blocked(action: ProductAction, status: ProductStatus) -> Blocked | None:
    """Why the action is not allowed for a product in this state; None where it is."""
    if PRODUCT_MOVES.get(action) == status:
        return nothing_to_do("product", status)
    if action not in PRODUCT_MOVES and status == ProductStatus.ARCHIVED:
        return Blocked("CONFLICT", "the product is archived")
    return None


def plan_blocked(version: int, latest: int) -> Blocked | None:
    """Why a plan can't be changed; None where it can: of its versions only the latest."""
    if version == latest:
        return None
    return Blocked("CONFLICT", f"version {version} is history; version {latest} can be changed")
