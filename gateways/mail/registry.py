"""The configured way to send letters."""

from __future__ import annotations

from core.errors import UserError
from core.settings import get_settings
from gateways.mail.client import SmtpServer
from gateways.mail.emulator import SandboxMailbox
from gateways.mail.letter import MailTransport


class MailNotConfigured(UserError):
    """Production without a mail server sends no letters."""

    code = "MAIL_NOT_CONFIGURED"


def mail_transport() -> MailTransport:
    """The mail server of the settings; without one, the sandbox's mailbox.

    Raises:
        MailNotConfigured: production without KONTORA_SMTP_HOST.
    """
    settings = get_settings()
    if settings.smtp_host:
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
        return SmtpServer(settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_user, password)
    if settings.mode == "sandbox":
        return SandboxMailbox()
    raise MailNotConfigured("letters cannot be sent: set KONTORA_SMTP_HOST")
