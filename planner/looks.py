"""What a statement does beside reading: it holds itself to the caller's reach and writes down the look (ACC-5)."""

from __future__ import annotations

from core.database import GRANT_SETTING, GRANTEE_SETTING, PARTNER_SETTING
from core.principal import Principal
from planner.binds import Binds


def scope_sql(principal: Principal, binds: Binds) -> str:
    """The one row that says whose rows are in reach, and makes the settings that row-level security asks."""
    if principal.is_tenant:
        partner = binds.of_principal("partner_setting", "text")
        return f"SELECT nullif(set_config('{PARTNER_SETTING}', {partner}, true), '')::bigint AS partner_id"
    user, session, named, now = (
        binds.of_principal(name, pg_type)
        for name, pg_type in (
            ("user_id", "bigint"),
            ("session_id", "bigint"),
            ("named_grant", "bigint"),
            ("now", "timestamptz"),
        )
    )
    # The grant is looked for at the moment of reading: one that has ended or was revoked opens nothing.
    return (
        "SELECT g.id AS grant_id, g.partner_id, g.reason, "
        f"set_config('{GRANTEE_SETTING}', {user}::text, true) AS grantee, "
        f"set_config('{GRANT_SETTING}', coalesce(g.id::text, ''), true) AS in_use "
        f"FROM (SELECT) AS one LEFT JOIN access_grant_in_use({user}, {session}, {named}, {now}) g ON true"
    )


# One row for each of the entry's partners, at the same moment: the default of both is the transaction's.
_LINKS = "INSERT INTO access_log_partners (partner_id, entry_id) SELECT unnest(partner_ids), id FROM log"


def log_ctes(
    principal: Principal, binds: Binds, constants: tuple[str | None, str, list[str]], seen: list[str]
) -> list[str]:
    """What writes the access log entry, as common table expressions.

    Parameters:
        constants: name of the operation, hash of the document, coordinates of its fields.
        seen: selects of the partners whose rows are read, each as ``partner``.
    """
    name, document_hash, fields = constants
    # Written out, for what is the same each time need not be sent each time: names of GraphQL and hexadecimal digits.
    asked = f"{_literal(name)}, {_literal(document_hash)}, ARRAY[{', '.join(map(_literal, sorted(set(fields))))}]"
    who = ", ".join(
        binds.of_principal(name, pg_type)
        for name, pg_type in (("user_id", "bigint"), ("roles", "text[]"), ("request_id", "text"), ("ip", "text"))
    )
    partners = " UNION ".join(seen) or "SELECT NULL::bigint AS partner LIMIT 0"
    told = "coalesce(array_agg(DISTINCT partner) FILTER (WHERE partner IS NOT NULL), '{}')"
    entry = (
        "INSERT INTO access_log_entries (operation_name, document_hash, fields, user_id, roles, request_id, ip, "
        f"reason, access_grant_id, partner_ids) SELECT {asked}::text[], {who}, "
        f"{_why(principal, binds)}, {told} FROM ({partners}) seen RETURNING id, partner_ids"
    )
    return [f"log AS ({entry})", f"log_links AS ({_LINKS})"]


def _literal(value: str | None) -> str:
    return "NULL::text" if value is None else "'" + value.replace("'", "''") + "'::text"


def _why(principal: Principal, binds: Binds) -> str:
    """SQL of the reason and of the grant: a grant is its own reason, else the request's, else the session's."""
    if principal.needs_grant:
        return "(SELECT reason FROM scope), (SELECT grant_id FROM scope)"
    reason, session, now = (
        binds.of_principal(name, pg_type)
        for name, pg_type in (("reason", "text"), ("session_id", "bigint"), ("now", "timestamptz"))
    )
    stated = f"SELECT s.access_reason FROM sessions s WHERE s.id = {session} AND s.access_reason_until > {now}"
    return f"coalesce({reason}, ({stated})), NULL::bigint"


def log_only_sql(principal: Principal, binds: Binds, constants: tuple[str | None, str, list[str]], seen: str) -> str:
    """A statement that does nothing but write the entry.

    Parameters:
        seen: parameter of the partners' numbers.
    """
    scope = [f"scope AS MATERIALIZED ({scope_sql(principal, binds)})"] if principal.needs_grant else []
    log = log_ctes(principal, binds, constants, [f"SELECT unnest({seen}) AS partner"])
    return f"WITH {', '.join([*scope, *log])} SELECT"
