"""Figures of this process for Prometheus: requests, their time, and what nobody foresaw (MON-2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OTHER = "other"
# Paths are a label, so there must be few of them: each door by its first word.
DOORS = frozenset(
    {
        *("graphql", "api", "webhooks", "pay", "health", "metrics", "sandbox", "static", "storage"),
        *("invoice-documents", "partner-documents", "bulk-operations"),
        *("sign-in", "sign-out", "signed-out", "second-factor", "set-password", "forgotten-password", "amocrm"),
    }
)

REGISTRY = CollectorRegistry()
# Since when the process lives, its memory, CPU and open files, under their usual names.
ProcessCollector(registry=REGISTRY)
REQUESTS = Counter("kontora_requests", "Requests answered by this process.", ("door", "status"), registry=REGISTRY)
SECONDS = Histogram(
    "kontora_request_seconds", "Time to the end of the answer.", ("door",), buckets=BUCKETS, registry=REGISTRY
)
UNEXPECTED = Counter("kontora_unexpected_errors", "Failures that nobody foresaw, masked to callers.", registry=REGISTRY)


@dataclass(frozen=True)
class RequestFigures:
    """What this process answered since it began.

    Parameters:
        count: requests, health checks not counted.
        failed: answers with a status of 500 and over.
        unexpected: masked failures of operations.
        p50_ms, p95_ms, p99_ms: at most this many milliseconds took half, 95 and 99 of a hundred; bounds of buckets,
            None before the first request, and where even the largest bucket was passed.
    """

    count: int
    failed: int
    unexpected: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def observe(path: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    requests, times = _series(door(path), status)
    requests.inc()
    times.observe(seconds)


def request_figures() -> RequestFigures:
    """The figures of this process."""
    count = failed = unexpected = 0
    up_to = dict.fromkeys((*BUCKETS, float("inf")), 0)
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.labels.get("door") == "health":
                continue
            if sample.name == "kontora_requests_total":
                count += int(sample.value)
                failed += int(sample.value) if sample.labels["status"] >= "500" else 0
            elif sample.name == "kontora_request_seconds_bucket":
                up_to[float(sample.labels["le"])] += int(sample.value)
            elif sample.name == "kontora_unexpected_errors_total":
                unexpected = int(sample.value)
    return RequestFigures(count, failed, unexpected, *(_within(up_to, share) for share in (0.5, 0.95, 0.99)))


def _within(up_to: dict[float, int], share: float) -> float | None:
    whole = up_to[float("inf")]
    if not whole:
        return None
    bound = next(limit for limit, count in up_to.items() if count >= whole * share)
    return None if bound == float("inf") else round(bound * 1000, 1)


@lru_cache(maxsize=1_000)
def _series(door: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(door, str(status)), SECONDS.labels(door)


def door(path: str) -> str:
    """The door that a path leads to, one of few."""
    first = path[1:].partition("/")[0]
    return first if first in DOORS else OTHER
