"""Traces by OpenTelemetry: request, SQL, outbox, actor, call to a gateway; off unless an endpoint is set (MON-2).

While it is off nothing of OpenTelemetry is imported here, and each place that could make a span asks `is_on` once.
Spans hold no values: texts of statements without their parameters, names of operations without their variables, hosts
without paths, kinds of errors without their messages.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from core.settings import get_settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

LONGEST_SQL_CHARS = 4_000
LONGEST_NAME_CHARS = 100
NANOSECONDS = 1_000_000_000
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
Kind = Literal["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
Attributes = Mapping[str, str | int | bool | float]

_provider: TracerProvider | None = None
_tracer: Tracer | None = None


def start(service: str) -> None:
    """Send this process's spans to the endpoint of the settings; without one, nothing happens.

    Parameters:
        service: name of the process's kind, such as ``kontora-api``.
    """
    global _provider, _tracer
    endpoint = get_settings().otlp_endpoint
    if endpoint is None or _provider is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    _provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("kontora")


def stop() -> None:
    """Send what has not been sent yet, and make no more spans."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


def is_on() -> bool:
    """Whether spans are made."""
    return _tracer is not None


@contextmanager
def span(
    name: str, kind: Kind = "INTERNAL", *, parent: str | None = None, attributes: Attributes | None = None
) -> Iterator[Span | None]:
    """A span around the block, current within it; None while tracing is off.

    Parameters:
        parent: a ``traceparent`` to go on from; the current span unless told.
    """
    if _tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind

    # The error is told by its kind alone: messages repeat values.
    with _tracer.start_as_current_span(
        name,
        context=_context_of(parent),
        kind=SpanKind[kind],
        attributes=dict(attributes or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            fail(made, type(error).__name__)
            raise


def fail(made: Span, error_type: str) -> None:
    """Mark a span as failed."""
    from opentelemetry.trace import StatusCode

    made.set_status(StatusCode.ERROR)
    made.set_attribute("error.type", error_type)


def traceparent() -> str | None:
    """The current span as W3C Trace Context writes it; None outside of spans, and while tracing is off."""
    context = _current_context()
    if context is None:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def name_operation(kind: str, name: str | None) -> None:
    """Name the request's span after its GraphQL operation."""
    from opentelemetry.trace import get_current_span

    here = get_current_span()
    told = (name or "")[:LONGEST_NAME_CHARS]
    here.update_name(f"{kind} {told}".rstrip())
    here.set_attributes({"graphql.operation.type": kind, "graphql.operation.name": told})


def add_trace_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog that adds ``trace_id`` to lines written within a span."""
    context = _current_context()
    if context is not None:
        line["trace_id"] = f"{context.trace_id:032x}"
    return line


def statement(sql: str, seconds: float, error: BaseException | None = None) -> None:
    """A span of an SQL statement that has just ended; none outside of other spans, so that polling stays silent."""
    if _tracer is None or _current_context() is None:
        return
    from opentelemetry.trace import SpanKind

    ended = time.time_ns()
    verb = sql.lstrip()[:20].partition(" ")[0].strip(";").upper()
    made = _tracer.start_span(
        verb,
        kind=SpanKind.CLIENT,
        start_time=ended - int(seconds * NANOSECONDS),
        attributes={
            "db.system.name": "postgresql",
            "db.operation.name": verb,
            "db.query.text": sql[:LONGEST_SQL_CHARS],
        },
    )
    if error is not None:
        fail(made, type(error).__name__)
    made.end(ended)


def _current_context() -> Any:
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return context if context.is_valid else None


def _context_of(parent: str | None) -> Any:
    """The context that a ``traceparent`` names; what is none is not gone on from."""
    if parent is None or not TRACEPARENT.fullmatch(parent):
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    _, trace_id, span_id, flags = parent.split("-")
    known = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(known))
