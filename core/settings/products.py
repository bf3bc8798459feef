"""Settings of what installs talk to: amoCRM, and products' own endpoints."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from core.settings.server import ServerSettings


class ProductSettings(ServerSettings):
    """Products and amoCRM"""

    amocrm: Literal["emulator", "live"] = Field(
        default="emulator",
        description="`emulator`: accounts are those of the sandbox, at `/sandbox/amocrm/`; production needs `live`.",
    )
    amocrm_emulator_url: str | None = Field(
        default=None, description="Address of the amoCRM emulator; empty: the one in this product's sandbox."
    )
    token_refresh_hours: int = Field(
        default=8,
        ge=1,
        le=23,
        description="How long before its end an amoCRM access token is replaced, hours; it lives for 24.",
    )
    allow_private_endpoints: bool = Field(
        default=False, description="Let event endpoints have private addresses and plain HTTP; refused in production."
    )

    @model_validator(mode="after")
    def _production_is_real(self) -> Self:
        if self.mode == "production":
            if self.amocrm != "live":
                raise ValueError("production mode needs the real amoCRM: KONTORA_AMOCRM=live")
            if self.allow_private_endpoints:
                raise ValueError("production mode refuses KONTORA_ALLOW_PRIVATE_ENDPOINTS")
        return self
