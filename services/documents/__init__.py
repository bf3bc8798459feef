"""Invoices and acts as PDF, kept as they were issued, links to download them, and letters with them (INV-4)."""

from services.documents.issue import LegalEntityMissing, issue_document
from services.documents.links import BadLink, download_link, opened_link
from services.documents.send import send_document

__all__ = [
    "BadLink",
    "LegalEntityMissing",
    "download_link",
    "issue_document",
    "opened_link",
    "send_document",
]
