"""Whether a file is of the type that it is said to be, by its content (PAR-3)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import IO

import puremagic

_ZIP = b"PK\x03\x04"
_LONGEST_MIMETYPE_BYTES = 200
# Office documents are ZIP archives; what they are, a part inside tells.
_OPEN_XML: Mapping[str, str] = MappingProxyType(
    {
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "word/document.xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xl/workbook.xml",
    }
)
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_MACROS = "vbaproject.bin"


def is_of_type(file: IO[bytes], content_type: str) -> bool:
    """Whether the content is of the type; office documents with macros are of none that is taken."""
    file.seek(0)
    if content_type in _OPEN_XML or content_type.startswith(_OPEN_DOCUMENT):
        return file.read(len(_ZIP)) == _ZIP and _is_office(file, content_type)
    try:
        matches = puremagic.magic_stream(file)
    except (puremagic.PureError, ValueError):
        return False
    return any(match.mime_type == content_type for match in matches)


def _is_office(file: IO[bytes], content_type: str) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if content_type in _OPEN_XML:
                wanted = {"[Content_Types].xml", _OPEN_XML[content_type]}
                return wanted <= set(names) and not any(name.lower().endswith(_MACROS) for name in names)
            with archive.open("mimetype") as told:
                return told.read(_LONGEST_MIMETYPE_BYTES) == content_type.encode()
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError):
        return False
