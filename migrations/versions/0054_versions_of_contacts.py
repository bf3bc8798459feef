"""Contacts have a version, so that of two who change one the second is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Contacts have a version; what points to one is found when it is deleted."""
    op.add_column("contacts", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.create_index(op.f("ix_installs_installed_by_contact_id"), "installs", ["installed_by_contact_id"])
    op.create_index(op.f("ix_oauth_tokens_manager_contact_id"), "oauth_tokens", ["manager_contact_id"])
