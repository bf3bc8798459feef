"""Who asks: the frozen identity and permission set that every check reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

PrincipalKind = Literal["anonymous", "staff", "partner", "product", "system"]
# Of our staff, whoever lacks it reaches partners' rows only under an access grant (ACC-5).
ALL_ROWS = "partner:all_rows"


@dataclass(frozen=True)
class Principal:
    """A caller with the permissions frozen at sign-in (ACC-2, ACC-3).

    Parameters:
        kind: staff are our own people, partner users belong to one partner, product is the back end of a product that
            we sell, system is Kontora itself.
        partner_id: the only partner whose rows may be reached; set for partner principals.
        product_id: the only product whose installs may be reached; set for product principals.
        session_id: the sign-in session, when there is one.
        api_token_id: the API token, when the call came with one.
        must_enroll: whether the session lacks a second factor that a role asks for, and may only set one up (ACC-1).
        reason_until: until when the reason that the session has stated for looking at partners' data holds.
    """

    kind: PrincipalKind
    permissions: frozenset[str] = field(default_factory=frozenset)
    roles: tuple[str, ...] = ()
    user_id: int | None = None
    email: str | None = None
    partner_id: int | None = None
    session_id: int | None = None
    api_token_id: int | None = None
    product_id: int | None = None
    must_enroll: bool = False
    reason_until: datetime | None = None

    def __post_init__(self) -> None:
        if (self.kind == "partner") != (self.partner_id is not None):
            raise ValueError("a partner principal, and no other, belongs to a partner")
        if (self.kind == "product") != (self.product_id is not None):
            raise ValueError("a product principal, and no other, belongs to a product")

    @property
    def is_tenant(self) -> bool:
        """Whether row-level security must hold this principal to one partner; anonymous callers see no tenant row."""
        return self.kind in ("partner", "anonymous")

    @property
    def needs_grant(self) -> bool:
        """Whether partners' rows are reached only through a live access grant, one partner's at a time (ACC-5)."""
        return self.kind == "staff" and ALL_ROWS not in self.permissions

    @property
    def sees_projected_schema(self) -> bool:
        """Whether fields beyond the permissions do not even exist for this principal (ACC-3)."""
        return self.is_tenant

    @cached_property
    def permission_key(self) -> str:
        """A stable hash of what decides a plan: tenancy and permissions."""
        text = f"{self.is_tenant}|{'|'.join(sorted(self.permissions))}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def label(self) -> str:
        """How the audit trail names this actor, without personal data."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        if self.product_id is not None:
            return f"product:{self.product_id}"
        return self.kind


ANONYMOUS = Principal(kind="anonymous")
SYSTEM = Principal(kind="system", roles=("SYSTEM",))
