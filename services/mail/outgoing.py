"""Writes a letter in the transaction of what it tells about; a worker sends it once that has committed (NOT-1)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from core import crypto
from core.settings import get_settings
from gateways.mail.registry import mail_transport
from models import Mail
from services.mail.delivery import DELIVER, sealed_as
from services.mail.render import write
from services.outbox import enqueue


async def send(
    session: AsyncSession,
    to: str,
    template: str,
    locale: str,
    values: Mapping[str, Any],
    *,
    partner_id: int | None = None,
    invoice_document_ids: Sequence[int] = (),
) -> Mail:
    """Write a letter and the message that delivers it; retried for a day, then a dead letter.

    Parameters:
        template: a file of ``templates/<locale>/`` without its ending, for example ``user_invite``.
        locale: language of the letter, ``ru`` or ``en``.
        values: what the template names; they may be secret, for they are kept only sealed and until the letter is sent.
        partner_id: the partner that the letter concerns; required in a tenant's transaction.
        invoice_document_ids: PDFs that go with the letter.

    Raises:
        MailNotConfigured: production without a mail server.
    """
    make_sure_of_mail()
    written = write(template, locale, values)
    # One id for all attempts, so that a letter that arrives twice is shown once.
    message_id = f"{secrets.token_hex(16)}@{get_settings().mail_domain}"
    content = orjson.dumps({"subject": written.subject, "text": written.text, "html": written.html}).decode()
    mail = Mail(
        partner_id=partner_id,
        recipient=to,
        template=template,
        locale=locale,
        message_id=message_id,
        content_encrypted=crypto.encrypt(content, sealed_as(message_id)),
        invoice_document_ids=list(invoice_document_ids),
    )
    session.add(mail)
    await session.flush()
    await enqueue(session, DELIVER, {"mailId": mail.id}, partner_id=partner_id)
    return mail


def make_sure_of_mail() -> None:
    """Make sure that letters can be sent at all.

    Raises:
        MailNotConfigured: production without a mail server.
    """
    mail_transport()
