"""Doors to the health of the system (MON-2)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from policies.scopes import require_staff
from schema.monitoring import SystemHealth
from services import monitoring


async def system_health(context: RunContext) -> dict[str, Any]:
    """How the system does: servers, queues, processes, gateways, requests (MON-2)."""
    require_staff(context.principal, "health:read", "Query.systemHealth")
    async with transaction() as session:
        return asdict(await monitoring.system_health(session))


@strawberry.type(description="Queries of monitoring.")
class MonitoringQueries:
    """Queries of monitoring."""

    system_health: Any = function_root(system_health, SystemHealth, requires="health:read")
