"""Database roles, grants, row-level security and triggers, put in force again at every migration.

The application connects as `kontora_app`, which can change neither journals nor the audit trail; requests of
partners run as `kontora_tenant`, which row-level security holds to the rows of one partner (ACC-4), and our own people
who look under an access grant as `kontora_grantee`, held to the grant's partner while it is in force (ACC-5).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table

from core.changes import CHANGES_CHANNEL
from core.database import APP_ROLE, GRANTEE_ROLE, PARTNER_SETTING, TENANT_ROLE
from models.access_functions import access_functions
from models.audit_functions import audit_functions
from models.base import Base
from models.coin_functions import coin_functions
from models.reach import (
    GRANTEE_OWN,
    GRANTEE_TELLS_OF_ALL,
    GRANTEE_WRITES,
    SHARED_ROWS,
    SHARED_WITH_TENANTS,
    TENANT_SECRETS,
    TENANT_WRITES,
    partner_predicate,
    scope_column,
)
from models.redaction import redaction_functions

INSERT_ONLY = frozenset(
    {
        "access_log_entries",
        "access_log_partners",
        "audit_events",
        "audit_segments",
        "currency_rates",
        "event_deliveries",
        "invoice_documents",
        "ledger_entries",
        "onboarding_changes",
        "partner_notes",
        "partner_status_changes",
        "payment_state_changes",
        "subscription_changes",
        "wallet_transactions",
    }
)

# Whose rows people watch while they change.
WATCHED = frozenset({"bulk_operations"})
OUTBOX_CHANNEL = "kontora_outbox"


def statements() -> Iterator[str]:
    """Every statement, in order; each may run again and again."""
    yield from _roles()
    yield from _functions()
    yield from access_functions()
    for table in Base.metadata.sorted_tables:
        yield from _grants(table)
        yield from _policies(table)
        if table.name in INSERT_ONLY:
            yield from _insert_only(table)
    yield from _ledger_balance()
    yield from coin_functions()
    yield from _transaction_numbers()
    yield from redaction_functions()
    yield from audit_functions()
    yield from _codes_once()
    yield from _outbox_notice()
    yield from _change_notices()
    yield from _taken_from_the_user()


def _roles() -> Iterator[str]:
    for role in (APP_ROLE, TENANT_ROLE, GRANTEE_ROLE):
        # Roles belong to the whole server: another database's migration may make them at the same moment.
        yield f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
                END IF;
                IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN
                    EXECUTE format('GRANT {role} TO %I', current_user);
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
        """
    yield f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {TENANT_ROLE}, {GRANTEE_ROLE}"
    # Batches take the keys of their rows beforehand.
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}"
    # `SET LOCAL ROLE` in a transaction is checked against the session's user, never against the current role.
    yield f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {APP_ROLE}, {TENANT_ROLE}, {GRANTEE_ROLE}"


def _functions() -> Iterator[str]:
    yield f"""
        CREATE OR REPLACE FUNCTION current_partner_id() RETURNS bigint
        LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT nullif(current_setting('{PARTNER_SETTING}', true), '')::bigint $$
    """
    yield """
        CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
    """


def _grants(table: Table) -> Iterator[str]:
    name = table.name
    yield f"REVOKE ALL ON {name} FROM {APP_ROLE}, {TENANT_ROLE}, {GRANTEE_ROLE}"
    rights = "SELECT, INSERT" if name in INSERT_ONLY else "SELECT, INSERT, UPDATE, DELETE"
    yield f"GRANT {rights} ON {name} TO {APP_ROLE}"
    if partner_predicate(table, "", "") is None and name not in SHARED_WITH_TENANTS:
        return
    secrets = TENANT_SECRETS.get(name, frozenset())
    readable = ", ".join(column.name for column in table.columns if column.name not in secrets)
    columns = f" ({readable})" if secrets else ""
    yield f"GRANT SELECT{columns} ON {name} TO {TENANT_ROLE}, {GRANTEE_ROLE}"
    for role, writes in ((TENANT_ROLE, TENANT_WRITES), (GRANTEE_ROLE, GRANTEE_WRITES)):
        if name in writes:
            yield f"GRANT {writes[name]} ON {name} TO {role}"


