"""Who reaches which rows: the words of both walls, the conditions of queries and row-level security (ACC-4, ACC-5).

Partners' users are held to the rows of their partner; our own people who look under an access grant are held to the
grant's partner while it is in force, and to what is their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Table

# Shared rows of tables that also hold others: what partners may see of them.
SHARED_ROWS = {
    "roles": "kind = 'PARTNER'",
    "role_permissions": "role_id IN (SELECT id FROM roles)",
}

SHARED_WITH_TENANTS = frozenset(
    {
        "coin_packages",
        "legal_entities",
        "modules",
        "onboarding_steps",
        "permissions",
        "plan_modules",
        "plan_prices",
        "plans",
        "products",
        *SHARED_ROWS,
    }
)

# What a row must meet, beside belonging to the partner, to be in a partner's reach; `{row}` stands for its alias.
TENANT_ROWS = {"partner_documents": "({row}.visible_to_partner AND {row}.status = 'AVAILABLE')"}

TENANT_SECRETS = {
    "mails": frozenset({"content_encrypted"}),
    "oauth_tokens": frozenset({"access_token_encrypted", "refresh_token_encrypted"}),
    "partner_documents": frozenset({"storage_key"}),
    "products": frozenset(
        {
            "client_secret_encrypted",
            "event_secret_encrypted",
            "previous_event_secret_encrypted",
            "project_token_hash",
            "previous_token_hash",
        }
    ),
    "password_links": frozenset({"token_hash"}),
    "totp_factors": frozenset({"last_step", "secret_encrypted"}),
    "users": frozenset({"password_hash"}),
}

TENANT_WRITES = {
    "api_tokens": "INSERT, UPDATE",
    "audit_events": "INSERT",
    "bulk_operations": "INSERT, UPDATE",
    "contacts": "INSERT, UPDATE",
    "idempotency_records": "INSERT, UPDATE",
    "invoices": "UPDATE",
    "mails": "INSERT",
    "onboarding_changes": "INSERT",
    "onboardings": "UPDATE",
    "outbox_messages": "INSERT",
    "partners": "UPDATE",
    "password_links": "INSERT, UPDATE",
    "payment_state_changes": "INSERT",
    "payments": "INSERT, UPDATE",
    "sessions": "UPDATE",
    "user_permissions": "INSERT, DELETE",
    "user_roles": "INSERT, DELETE",
    "users": "INSERT, UPDATE (email, email_taken, full_name, locale, status, failed_sign_ins, locked_until, version, "
    "updated_at)",
}

# Rows that concern several partners, and the column that lists them.
PARTNER_LISTS: Mapping[str, str] = MappingProxyType({"access_log_entries": "partner_ids"})
# Tables that hold `partner_id`, `entry_id` and the moment of each of these rows: pages of one partner are read by them.
PARTNER_LINKS: Mapping[str, str] = MappingProxyType({"access_log_entries": "access_log_partners"})

# Which rows are one's own, whosever partner they concern; `{row}` is the row and `{me}` the user.
GRANTEE_OWN: Mapping[str, str] = MappingProxyType(
    {
        "access_grants": "{row}.requested_by_user_id = {me}",
        "access_log_entries": "{row}.user_id = {me}",
        "api_tokens": "{row}.user_id = {me}",
        "idempotency_records": "{row}.scope = 'user:' || {me}",
        "sessions": "{row}.user_id = {me}",
        "totp_factors": "{row}.user_id = {me}",
        "users": "{row}.id = {me}",
    }
)

GRANTEE_WRITES: Mapping[str, str] = MappingProxyType(
    {
        "access_log_entries": "INSERT",
        "access_log_partners": "INSERT",
        "audit_events": "INSERT",
        "idempotency_records": "INSERT, UPDATE",
        "outbox_messages": "INSERT",
        "partner_notes": "INSERT",
    }
)

# What is written of a look names everybody whom it concerned, those too for whom access is only asked.
GRANTEE_TELLS_OF_ALL = frozenset({"access_log_partners"})


def scope_column(table: Table) -> str | None:
    """The column that ties a row to its partner; None for tables shared by all or kept from partners."""
    if table.name == "partners":
        return "id"
    return "partner_id" if "partner_id" in table.columns else None


def partner_predicate(table: Table, row: str, partner: str) -> str | None:
    """SQL that a row concerns a partner and is shown to it; None for tables shared by all or kept from partners."""
    column = scope_column(table)
    if column is not None:
        shown = f" AND {TENANT_ROWS[table.name].format(row=row)}" if table.name in TENANT_ROWS else ""
        return f"{row}.{column} = {partner}{shown}"
    listed = PARTNER_LISTS.get(table.name)
    return None if listed is None else f"{row}.{listed} @> ARRAY[{partner}]"
