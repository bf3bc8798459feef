"""Keeps the tables of permissions and built-in roles in step with the code."""

from __future__ import annotations

from typing import Any

from policies.permissions import PERMISSIONS
from policies.roles import PARTNER_ROLES, ROLES


async def sync_permissions(connection: Any) -> None:
    """Write the vocabulary and the built-in roles; custom roles stay as they are.

    Parameters:
        connection: an asyncpg connection of the tables' owner, in the caller's transaction.
    """
    await connection.execute(
        """
        INSERT INTO permissions (name, description) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (name) DO UPDATE SET description = excluded.description
        """,
        list(PERMISSIONS),
        list(PERMISSIONS.values()),
    )
    await connection.execute("DELETE FROM permissions WHERE name <> ALL ($1::text[])", list(PERMISSIONS))
    for name, (description, permissions) in ROLES.items():
        role_id = await connection.fetchval(
            """
            INSERT INTO roles (name, description, kind, built_in) VALUES ($1, $2, $3, true)
            ON CONFLICT (name) DO UPDATE SET description = excluded.description, built_in = true
            RETURNING id
            """,
            name,
            description,
            "PARTNER" if name in PARTNER_ROLES else "STAFF",
        )
        await connection.execute(
            "DELETE FROM role_permissions WHERE role_id = $1 AND permission <> ALL ($2::text[])",
            role_id,
            sorted(permissions),
        )
        await connection.execute(
            """
            INSERT INTO role_permissions (role_id, permission) SELECT $1, unnest($2::text[])
            ON CONFLICT DO NOTHING
            """,
            role_id,
            sorted(permissions),
        )
