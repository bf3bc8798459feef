"""Russian bank details: bank codes (BIK), and accounts with their control key (Bank of Russia, 1997, No. 515)."""

from __future__ import annotations

from core.errors import UserError

_WEIGHTS = (7, 1, 3)
ACCOUNT_DIGITS = 20
BIK_DIGITS = 9
# Accounts that banks hold with the central bank begin so; their key is counted with the bank's region instead.
CORRESPONDENT_PREFIX = "301"


class InvalidBik(UserError):
    """Not a bank code."""

    code = "INVALID_BIK"


class InvalidAccount(UserError):
    """Not an account of this bank: wrong length or control key."""

    code = "INVALID_ACCOUNT"


def check_bik(bik: str, field: tuple[str, ...] | None = None) -> str:
    """The bank code, if it has the right form.

    Raises:
        InvalidBik: not nine digits that begin with 0 or 1.
    """
    if not (_digits(bik, BIK_DIGITS) and bik[0] in "01"):
        raise InvalidBik("a BIK has 9 digits and begins with 0 or 1", field=field)
    return bik


def check_account(account: str, bik: str, field: tuple[str, ...] | None = None) -> str:
    """A customer's account, if its control key fits the bank.

    Raises:
        InvalidAccount: not 20 digits, or the key is wrong for this BIK.
    """
    return _checked(account, bik[-3:], "account", field)


def check_correspondent_account(account: str, bik: str, field: tuple[str, ...] | None = None) -> str:
    """A bank's account with the central bank, if its control key fits.

    Raises:
        InvalidAccount: not 20 digits that begin with 301, or the key is wrong for this BIK.
    """
    if not account.startswith(CORRESPONDENT_PREFIX):
        raise InvalidAccount(f"a correspondent account begins with {CORRESPONDENT_PREFIX}", field=field)
    return _checked(account, "0" + bik[4:6], "correspondent account", field)


def _checked(account: str, bank: str, what: str, field: tuple[str, ...] | None) -> str:
    if not _digits(account, ACCOUNT_DIGITS):
        raise InvalidAccount(f"the {what} has {ACCOUNT_DIGITS} digits", field=field)
    digits = [int(digit) for digit in bank + account]
    if sum(digit * _WEIGHTS[place % 3] for place, digit in enumerate(digits)) % 10:
        raise InvalidAccount(f"the control key of the {what} does not fit the BIK", field=field)
    return account


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdecimal()
