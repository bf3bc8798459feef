"""Russian numbers of organisations and entrepreneurs (INN, KPP, OGRN), checked by their own rules (PAR-1)."""

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


class InvalidOgrn(UserError):
    """Not a number of the state register: wrong length or check digit."""

    code = "INVALID_OGRN"


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


def check_ogrn(ogrn: str, field: tuple[str, ...] | None = None) -> str:
    """The number, if its check digit is right: an organisation's OGRN of 13 digits, an entrepreneur's OGRNIP of 15.

    Raises:
        InvalidOgrn: other characters, another length, or a wrong check digit.
    """
    if not (ogrn.isascii() and ogrn.isdecimal() and len(ogrn) in (13, 15)):
        raise InvalidOgrn("an OGRN has 13 digits, an OGRNIP 15", field=field)
    if int(ogrn[:-1]) % (len(ogrn) - 2) % 10 != int(ogrn[-1]):
        raise InvalidOgrn("the OGRN's check digit is wrong", field=field)
    return ogrn


def _check_digit(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False)) % 11 % 10
