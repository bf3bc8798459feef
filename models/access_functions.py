"""The database's own functions of access: which grant is in use, which address signs in, how often one calls (ACC-1…5).

They run with their owner's rights, so that those whom they hold need not, and cannot, read the rows of others.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.database import APP_ROLE, GRANTEE_ROLE, TENANT_ROLE


def access_functions() -> Iterator[str]:
    """The statements that make the functions; each may run again and again."""
    yield _GRANTEE
    yield _GRANTED
    yield _IN_USE
    yield _SIGNS_IN
    yield "REVOKE ALL ON FUNCTION address_signs_in(text) FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION address_signs_in(text) TO {APP_ROLE}, {TENANT_ROLE}"
    yield _COLLEAGUE
    yield "REVOKE ALL ON FUNCTION colleague_name(bigint) FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION colleague_name(bigint) TO {APP_ROLE}, {TENANT_ROLE}, {GRANTEE_ROLE}"
    yield _COUNT_CALL
    yield "REVOKE ALL ON FUNCTION count_call(text, float8, float8) FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION count_call(text, float8, float8) TO {APP_ROLE}, {TENANT_ROLE}"
    for function in ("granted_partner_id()", "access_grant_in_use(bigint, bigint, bigint, timestamptz)"):
        yield f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC"
        yield f"GRANT EXECUTE ON FUNCTION {function} TO {APP_ROLE}, {GRANTEE_ROLE}"


_GRANTEE = """
    CREATE OR REPLACE FUNCTION current_grantee_id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('kontora.grantee_id', true), '')::bigint $$
"""

# The second wall asks the grant itself, not what the first wall made of it: it is in force now, and it is the asker's.
_GRANTED = """
    CREATE OR REPLACE FUNCTION granted_partner_id() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        SELECT g.partner_id FROM access_grants g
        WHERE g.id = nullif(current_setting('kontora.access_grant_id', true), '')::bigint
          AND g.requested_by_user_id = current_grantee_id()
          AND g.status = 'APPROVED' AND g.expires_at > now()
    $$
"""

# One partner's data at a time: the grant that the request names, else the one that the session has chosen, else the
# only one there is. With several and no choice, none.
_IN_USE = """
    CREATE OR REPLACE FUNCTION access_grant_in_use(of_user bigint, of_session bigint, named bigint, at timestamptz)
    RETURNS TABLE (id bigint, partner_id bigint, reason text)
    LANGUAGE sql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        WITH live AS (
            SELECT g.id, g.partner_id, concat_ws(': ', g.ticket, g.reason) AS reason FROM access_grants g
            WHERE g.requested_by_user_id = of_user AND g.status = 'APPROVED' AND g.expires_at > at
        ),
        chosen AS (
            SELECT live.id FROM live JOIN sessions s ON s.access_grant_id = live.id
            WHERE s.id = of_session AND s.user_id = of_user
        )
        SELECT live.id, live.partner_id, live.reason FROM live
        WHERE CASE
            WHEN named IS NOT NULL THEN live.id = named
            WHEN EXISTS (SELECT FROM chosen) THEN live.id = (SELECT chosen.id FROM chosen)
            ELSE (SELECT count(*) FROM live) = 1
        END
    $$
"""

# Who invites is not told whether an address is known elsewhere: only the service hears it.
_SIGNS_IN = """
    CREATE OR REPLACE FUNCTION address_signs_in(address text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        SELECT EXISTS (SELECT FROM users u WHERE u.email = address AND NOT u.email_taken)
    $$
"""

# Whoever looks at one partner's rows under a grant reaches no row of ours, and may know who of us looks after them; the
# partner itself may not.
_COLLEAGUE = """
    CREATE OR REPLACE FUNCTION colleague_name(of_user bigint) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        SELECT u.full_name FROM users u WHERE u.id = of_user AND u.kind = 'STAFF' AND current_partner_id() IS NULL
    $$
"""

# Seconds to wait; nought where the call is within the rate. Calls of one subject wait for each other. By the server's
# clock, which all processes share; rows that have nothing used up go, a few at each call, and last: nothing is waited
# for once they are held.
_COUNT_CALL = """
    CREATE OR REPLACE FUNCTION count_call(of_subject text, call_seconds float8, burst_seconds float8) RETURNS float8
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        used timestamptz;
    BEGIN
        INSERT INTO call_rates AS known (subject, used_until)
        VALUES (of_subject, clock_timestamp() + make_interval(secs => call_seconds))
        ON CONFLICT (subject) DO UPDATE
            SET used_until = greatest(known.used_until, clock_timestamp()) + make_interval(secs => call_seconds)
        RETURNING used_until INTO used;
        DELETE FROM call_rates WHERE subject IN (
            SELECT subject FROM call_rates WHERE used_until < clock_timestamp() ORDER BY used_until LIMIT 10
            FOR UPDATE SKIP LOCKED);
        RETURN greatest(0, extract(epoch FROM used - clock_timestamp()) - burst_seconds);
    END $$
"""
