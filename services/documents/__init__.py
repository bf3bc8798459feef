"""Invoices and acts as PDF, kept as they were issued, and links to download them (INV-4)."""

from services.documents.issue import LegalEntityMissing, issue_document
from services.documents.links import BadLink, DownloadLink, download_link, opened_link

__all__ = ["BadLink", "DownloadLink", "LegalEntityMissing", "download_link", "issue_document", "opened_link"]
