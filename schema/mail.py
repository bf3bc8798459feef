"""Letters as the outside sees them: whether they were sent, never what they say (NOT-1)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import Node, any_of, at_least, before, bound, column, equals, filter_input, order_input, to_one

MailFilter = filter_input(
    "Mail",
    {
        "status": any_of(models.Mail.status, "Only these states."),
        "template": any_of(models.Mail.template, "Only these kinds of letters."),
        "partner_id": equals(models.Mail.partner_id, "Only letters that concern this partner.", id_of="Partner"),
        "created_from": at_least(models.Mail.created_at, "Written at this moment or later."),
        "created_before": before(models.Mail.created_at, "Written before this moment."),
    },
)
MailOrder = order_input("Mail", {"CREATED_AT": models.Mail.created_at})


@bound(models.Mail, requires="mail:read", description="A letter; what it said is forgotten once it was sent (NOT-1).")
class Mail(Node):
    """A letter."""

    recipient: Any = column(models.Mail.recipient, "Whom it goes to.", requires="user:pii")
    template: Any = column(models.Mail.template, "Kind of letter, for example `user_invite`.")
    locale: Any = column(models.Mail.locale, "Its language, `ru` or `en`.")
    message_id: Any = column(models.Mail.message_id, "Its `Message-ID`, the same for all attempts.")
    status: Any = column(models.Mail.status, "Whether a mail server has taken it.")
    last_error: Any = column(models.Mail.last_error, "Why it could not be sent.")
    sent_at: Any = column(models.Mail.sent_at, "When the mail server took it.")
    created_at: Any = column(models.Mail.created_at, "When it was written.")
    partner: Any = to_one(
        "schema.partners.Partner", models.Mail.partner_id, "The partner concerned.", requires="partner:read"
    )
