"""Rules of the second factor: which codes are right, how long things live, what recovery codes look like (ACC-1)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import pyotp
from pyotp.utils import strings_equal

STEP_SECONDS = 30
WINDOW_STEPS = 1
"""How many time steps before and after the present one are accepted; clocks of phones differ (RFC 6238, 5.2)."""

CHALLENGE_LIFE = timedelta(minutes=5)
CHALLENGE_TRIES = 5
ENROLMENT_LIFE = timedelta(minutes=10)
FRESH_SIGN_IN = timedelta(minutes=10)
"""How old a session may be to set up a factor: one that was stolen later must not lock its owner out."""

RECOVERY_CODES = 10
_RECOVERY_CHARS = 12
# Crockford's alphabet has no letter that is mistaken for a digit.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISTAKEN = str.maketrans("OIL", "011", "- ")


def matching_step(secret: str, code: str, moment: datetime, last_step: int | None = None) -> int | None:
    """The time step whose code this is, within the window and after ``last_step``; None for a wrong or spent code."""
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    given = code.replace(" ", "")
    if not (len(given) == totp.digits and given.isascii() and given.isdigit()):
        return None
    now = step_of(moment)
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 1):
        spent = last_step is not None and step <= last_step
        if strings_equal(totp.generate_otp(step), given) and not spent:
            return step
    return None


def step_of(moment: datetime) -> int:
    """The number of a moment's time step."""
    return int(moment.timestamp()) // STEP_SECONDS


def new_secret() -> str:
    """A fresh secret of 160 bits, in Base32 (RFC 4226, 4)."""
    return pyotp.random_base32()


def otpauth_uri(secret: str, *, account: str, issuer: str) -> str:
    """What authenticator apps read from a QR code."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=issuer)


def new_recovery_code() -> str:
    """A fresh recovery code of 60 bits, such as ``7KQ2-M0XD-9T4H``."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_CHARS))
    return "-".join(letters[start : start + 4] for start in range(0, _RECOVERY_CHARS, 4))


def plain_recovery_code(typed: str) -> str:
    """A recovery code as it is compared: without separators and case, lookalikes read as what they look like."""
    return typed.upper().translate(_MISTAKEN)
