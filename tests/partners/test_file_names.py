"""Names of files are harmless whatever people send (PAR-3)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import FILE_ENDINGS
from domain.file_names import LONGEST_NAME_BYTES, ascii_name, ending_of, safe_name
from domain.partner_documents import FILE_TYPES

PIECES = st.sampled_from(
    ["../", "..\\", "/", "\\", "\u202e", "\u200b", "\0", "\r\n", ".", " ", "con", "NUL", ".pdf", "é", "ё", "a", '"']
)
NAMES = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=12).map("".join))


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("Договор № 5.pdf", "Договор № 5.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\anna\\act.pdf", "act.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("CON.pdf", "_CON.pdf"),
        ("lpt1 .tar.pdf", "_lpt1 .tar.pdf"),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie_ x.pdf"),
        ("e\u0301.pdf", "é.pdf"),
        ("... ", "document"),
        ("\0\u202e", "document"),
        (f"{'я' * 300}.pdf", f"{'я' * 88}.pdf"),
    ],
)
def test_names(given_name: str, kept: str) -> None:
    assert safe_name(given_name) == kept


@given(NAMES)
def test_what_is_kept_is_harmless(name: str) -> None:
    kept = safe_name(name)
    assert safe_name(kept) == kept
    assert 1 <= len(kept.encode()) <= LONGEST_NAME_BYTES
    assert not set(kept) & set('/\\<>:"|?*;%\0')
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in kept)
    assert kept[0] not in ". "
    assert kept[-1] not in ". "
    assert kept.split(".")[0].strip().upper() not in ("CON", "NUL", "PRN", "AUX", "COM1", "LPT9")
    plain = ascii_name(kept)
    assert plain.isascii()
    assert plain.isprintable()
    assert not set(plain) & set('"\\;%')


def test_endings_of_the_settings_are_those_of_the_types() -> None:
    assert tuple(endings[0] for endings in FILE_TYPES.values()) == FILE_ENDINGS
    assert ending_of("A.PDF") == "pdf"
    assert ending_of("pdf") == ""
