"""Russian taxpayer numbers (INN) and tax registration codes (KPP), checked by their own rules (PAR-1)."""

from __future__ import annotations

import re

from core.errors import UserError

_ORGANISATION = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_PERSON_FIRST = (7, *_ORGANISATION)
_PERSON_SECOND = (3, *_PERSON_FIRST)
_KPP = re.compile(r"[0-9]{4}[0-9A-Z]{2}[0-9]{3}")


class InvalidInn(UserError):
    """Not a taxpayer number: wrong length or check digit."""

    code = "INVALID_INN"


class InvalidKpp(UserError):
    """Not a tax registration code."""

    code = "INVALID_KPP"


def check_inn(inn: str, field: tuple[str, ...] | None = None) -> str:
    """The number, if its check digits are right: one for an organisation's 10, two for a person's 12.

    Raises:
        InvalidInn: other characters, another length, or a wrong check digit.
    """
    if not (inn.isascii() and inn.isdecimal() and len(inn) in (10, 12)):
        raise InvalidInn("an INN has 10 or 12 digits", field=field)
    digits = [int(digit) for digit in inn]
    tables = (_ORGANISATION,) if len(inn) == 10 else (_PERSON_FIRST, _PERSON_SECOND)
    if any(_check_digit(digits, weights) != digits[len(weights)] for weights in tables):
        raise InvalidInn("the INN's check digit is wrong", field=field)
    return inn


def check_kpp(kpp: str, field: tuple[str, ...] | None = None) -> str:
    """The code, if it has the right form.

    Raises:
        InvalidKpp: not four digits, two digits or capital letters, three digits.
    """
    if not _KPP.fullmatch(kpp):
        raise InvalidKpp("a KPP has 9 characters: digits, and letters only in the fifth and sixth place", field=field)
    return kpp


def _check_digit(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False)) % 11 % 10
