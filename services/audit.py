"""The audit trail: one event a change, in the transaction of the change (ACC-6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from core.request import current_request
from models import AuditEvent, Base

MASKED = "***"
SECRET_PARTS = ("secret", "password", "token", "encrypted", "hash")
PERSONAL_FIELDS = frozenset(
    {
        *("email", "phone", "first_name", "last_name", "full_name"),
        # People who sign for our companies, and who pay us.
        *("signatory", "accountant", "payer_name", "payer_account"),
    }
)


async def record(
    session: AsyncSession,
    actor: Principal,
    action: str,
    entity: Base,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    partner_id: int | None = None,
) -> None:
    """Write who did what to which row, with secrets and personal data masked.

    Parameters:
        action: verb of the vocabulary, for example ``invoice.mark_paid``.
        entity: the changed row; a new one is flushed to get its key.
        before: the changed columns as they were; None for a new row.
        after: the changed columns as they are; None for a deleted row.
        partner_id: the partner concerned; taken from the row where it carries one.
    """
    await session.flush()
    key = inspect(entity).identity
    assert key is not None, "the audited row was never flushed"
    request = current_request()
    session.add(
        AuditEvent(
            actor=actor.label,
            actor_user_id=actor.user_id,
            actor_roles=list(actor.roles),
            action=action,
            entity_type=type(entity).__name__,
            entity_id=key[0],
            partner_id=partner_id if partner_id is not None else getattr(entity, "partner_id", None),
            request_id=request.request_id,
            ip=request.ip,
            before=_masked(before),
            after=_masked(after),
        )
    )


def _masked(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: _hidden(value) if _private(name) else _plain(value) for name, value in values.items()}


def _private(name: str) -> bool:
    return name in PERSONAL_FIELDS or any(part in name for part in SECRET_PARTS)


def _hidden(value: Any) -> str | None:
    return None if value is None else MASKED


def _plain(value: Any) -> Any:
    """The value as JSON can hold it; numbers that are money stay exact."""
    if isinstance(value, Mapping):
        return _masked(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value) if isinstance(value, (Decimal, UUID)) else value
