"""The health of the system as the API shows it (MON-2)."""

from __future__ import annotations

from domain.monitoring import HealthStatus, ProcessKind
from planner.binding import graphql_enum, plain, value
from planner.scalars import DateTime

for _enum in (HealthStatus, ProcessKind):
    graphql_enum(_enum)
READ = "health:read"


@plain(requires=READ, description="A server that we need.")
class ServerHealth:
    """A server that we need."""

    reachable: bool = value("Whether it answers.")
    latency_ms: float | None = value("Time to its answer, milliseconds; null where none came.")


@plain(requires=READ, description="Work of one kind that waits.")
class QueueHealth:
    """Work of one kind that waits."""

    kind: str = value("Name of the handler.")
    pending: int = value("Messages that wait, also for their moment.")
    due: int = value("Of these, messages whose moment has come.")
    oldest_seconds: int = value("How long the oldest due one has waited, seconds.")
    dead_letters: int = value("Work that failed for good and waits for a person.")


@plain(
    requires=READ,
    description="One life of a process of ours, by its signs of life; a restarted process is told of once a life.",
)
class ProcessHealth:
    """One life of a process of ours."""

    name: str = value("Kind, host and process id.")
    kind: ProcessKind = value("What it does.")
    started_at: DateTime = value("When it first gave a sign of life.")
    seen_at: DateTime = value("When it last did.")
    ended_at: DateTime | None = value("When it ended in order; null where it lives, or was killed.")
    alive: bool = value("Whether that was within 35 seconds; a beat is due every 10.")


@plain(requires=READ, description="An outside service as it answered when it was last asked, every minute.")
class GatewayHealth:
    """An outside service."""

    gateway: str = value("Its name: a payment gateway's, amocrm, smtp, s3, clamav.")
    reachable: bool = value("Whether it answered.")
    latency_ms: int = value("Time to its answer, or to giving up, milliseconds.")
    error: str | None = value("What went wrong; null where it answered.")
    checked_at: DateTime = value("When it was asked.")


@plain(requires=READ, description="What the API process that answers has answered since it began.")
class RequestFigures:
    """What this process answered."""

    count: int = value("Requests, health checks not counted.")
    failed: int = value("Answers with a status of 500 and over.")
    unexpected: int = value("Failures that nobody foresaw, masked to callers.")
    p50_ms: float | None = value("Half of the requests took at most this long, milliseconds; null where not known.")
    p95_ms: float | None = value("95 of 100 requests took at most this long, milliseconds; null where not known.")
    p99_ms: float | None = value("99 of 100 requests took at most this long, milliseconds; null where not known.")


@plain(requires=READ, description="How the system does (MON-2).")
class SystemHealth:
    """How the system does."""

    status: HealthStatus = value(
        "OK; DEGRADED where Redis, a gateway, all workers or all schedulers are gone, or due work has waited for over "
        "five minutes."
    )
    database: ServerHealth = value("PostgreSQL.")
    redis: ServerHealth = value("Redis, the workers' transport.")
    queues: list[QueueHealth] = value("Work that waits, by kind.")
    processes: list[ProcessHealth] = value("Our processes of the last day, newest first of each kind.")
    gateways: list[GatewayHealth] = value("The outside services that are configured.")
    requests: RequestFigures = value("Requests of the API process that answers this.")
