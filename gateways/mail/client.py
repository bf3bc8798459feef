"""Sends letters by SMTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from gateways.mail.letter import MailRefused

TIMEOUT_SECONDS = 20.0
PERMANENT = range(500, 600)
Security = Literal["starttls", "tls", "none"]

_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")


@dataclass(frozen=True)
class SmtpServer:
    """A mail server that takes our letters.

    Parameters:
        security: ``starttls`` upgrades a plain connection, ``tls`` begins encrypted; neither goes on without.
        user: name to sign in with; None where the server asks for none.
    """

    host: str
    port: int
    security: Security = "starttls"
    user: str | None = None
    password: str | None = None

    async def deliver(self, message: EmailMessage) -> None:
        """Hand a letter over.

        Raises:
            MailRefused: no connection, or the server's refusal; for good where it was a 5xx about this letter.
        """
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                use_tls=self.security == "tls",
                start_tls=self.security == "starttls",
                timeout=TIMEOUT_SECONDS,
            )
        except SMTPRecipientsRefused as refused:
            raise _refusal(refused.recipients[0]) from None
        except SMTPResponseException as refused:
            raise _refusal(refused) from None
        except (SMTPException, OSError) as error:
            raise MailRefused(f"the mail server did not take the letter: {type(error).__name__}") from None


def _refusal(error: SMTPResponseException) -> MailRefused:
    """The answer's codes; its words may repeat the address and stay out of logs."""
    enhanced = _ENHANCED.search(error.message)
    codes = f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
    # A wrong password is a matter of settings: it is mended while the letter waits.
    for_good = error.code in PERMANENT and not isinstance(error, SMTPAuthenticationError)
    return MailRefused(f"the mail server answered {codes}", for_good=for_good)
