"""Our own people, as those who look after partners and work (PAR-1, ONB-1)."""

from __future__ import annotations

from typing import Any

import strawberry

from planner.binding import plain, sql, value

READ = "colleague:read"


@plain(requires=READ, description="One of our own people who may sign in.")
class Colleague:
    """One of our own people."""

    user_id: strawberry.ID = value("Id of the User, for inputs that name one of us.")
    name: str = value("Full name.")


def name_of(column: str, description: str) -> Any:
    """A field that names one of us, for those who may not read users.

    Parameters:
        column: of the row, the number of the user.
    """
    return sql(f"colleague_name({{row}}.{column})", str | None, "text", description, requires=READ)
