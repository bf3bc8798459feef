"""What all mutations share: idempotency keys in, user errors out (API-2)."""

from __future__ import annotations

import strawberry

from planner.binding import plain, value


@plain(requires="", description="An expected failure that the caller can mend.")
class UserError:
    """An expected failure that the caller can mend."""

    code: str = value("Stable code, the same in every language.")
    message: str = value("What went wrong, for people.")
    field: list[str] | None = value("Path of the input field at fault, when there is one.")


@plain(requires="", description="What every mutation answers.")
class Payload:
    """What every mutation answers."""

    user_errors: list[UserError] = value("Expected failures; when there are any, nothing was changed.")


@strawberry.input(description="Input of a mutation that may be repeated under a key.")
class KeyedInput:
    """Input of a mutation that may be repeated under a key."""

    idempotency_key: str | None = strawberry.field(
        default=None,
        description="A key of the caller's: a repeated call with it changes nothing twice. Kept for 7 days.",
    )


@strawberry.input(description="Input of a mutation that moves money.")
class MoneyInput:
    """Input of a mutation that moves money."""

    idempotency_key: str = strawberry.field(
        description="A key of the caller's, required where money moves: a repeated call with it changes nothing twice. "
        "Kept for 7 days."
    )
    dry_run: bool = strawberry.field(
        default=False, description="Answer what would happen and change nothing; the key is not used up."
    )
