"""Documents of partners: announced, uploaded, looked into, downloaded, replaced and taken away (PAR-3)."""

from services.partner_documents.announce import DocumentValues, FileOffer, announce_file, enter_link
from services.partner_documents.change import delete_document, update_document
from services.partner_documents.inspect import INSPECT, inspect, uploaded
from services.partner_documents.links import BadLink, download_link, opened_link
from services.partner_documents.sweep import abandon, purge

__all__ = [
    "INSPECT",
    "BadLink",
    "DocumentValues",
    "FileOffer",
    "abandon",
    "announce_file",
    "delete_document",
    "download_link",
    "enter_link",
    "inspect",
    "opened_link",
    "purge",
    "update_document",
    "uploaded",
]
