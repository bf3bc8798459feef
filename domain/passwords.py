"""What a password must be: long, hard to guess, and not one's own email (ACC-1)."""

from __future__ import annotations

import re

from core.errors import UserError

MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 500
# Of 0 to 4; from 2 on an attacker needs more than a million guesses that know people's habits.
LEAST_SCORE = 2
SCORED_CHARS = 64


class WeakPassword(UserError):
    """The password is too short, or easy to guess."""

    code = "WEAK_PASSWORD"


def check_password_strength(password: str, *, email: str, field: tuple[str, ...]) -> None:
    """Make sure that a password may be set.

    Raises:
        WeakPassword: too short or long, the email, a common password, or made of patterns that are tried first.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        told = f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters"
        raise WeakPassword(told, field=field)
    if password.strip().lower() == email.strip().lower():
        raise WeakPassword("the password must not be the email", field=field)
    # Its lists of words are large, and most processes never check a password.
    from zxcvbn import zxcvbn

    known = [email, *re.split(r"[^\w]+", email), "kontora"]
    if zxcvbn(password[:SCORED_CHARS], user_inputs=known)["score"] < LEAST_SCORE:
        raise WeakPassword("the password is easy to guess: take several words that do not go together", field=field)
