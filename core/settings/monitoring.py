"""Settings of logs, traces and metrics (MON)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from core.settings.server import ServerSettings


class MonitoringSettings(ServerSettings):
    """Logs, traces and metrics"""

    log_level: str = Field(default="INFO", description="Least severe level that is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="Form of log lines; `auto` is JSON in production and readable in the sandbox."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        pattern="^https?://",
        description="Address of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://collector:4318`; "
        "traces of requests, SQL, jobs and calls to gateways go there. Empty: no traces.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Bearer token that Prometheus sends to `/metrics`. Without one, a sandbox tells whoever asks on "
        "its own machine, by its own name and not through a proxy; production tells nobody.",
    )
    metric_retention_days: int = Field(
        default=730, ge=31, le=3_650, description="How long values of partners' metrics are kept, days."
    )
