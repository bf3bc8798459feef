"""What a search makes of a text: how it is written, what it may be the whole of, and which pieces of it are looked up.

The indexes hold every stretch of four characters of what partners and people are found by, with a space before and
after: pieces. A text can only be where its pieces are, and a text with one wrong letter where the pieces before and
after that letter are (PAR-2).
"""

from __future__ import annotations

import re
from collections.abc import Set

PIECE_CHARS = 4
# More would be read from the index than they take away.
PIECES_ASKED = 3
FEWEST_DIGITS_OF_A_PHONE = 10
_INN = re.compile(r"[0-9]{10}|[0-9]{12}")
_WORD = re.compile(r"[^\W_]+")
_PHONE = re.compile(r"\+?[0-9 ()\-]+")
_DOMAIN = re.compile(r"[^\s@]+\.[^\s@]+")
# The same as `search_fold` of the database.
_LATIN = str.maketrans("абвгдеёжзийклмнопрстуфхцчшщыэюя", "abvgdeejziyklmnoprstufhcqwwyeua", "ъь")


def fold(value: str) -> str:
    """The text in small letters, Cyrillic letter by letter in Latin ones: Орион, ОРИОН and orion are one."""
    return value.lower().translate(_LATIN)


def whole_of(typed: str) -> list[tuple[str, str]]:
    """What a text in small letters may be the whole of: ``inn``, ``domain``, ``email``, ``phone``, as they are kept."""
    found = []
    if _INN.fullmatch(typed):
        found.append(("inn", typed))
    if _DOMAIN.fullmatch(typed):
        found.append(("domain", typed))
    if "@" in typed:
        found.append(("email", typed))
    phone = phone_digits(typed)
    if phone is not None and len(phone) >= FEWEST_DIGITS_OF_A_PHONE:
        found.append(("phone", phone))
    return found


def phone_digits(typed: str) -> str | None:
    """The digits of what is typed as a phone number, without a Russian 8 or +7; None where it is none.

    The same as `search_phone` of the database.
    """
    if not _PHONE.fullmatch(typed):
        return None
    digits = re.sub(r"\D", "", typed)
    return digits[1:] if len(digits) == 11 and digits[0] in "78" else digits


def trigrams(text: str) -> set[str]:
    """What pg_trgm compares a text by: three characters of a word each, with two spaces before it and one after."""
    padded = [f"  {word} " for word in _WORD.findall(text)]
    return {word[at : at + 3] for word in padded for at in range(len(word) - 2)}


def pieces(text: str, common: Set[str]) -> list[str]:
    """A few pieces of a text that together say best where it is; none where each of them is ``common``."""
    rare = [piece for piece in _all_pieces(text) if piece not in common]
    # An end of one word and a beginning of the next say less than as many letters of one word.
    inner = [piece for piece in rare if " " not in piece[1:-1]]
    rare = inner if len(inner) >= PIECES_ASKED else rare
    if len(rare) <= PIECES_ASKED:
        return rare
    step = (len(rare) - 1) / (PIECES_ASKED - 1)
    return [rare[round(number * step)] for number in range(PIECES_ASKED)]


def pieces_with_a_wrong_letter(text: str, common: Set[str]) -> list[list[str]]:
    """Sets of pieces, one of which is whole in a text that differs by a letter.

    Each word in turn is taken to be the wrong one. What is before the letter and what is after it is right: that is the
    first half of the word, or the second, or a little of both.
    """
    found = []
    words = text.split()
    for number, word in enumerate(words):
        others = [piece for at, other in enumerate(words) if at != number for piece in pieces(other, common)]
        # So many say where a text is, whatever is right of the wrong word.
        for ends in [[]] if len(others) >= PIECES_ASKED else _ends(word):
            asked = [piece for end in ends for piece in pieces(end, common)] + others
            if asked and asked not in found:
                found.append(asked)
    return found


def _ends(word: str) -> list[list[str]]:
    """What of a word may be right, each time another part of it."""
    edge = PIECE_CHARS - 1
    half = max(edge, (len(word) + 1) // 2)
    ends = [[f" {word[:half]}"], [f"{word[-half:]} "]] if len(word) > edge else []
    # The letter in the middle is in both halves, as are two that are the wrong way round; a short word has no more.
    return [*ends, [f" {word[:edge]}", f"{word[-edge:]} "] if len(word) > 2 * edge else []]


def _all_pieces(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARS] for at in range(len(text) - PIECE_CHARS + 1)]
