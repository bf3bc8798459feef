"""Runs migrations on the connection that `migrations.run` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from migrations.run import not_a_month
from models import Base
from models.base import StrEnumColumn


def render_item(type_: str, item: Any, _autogenerate_context: Any) -> str | Literal[False]:
    """Write enum columns as the plain text columns that they are, so that history needs no import of ours."""
    if type_ == "type" and isinstance(item, StrEnumColumn):
        return "sa.String(length=32)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=render_item,
    include_name=not_a_month,
)
with context.begin_transaction():
    context.run_migrations()
