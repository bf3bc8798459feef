"""Settings of letters and the server that takes them."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from core.settings.server import ServerSettings


class MailSettings(ServerSettings):
    """Mail"""

    smtp_host: str | None = Field(
        default=None,
        description="Mail server that takes letters; without one the sandbox keeps them at `/sandbox/mail`, and "
        "production refuses what would send one.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls` encrypts after the greeting (587), `tls` from the start (465), `none` never: only for "
        "a server on this machine.",
    )
    smtp_user: str | None = Field(default=None, description="Name to sign in to the mail server with.")
    smtp_password: SecretStr | None = Field(default=None, description="Password at the mail server.")
    mail_from: str = Field(
        default="Kontora <kontora@localhost>",
        description="Sender of letters, `Name <address>`; a mail server needs one of its own.",
    )

    @field_validator("mail_from")
    @classmethod
    def _address(cls, sender: str) -> str:
        if "@" not in parseaddr(sender)[1]:
            raise ValueError("the sender is `Name <address>` or an address")
        return sender

    @model_validator(mode="after")
    def _mail_server_is_whole(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("KONTORA_SMTP_USER and KONTORA_SMTP_PASSWORD go together")
        if self.smtp_host and self.mode == "production" and self.mail_domain == "localhost":
            raise ValueError("KONTORA_SMTP_HOST needs KONTORA_MAIL_FROM")
        return self

    @property
    def mail_domain(self) -> str:
        """The domain that letters come from."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2]
