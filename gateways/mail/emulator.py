"""The sandbox's mailbox: takes every letter as a mail server does, keeps the newest, and lets people look."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from core.database import transaction
from models import SandboxMail

KEPT_LETTERS = 200


class SandboxMailbox:
    """One mailbox for all recipients."""

    async def deliver(self, message: EmailMessage) -> None:
        """Keep a letter; one that comes twice is kept once."""
        letter = {
            "message_id": str(message["Message-ID"]),
            "recipient": str(message["To"]),
            "subject": str(message["Subject"]),
            "source": message.as_bytes(),
        }
        async with transaction() as session:
            await session.execute(insert(SandboxMail).values(letter).on_conflict_do_nothing())
            kept = select(SandboxMail.id).order_by(SandboxMail.id.desc()).limit(KEPT_LETTERS)
            await session.execute(delete(SandboxMail).where(SandboxMail.id.not_in(kept)))


async def letters() -> Sequence[SandboxMail]:
    """All kept letters, newest first."""
    async with transaction() as session:
        return (await session.scalars(select(SandboxMail).order_by(SandboxMail.id.desc()))).all()


async def letter(letter_id: int) -> SandboxMail | None:
    """One kept letter."""
    async with transaction() as session:
        return await session.get(SandboxMail, letter_id)
