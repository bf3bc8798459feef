"""Imports and exports of many rows that run in the background, with progress, cancelled or read at any time (PAR-5)."""

from services.bulk.files import download_link, expire_files, opened_link, read_file
from services.bulk.imports import require_import
from services.bulk.operations import RUN, apply_import, cancel, is_over, request_export, request_import
from services.bulk.payment_import import MATCH, match_chunk
from services.bulk.runner import give_up, run

__all__ = [
    "MATCH",
    "RUN",
    "apply_import",
    "cancel",
    "download_link",
    "expire_files",
    "give_up",
    "is_over",
    "match_chunk",
    "opened_link",
    "read_file",
    "request_export",
    "request_import",
    "require_import",
    "run",
]
