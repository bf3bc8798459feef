"""Documents of partners: kinds, states, and which files are taken (PAR-3)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class PartnerDocumentKind(StrEnum):
    """What a document of a partner is (PAR-3)."""

    CONTRACT = "CONTRACT"
    ACT = "ACT"
    SPECIFICATION = "SPECIFICATION"
    OTHER = "OTHER"


class PartnerDocumentStatus(StrEnum):
    """How far a document is: waiting for its file, looked into, there, refused, or taken away (PAR-3)."""

    PENDING = "PENDING"
    SCANNING = "SCANNING"
    AVAILABLE = "AVAILABLE"
    REJECTED = "REJECTED"
    DELETED = "DELETED"


class PartnerDocumentRejection(StrEnum):
    """Why a file was refused (PAR-3)."""

    NEVER_UPLOADED = "NEVER_UPLOADED"
    WRONG_SIZE = "WRONG_SIZE"
    WRONG_CHECKSUM = "WRONG_CHECKSUM"
    WRONG_TYPE = "WRONG_TYPE"
    MALWARE = "MALWARE"


_Status = PartnerDocumentStatus
TRANSITIONS: Mapping[PartnerDocumentStatus, frozenset[PartnerDocumentStatus]] = MappingProxyType(
    {
        _Status.PENDING: frozenset({_Status.SCANNING, _Status.REJECTED, _Status.DELETED}),
        _Status.SCANNING: frozenset({_Status.AVAILABLE, _Status.REJECTED, _Status.DELETED}),
        _Status.AVAILABLE: frozenset({_Status.DELETED}),
        _Status.REJECTED: frozenset({_Status.DELETED}),
        _Status.DELETED: frozenset(),
    }
)

# Every type that can be recognised by its content, with the endings of its file names, the usual one first.
FILE_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "application/pdf": ("pdf",),
        "image/png": ("png",),
        "image/jpeg": ("jpg", "jpeg"),
        "image/tiff": ("tif", "tiff"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx",),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx",),
        "application/vnd.oasis.opendocument.text": ("odt",),
        "application/vnd.oasis.opendocument.spreadsheet": ("ods",),
    }
)


def may_become(now: PartnerDocumentStatus, wanted: PartnerDocumentStatus) -> bool:
    """Whether a document may go from one state to another."""
    return wanted in TRANSITIONS[now]
