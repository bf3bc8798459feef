"""Settings of sign-in by an OpenID Connect provider (ACC-1)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from core.settings.lists import Names
from core.settings.server import ServerSettings


class SingleSignOnSettings(ServerSettings):
    """Single sign-on"""

    oidc_issuer: str | None = Field(
        default=None,
        description="Issuer of the OpenID Connect provider for single sign-on, as it names itself; empty: none, or "
        "in the sandbox an emulator at `/sandbox/oidc`.",
    )
    oidc_client_id: str | None = Field(default=None, description="Our client id at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Our client secret there; empty: a public client, with PKCE alone."
    )
    oidc_name: str = Field(
        default="Single sign-on", min_length=1, max_length=60, description="What the provider is called on the pages."
    )
    oidc_scopes: str = Field(default="openid email profile", description="Scopes asked for, separated by spaces.")
    oidc_email_domains: Names = Field(
        default=(),
        description="Domains of email addresses that may sign in by the provider, comma-separated; empty: all.",
    )
    oidc_provision: bool = Field(
        default=False,
        description="Make an account for whoever signs in at the provider and has none; needs "
        "`KONTORA_OIDC_EMAIL_DOMAINS`.",
    )
    oidc_role: str | None = Field(
        default=None, description="Role of accounts made so; empty: none, until an administrator gives one."
    )
    oidc_trust_amr: bool = Field(
        default=False,
        description="Let a second factor that the provider tells of (`amr`: mfa, otp, hwk, sc, pop) stand for ours.",
    )

    @field_validator("oidc_scopes")
    @classmethod
    def _has_openid(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("`openid` must be among the scopes")
        return scopes

    @model_validator(mode="after")
    def _single_sign_on_is_whole(self) -> Self:
        if self.oidc_issuer is not None:
            if not self.oidc_client_id:
                raise ValueError("KONTORA_OIDC_ISSUER needs KONTORA_OIDC_CLIENT_ID")
            if not self.oidc_issuer.startswith("https://") and self.mode == "production":
                raise ValueError("KONTORA_OIDC_ISSUER must begin with https://")
        if self.oidc_provision and not self.oidc_email_domains:
            raise ValueError("KONTORA_OIDC_PROVISION needs KONTORA_OIDC_EMAIL_DOMAINS: else anybody gets an account")
        return self
