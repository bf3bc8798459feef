"""Settings of a process: whose it is, where it listens, and how much it takes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServerSettings(BaseSettings):
    """The process"""

    model_config = SettingsConfigDict(env_prefix="KONTORA_", env_file=".env", extra="ignore")
    # Of each section: the settings that a sandbox makes for itself, and that production must be given.
    production_needs: ClassVar[tuple[str, ...]] = ("public_url",)

    mode: Literal["sandbox", "production"] = Field(
        default="sandbox",
        description="`sandbox` has the demo world and the sandbox gateway; `production` has no default secret.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port the API listens on.")
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, "
        "separated by commas; empty: none.",
    )
    public_url: str | None = Field(
        default=None, description="Address at which browsers and gateways reach the API; default `http://HOST:PORT`."
    )
    data_dir: Path = Field(
        default=Path(".kontora"), description="Folder of the embedded servers' data and the sandbox's keys."
    )
    body_limit_bytes: int = Field(default=1_000_000, ge=1_000, description="Largest request body, bytes.")
    query_cost_limit: int = Field(
        default=50_000, ge=100, description="Largest static cost of one operation: fields times page sizes."
    )
    graphql_requests_per_minute: int = Field(
        default=30_000,
        ge=1,
        description="GraphQL requests of one user, or of one address without a sign-in, that one API process takes, a "
        "minute; operations of a WebSocket count alike.",
    )
    usage_requests_per_minute: int = Field(
        default=30_000,
        ge=1,
        description="Requests of one product's back end to the usage API that one API process takes, a minute.",
    )
    widget_requests_per_minute: int = Field(
        default=120, ge=1, description="Requests of one install's widgets that one API process takes, a minute."
    )
    worker_threads: int = Field(default=8, ge=1, le=64, description="Messages that a worker process handles at once.")

    @model_validator(mode="after")
    def _production_has_no_defaults(self) -> Self:
        if self.mode == "production":
            needed = [name for section in type(self).__mro__ for name in vars(section).get("production_needs", ())]
            missing = [f"KONTORA_{name.upper()}" for name in needed if not getattr(self, name)]
            if missing:
                raise ValueError(f"production mode needs {', '.join(missing)}")
        return self

    @property
    def base_url(self) -> str:
        """The public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
