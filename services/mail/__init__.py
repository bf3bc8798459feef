"""Letters to people (NOT-1)."""

from gateways.mail.registry import MailNotConfigured
from services.mail.delivery import DELIVER, deliver, forget_content, give_up
from services.mail.outgoing import make_sure_of_mail, send

__all__ = ["DELIVER", "MailNotConfigured", "deliver", "forget_content", "give_up", "make_sure_of_mail", "send"]
