"""The audit trail in months, and the chain that seals it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
COLUMNS = (
    "id, actor, actor_user_id, actor_roles, action, entity_type, entity_id, partner_id, request_id, ip, before, after, "
    "created_at"
)
INDEXES = {
    "ix_audit_events_time": ["created_at", "id"],
    "ix_audit_events_entity_time": ["entity_type", "entity_id", "created_at", "id"],
    "ix_audit_events_partner_time": ["partner_id", "created_at", "id"],
    "ix_audit_events_actor_time": ["actor_user_id", "created_at", "id"],
    "ix_audit_events_action_time": ["action", "created_at", "id"],
}

# The months of what there is; the coming ones are made by the database's own function.
_MAKE_MONTHS = """
    DO $$
    DECLARE
        starts timestamp := (SELECT date_trunc('month', min(created_at) AT TIME ZONE 'UTC') FROM audit_events_before);
        name text;
    BEGIN
        WHILE starts <= (SELECT max(created_at) AT TIME ZONE 'UTC' FROM audit_events_before) LOOP
            name := 'audit_events_' || to_char(starts, 'YYYY_MM');
            EXECUTE format('CREATE TABLE %I PARTITION OF audit_events FOR VALUES FROM (%L) TO (%L)', name,
                starts AT TIME ZONE 'UTC', (starts + interval '1 month') AT TIME ZONE 'UTC');
            EXECUTE format('CREATE TRIGGER insert_only_truncate BEFORE TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
            starts := starts + interval '1 month';
        END LOOP;
    END $$
"""


def upgrade() -> None:
    """The audit trail in months, and the chain that seals it."""
    op.execute("ALTER TABLE audit_events RENAME TO audit_events_before")
    op.execute("ALTER SEQUENCE audit_events_id_seq RENAME TO audit_events_before_id_seq")
    op.execute("ALTER INDEX pk_audit_events RENAME TO pk_audit_events_before")
    op.execute(
        """
        CREATE FUNCTION audit_transaction_offset() RETURNS bigint
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 0::bigint'
        """
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_user_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_roles", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column(
            "transaction_number",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint + audit_transaction_offset()"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", "created_at", name=op.f("pk_audit_events")),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.execute(_MAKE_MONTHS)
    # Events from before the chain are sealed first, each as a transaction of its own.
    op.execute(
        f"""
        INSERT INTO audit_events ({COLUMNS}, transaction_number)
        SELECT {COLUMNS}, id - max(id) OVER () - 1 FROM audit_events_before ORDER BY id
        """  # noqa: S608 - constants of this module
    )
    op.execute(
        """
        SELECT setval(pg_get_serial_sequence('audit_events', 'id'), coalesce(max(id), 0) + 1, false)
        FROM audit_events_before
        """
    )
    op.drop_table("audit_events_before")
    for name, columns in INDEXES.items():
        op.create_index(name, "audit_events", columns)
    op.create_index(
        "ix_audit_events_transaction",
        "audit_events",
        ["transaction_number"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_table(
        "audit_segments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("from_transaction", sa.BigInteger(), nullable=False),
        sa.Column("to_transaction", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("event_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("event_digests", sa.LargeBinary(), nullable=False),
        sa.Column("expired_month", sa.Date(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_segments")),
        sa.UniqueConstraint("number", name=op.f("uq_audit_segments_number")),
    )
