"""Structured logs with the request id and without personal data or secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from core import tracing
from core.request import known_request
from core.settings import get_settings

# What may follow the values of a refused row, which PostgreSQL repeats and which may be of several lines.
_AFTER_VALUES = r"HINT:|\[SQL:|\(Background|\S*(?:Error|Exception)\b|Traceback|The above|During"
_VALUES = re.compile(rf"^DETAIL:  .*?(?=^(?:{_AFTER_VALUES})|\Z)", re.M | re.S)


def configure_logging() -> None:
    """Send structlog and the standard library's records to stderr: JSON in production, readable in the sandbox."""
    settings = get_settings()
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and settings.mode == "production")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=orjson.dumps)
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            add_request_id,
            *([tracing.add_trace_id] if tracing.is_on() else []),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Plain text: pretty tracebacks would show local variables, and with them passwords and personal data.
            structlog.processors.format_exc_info,
            hide_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=(
            structlog.BytesLoggerFactory(sys.stderr.buffer) if as_json else structlog.PrintLoggerFactory(sys.stderr)
        ),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


def add_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that adds the id by which callers tell us of a failure."""
    info = known_request()
    if info is not None:
        line.setdefault("request_id", info.request_id)
    return line


def hide_values(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that takes out of tracebacks what the database tells of a row's values."""
    if "exception" in line:
        line["exception"] = _VALUES.sub("DETAIL:  ***\n", line["exception"])
    return line


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry ``module=name``."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
