"""A letter as mail programs read it, and what every way to send one promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Protocol

from core import clock
from core.errors import KontoraError


class MailRefused(KontoraError):
    """The letter was not taken.

    Parameters:
        for_good: whether trying again cannot help, as with an address that does not exist.
    """

    code = "MAIL_REFUSED"

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a letter.

    Parameters:
        media_type: for example ``application/pdf``.
    """

    name: str
    media_type: str
    content: bytes


class MailTransport(Protocol):
    """A way to send letters."""

    async def deliver(self, message: EmailMessage) -> None:
        """Hand a letter over; the same `Message-ID` may come twice.

        Raises:
            MailRefused: it was not taken.
        """


def compose(
    *,
    message_id: str,
    sender: str,
    recipient: str,
    subject: str,
    text: str,
    html: str,
    attachments: Sequence[Attachment] = (),
) -> EmailMessage:
    """The letter in plain text and HTML; no programme that answers mail should answer it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    user, _, domain = recipient.rpartition("@")
    message["To"] = Address(username=user, domain=domain)
    # Line breaks would begin a header of their own.
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    for attachment in attachments:
        main, _, sub = attachment.media_type.partition("/")
        message.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
    return message
