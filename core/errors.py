"""Typed failures: what went wrong, under which stable code, and at which input field."""

from __future__ import annotations


class KontoraError(Exception):
    """A failure with a stable code.

    Parameters:
        message: what was asked and what is missing, readable by the caller.
        code: UPPER_CASE code, stable over releases and languages.
        field: path of the input field at fault, for example ``("input", "seats")``.
    """

    code = "INTERNAL"

    def __init__(self, message: str, *, code: str | None = None, field: tuple[str, ...] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if code is not None:
            self.code = code


class UserError(KontoraError):
    """An expected failure that the caller can mend; told in ``userErrors`` (API-2)."""

    code = "INVALID"


class NotFound(UserError):
    """The object does not exist or is out of the caller's scope; the two answer alike (ACC-4)."""

    code = "NOT_FOUND"

    @classmethod
    def of(cls, noun: str, field: tuple[str, ...] | None = None) -> NotFound:
        """The standard message for a missing ``noun``."""
        return cls(f"{noun} not found", field=field)


class Conflict(UserError):
    """The object changed since it was read, or is not in a state that allows the action."""

    code = "CONFLICT"


class Forbidden(KontoraError):
    """The caller lacks a permission (ACC-3).

    Parameters:
        permission: the permission that is missing.
        on: the schema coordinate refused, for example ``Invoice.total``.
    """

    code = "FORBIDDEN"

    def __init__(self, permission: str, on: str) -> None:
        super().__init__(f"{on} needs the permission {permission}")
        self.permission = permission
        self.on = on


class Unauthenticated(KontoraError):
    """The credentials are missing, expired or not ours."""

    code = "UNAUTHENTICATED"
