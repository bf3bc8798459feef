"""What Prometheus is told: figures of this process, and of what all processes share (MON-2)."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from sqlalchemy.ext.asyncio import AsyncSession

from core.metrics import REGISTRY
from domain.monitoring import ProcessKind
from services.monitoring.health import SystemHealth, system_health


async def figures(session: AsyncSession) -> bytes:
    """The figures in Prometheus' text form."""
    shared = CollectorRegistry()
    shared.register(_Shared(await system_health(session)))
    return generate_latest(REGISTRY) + generate_latest(shared)


class _Shared:
    """The figures that the database knows, for one answer."""

    def __init__(self, health: SystemHealth) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """One family a figure."""
        queues = self._health.queues
        yield _gauge("outbox_pending", "Messages that wait.", "kind", {queue.kind: queue.pending for queue in queues})
        yield _gauge(
            "outbox_oldest_seconds",
            "How long the oldest due message has waited.",
            "kind",
            {queue.kind: queue.oldest_seconds for queue in queues},
        )
        yield _gauge(
            "dead_letters_open",
            "Work that waits for a person.",
            "kind",
            {queue.kind: queue.dead_letters for queue in queues},
        )
        alive = [process.kind for process in self._health.processes if process.alive]
        yield _gauge(
            "processes_alive",
            "Processes that gave a sign of life lately.",
            "kind",
            {kind.value: alive.count(kind) for kind in ProcessKind},
        )
        gateways = self._health.gateways
        yield _gauge(
            "gateway_reachable",
            "Whether a gateway answered when it was last asked.",
            "gateway",
            {gateway.gateway: int(gateway.reachable) for gateway in gateways},
        )
        yield _gauge(
            "redis_reachable", "Whether Redis answers.", "server", {"redis": int(self._health.redis.reachable)}
        )


def _gauge(name: str, description: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"kontora_{name}", description, labels=[label])
    for labelled, value in values.items():
        family.add_metric([labelled], value)
    return family