def _policies(table: Table) -> Iterator[str]:
    name = table.name
    own = SHARED_ROWS.get(name) or partner_predicate(table, name, "(SELECT current_partner_id())")
    if own is None:
        return
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS app_all ON {name}"
    yield f"CREATE POLICY app_all ON {name} TO {APP_ROLE} USING (true) WITH CHECK (true)"
    yield f"DROP POLICY IF EXISTS tenant_own ON {name}"
    yield f"CREATE POLICY tenant_own ON {name} TO {TENANT_ROLE} USING ({own}) WITH CHECK ({own})"
    column = scope_column(table)
    parts = [] if column is None else [f"{name}.{column} = (SELECT granted_partner_id())"]
    if name in GRANTEE_OWN:
        parts.append(GRANTEE_OWN[name].format(row=name, me="(SELECT current_grantee_id())"))
    granted = " OR ".join(parts) or own
    yield f"DROP POLICY IF EXISTS grantee_granted ON {name}"
    written = "true" if name in GRANTEE_TELLS_OF_ALL else granted
    yield f"CREATE POLICY grantee_granted ON {name} TO {GRANTEE_ROLE} USING ({granted}) WITH CHECK ({written})"


def _insert_only(table: Table) -> Iterator[str]:
    name = table.name
    yield f"""
        CREATE OR REPLACE TRIGGER insert_only BEFORE UPDATE OR DELETE ON {name}
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """
    yield f"""
        CREATE OR REPLACE TRIGGER insert_only_truncate BEFORE TRUNCATE ON {name}
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """


def _ledger_balance() -> Iterator[str]:
    """A movement's legs are checked at commit, when all of them are there (WAL-2)."""
    yield """
        CREATE OR REPLACE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT sum(amount) FROM ledger_entries WHERE transaction_id = NEW.transaction_id) <> 0 THEN
                RAISE EXCEPTION 'the entries of wallet transaction % do not sum to zero', NEW.transaction_id
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
    """
    yield """
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sums_to_zero') THEN
                CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON ledger_entries
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_sums_to_zero();
            END IF;
        END $$
    """


def _transaction_numbers() -> Iterator[str]:
    """A restored database may be where transactions have smaller numbers: its events are ordered anew (NOT-2)."""
    yield """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM installs WHERE event_xid > pg_current_xact_id()::text::bigint) THEN
                UPDATE installs SET event_xid = 0;
                UPDATE product_events SET order_xid = 0;
            END IF;
        END $$
    """


def _codes_once() -> Iterator[str]:
    """A time step of a second factor is spent once: it only moves forward (ACC-1)."""
    yield """
        CREATE OR REPLACE FUNCTION refuse_spent_step() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'time step % of the factor is spent', NEW.last_step USING ERRCODE = 'check_violation';
        END $$
    """
    yield """
        CREATE OR REPLACE TRIGGER step_spent_once BEFORE UPDATE OF last_step ON totp_factors
        FOR EACH ROW WHEN (NEW.last_step IS NULL AND OLD.last_step IS NOT NULL OR NEW.last_step <= OLD.last_step)
        EXECUTE FUNCTION refuse_spent_step()
    """


def _outbox_notice() -> Iterator[str]:
    yield f"""
        CREATE OR REPLACE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('{OUTBOX_CHANNEL}', '');
            RETURN NULL;
        END $$
    """
    yield """
        CREATE OR REPLACE TRIGGER outbox_notice AFTER INSERT ON outbox_messages
        FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox()
    """


def _change_notices() -> Iterator[str]:
    yield f"""
        CREATE OR REPLACE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('{CHANGES_CHANNEL}', TG_TABLE_NAME || ':' || NEW.id);
            RETURN NULL;
        END $$
    """
    for name in sorted(WATCHED):
        yield f"""
            CREATE OR REPLACE TRIGGER change_notice AFTER UPDATE ON {name}
            FOR EACH ROW EXECUTE FUNCTION notify_change()
        """


def _taken_from_the_user() -> Iterator[str]:
    """What a user has is its partner's, and of its kind, whatever the writer says (ACC-2, ACC-4)."""
    yield """
        CREATE OR REPLACE FUNCTION take_from_user() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            SELECT partner_id INTO NEW.partner_id FROM users WHERE id = NEW.user_id;
            IF TG_TABLE_NAME = 'user_roles' THEN
                SELECT kind INTO NEW.kind FROM users WHERE id = NEW.user_id;
            END IF;
            RETURN NEW;
        END $$
    """
    for name in ("password_links", "totp_factors", "user_permissions", "user_roles"):
        yield f"""
            CREATE OR REPLACE TRIGGER take_from_user BEFORE INSERT OR UPDATE ON {name}
            FOR EACH ROW EXECUTE FUNCTION take_from_user()
        """
