"""Health of the system: kinds of processes, and what a state is made of (MON-2)."""

from __future__ import annotations

from enum import StrEnum


class ProcessKind(StrEnum):
    """What a process of the product does."""

    API = "API"
    WORKER = "WORKER"
    SCHEDULER = "SCHEDULER"


class HealthStatus(StrEnum):
    """How well the system does: OK; DEGRADED, it serves but something waits; DOWN, it cannot serve."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


BEAT_SECONDS = 10
# Three beats may be lost before a process counts as gone.
ALIVE_SECONDS = 35
# Work that waits longer than this means that nobody takes it.
LATE_SECONDS = 300


def overall(*, database: bool, redis: bool, missing: bool, late: bool, gateways: bool) -> HealthStatus:
    """The state of the whole.

    Parameters:
        missing: a kind of process of which none is alive.
        late: work that is due has waited too long.
        gateways: every gateway answers.
    """
    if not database:
        return HealthStatus.DOWN
    return HealthStatus.OK if redis and gateways and not missing and not late else HealthStatus.DEGRADED
