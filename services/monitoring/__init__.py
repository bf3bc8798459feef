"""Signs of life, health and figures of the system (MON-2)."""

from services.monitoring.figures import figures
from services.monitoring.gateways import check_gateways
from services.monitoring.health import SystemHealth, system_health
from services.monitoring.heartbeats import beat, leave, process_name

__all__ = [
    "SystemHealth",
    "beat",
    "check_gateways",
    "figures",
    "leave",
    "process_name",
    "system_health",
]
