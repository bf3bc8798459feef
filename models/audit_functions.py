"""The database's own functions of the audit trail: numbers of transactions, months made ahead, months let go (ACC-6).

The application's user owns no table. What it may do to the partitions of the trail is what these functions do for it:
make empty months, and let go of months that are old enough and sealed.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.database import APP_ROLE

# As the column's default has it; the offset keeps numbers growing where a dump is restored into a younger server.
TRANSACTION_NUMBER = "pg_current_xact_id()::text::bigint + audit_transaction_offset()"
# Everything below it has ended: no event with a smaller number can appear any more.
TRANSACTION_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint + audit_transaction_offset()"
MONTHS_AHEAD = 6
LEAST_DAYS_KEPT = 365


def audit_functions() -> Iterator[str]:
    """The statements that make the functions and the coming months; each may run again and again."""
    yield _OFFSET
    yield _MAKE_MONTHS
    yield _EXPIRE_MONTH
    for name in ("audit_make_months(int)", "audit_expire_month(date, boolean)"):
        yield f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC"
        yield f"GRANT EXECUTE ON FUNCTION {name} TO {APP_ROLE}"
    yield f"SELECT audit_make_months({MONTHS_AHEAD})"


# The numbers of a restored trail come from the server that it was dumped from.
_OFFSET = """
    DO $$
    DECLARE
        sealed_to bigint := (SELECT coalesce(max(to_transaction), 0) FROM audit_segments);
        current bigint := pg_current_xact_id()::text::bigint;
    BEGIN
        IF current + audit_transaction_offset() < sealed_to THEN
            EXECUTE format(
                'CREATE OR REPLACE FUNCTION audit_transaction_offset() RETURNS bigint '
                'LANGUAGE sql IMMUTABLE PARALLEL SAFE AS ''SELECT %s::bigint''', sealed_to - current);
        END IF;
    END $$
"""

# Attaching lets readers and writers go on; making a table as a partition would wait for all of them.
_MAKE_MONTHS = f"""
    CREATE OR REPLACE FUNCTION audit_make_months(ahead int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        starts timestamp;
        name text;
        made int := 0;
    BEGIN
        FOR number IN 0..ahead LOOP
            starts := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => number);
            name := 'audit_events_' || to_char(starts, 'YYYY_MM');
            CONTINUE WHEN to_regclass(name) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE audit_events INCLUDING DEFAULTS)', name);
            EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, {APP_ROLE}', name);
            EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
                starts AT TIME ZONE 'UTC', (starts + interval '1 month') AT TIME ZONE 'UTC');
            EXECUTE format('CREATE TRIGGER insert_only_truncate BEFORE TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
            made := made + 1;
        END LOOP;
        RETURN made;
    END $$
"""  # noqa: S608 - constants of this module

_EXPIRE_MONTH = f"""
    CREATE OR REPLACE FUNCTION audit_expire_month(month date, keep_table boolean) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        name text := 'audit_events_' || to_char(month, 'YYYY_MM');
        sealed_to bigint := (SELECT max(to_transaction) FROM audit_segments);
        gone bigint;
        last_number bigint;
    BEGIN
        IF (month + interval '1 month') AT TIME ZONE 'UTC' > now() - interval '{LEAST_DAYS_KEPT} days' THEN
            RAISE EXCEPTION 'events of % are younger than {LEAST_DAYS_KEPT} days', to_char(month, 'YYYY-MM')
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format('SELECT count(*), max(transaction_number) FROM %I', name) INTO gone, last_number;
        IF last_number >= coalesce(sealed_to, last_number) THEN
            RAISE EXCEPTION 'not all events of % are sealed', to_char(month, 'YYYY-MM')
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        PERFORM set_config('lock_timeout', '2s', true);
        EXECUTE format('ALTER TABLE audit_events DETACH PARTITION %I', name);
        IF NOT keep_table THEN
            EXECUTE format('DROP TABLE %I', name);
        END IF;
        RETURN gone;
    END $$
"""  # noqa: S608 - constants of this module
