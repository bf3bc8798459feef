"""Settings of sessions, of looks at partners' data, and of the trails they leave (ACC-1, ACC-5, ACC-6)."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from core.settings.server import ServerSettings


class AccessSettings(ServerSettings):
    """Access"""

    access_token_minutes: int = Field(default=15, ge=1, le=1440, description="Life of an access token, minutes.")
    refresh_token_days: int = Field(
        default=30, ge=1, le=365, description="Life of a refresh token and a cookie session, days."
    )
    totp_issuer: str = Field(
        default="Kontora", min_length=1, max_length=60, description="Name of this house in authenticator apps."
    )
    access_reason: Literal["auto", "required", "optional"] = Field(
        default="auto",
        description="Whether our staff must say why before they look at partners' data; without a reason, `optional` "
        "only logs the look. `auto` is `required` in production and `optional` in the sandbox.",
    )
    access_grant_max_minutes: int = Field(
        default=480, ge=5, le=10_080, description="Longest access grant to one partner's data, minutes."
    )
    access_grant_auto_minutes: int = Field(
        default=0,
        ge=0,
        le=10_080,
        description="Requests for access of at most so many minutes that name a ticket are approved by themselves; "
        "0: a second person decides on each.",
    )
    access_grant_auto_tickets: str = Field(
        default=".+", description="Regular expression of the tickets for which access is approved by itself."
    )
    access_log_sync: bool = Field(
        default=False,
        description="Whether an answer waits until its access log entry is on disk. Without, an outage of the whole "
        "database server can lose the entries of the last fraction of a second.",
    )
    audit_retention_days: int = Field(
        default=730,
        ge=365,
        description="How long the audit trail is kept, days; whole months go when all of it is over.",
    )
    audit_keep_expired_months: bool = Field(
        default=False,
        description="Whether months of the audit trail that are let go stay in the database as tables of their own, "
        "to be archived by hand, instead of being dropped.",
    )

    @field_validator("access_grant_auto_tickets")
    @classmethod
    def _expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @property
    def access_reason_is_required(self) -> bool:
        """Whether looks at partners' data without a reason are refused."""
        return self.access_reason == "required" or (self.access_reason == "auto" and self.mode == "production")
