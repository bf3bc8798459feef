"""Days and moments as people and other systems write them."""

from __future__ import annotations

from datetime import datetime, tzinfo

from domain import fields

DAYS = ("%Y-%m-%d", "%d.%m.%Y")


def moment(text: str, name: str, zone: tzinfo) -> datetime:
    """A moment by ISO 8601, or the beginning of a day such as 2026-12-31 or 31.12.2026.

    Parameters:
        zone: where the day begins, and what a moment without a zone of its own means.

    Raises:
        InvalidValue: it is neither.
    """
    for form in DAYS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        refused = f"{name} is a day or moment such as 2026-12-31 or 2026-12-31T10:00:00Z"
        raise fields.InvalidValue(refused, field=fields.path(name)) from None
    return told if told.tzinfo is not None else told.replace(tzinfo=zone)
