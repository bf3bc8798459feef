"""Settings by environment (`KONTORA_…`) and `.env`, checked once at start."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from email.utils import parseaddr
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIN_SECRET_KEY_CHARS = 32
FILE_ENDINGS = ("pdf", "png", "jpg", "tif", "docx", "xlsx", "odt", "ods")


class Settings(BaseSettings):
    """Everything that an operator may set. The reference in the docs is generated from these descriptions."""

    model_config = SettingsConfigDict(env_prefix="KONTORA_", env_file=".env", extra="ignore")

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
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL 15 or newer, `postgresql://user:password@host/database`; empty: the embedded one.",
    )
    read_database_url: str | None = Field(
        default=None,
        description="A replica for partners' queries; empty: the main database. Staff reads stay there, being logged.",
    )
    redis_url: str | None = Field(default=None, description="Redis 6.2 or newer; empty: the embedded Valkey.")
    database_pool_size: int = Field(
        default=10, ge=1, description="Connections a process keeps for writing, and again for reading."
    )
    statement_timeout_ms: int = Field(
        default=5_000, ge=100, description="Longest time of one reading statement, milliseconds."
    )
    access_log_sync: bool = Field(
        default=False,
        description="Whether an answer waits until its access log entry is on disk. Without, an outage of the whole "
        "database server can lose the entries of the last fraction of a second.",
    )
    access_reason: Literal["auto", "required", "optional"] = Field(
        default="auto",
        description="Whether our staff must say why before they look at partners' data; without a reason, `optional` "
        "only logs the look. `auto` is `required` in production and `optional` in the sandbox.",
    )
    access_grant_max_minutes: int = Field(
        default=480, ge=5, le=10_080, description="Longest access grant to one partner's data, minutes."
    )
    access_grant_auto_minutes: int = Field(
        default=0,
        ge=0,
        le=10_080,
        description="Requests for access of at most so many minutes that name a ticket are approved by themselves; "
        "0: a second person decides on each.",
    )
    access_grant_auto_tickets: str = Field(
        default=".+", description="Regular expression of the tickets for which access is approved by itself."
    )
    secret_keys: SecretStr | None = Field(
        default=None,
        description="Encryption keys, newest first: `id:secret,id:secret`, secrets of 32 characters or more. "
        "The sandbox makes one in its data folder; production requires it.",
    )
    lookup_key_secret: SecretStr | None = Field(
        default=None, description="Key of lookup hashes and signed links; never rotated. Production requires it."
    )
    demo_password: SecretStr | None = Field(default=None, description="Password of the demo users; sandbox only.")
    access_token_minutes: int = Field(default=15, ge=1, le=1440, description="Life of an access token, minutes.")
    refresh_token_days: int = Field(
        default=30, ge=1, le=365, description="Life of a refresh token and a cookie session, days."
    )
    totp_issuer: str = Field(
        default="Kontora", min_length=1, max_length=60, description="Name of this house in authenticator apps."
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="Issuer of the OpenID Connect provider for single sign-on, as it names itself; empty: none, or "
        "in the sandbox an emulator at `/sandbox/oidc`.",
    )
    oidc_client_id: str | None = Field(default=None, description="Our client id at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Our client secret there; empty: a public client, with PKCE alone."
    )
    oidc_name: str = Field(
        default="Single sign-on", min_length=1, max_length=60, description="What the provider is called on the pages."
    )
    oidc_scopes: str = Field(default="openid email profile", description="Scopes asked for, separated by spaces.")
    oidc_email_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Domains of email addresses that may sign in by the provider, comma-separated; empty: all.",
    )
    oidc_provision: bool = Field(
        default=False,
        description="Make an account for whoever signs in at the provider and has none; needs "
        "`KONTORA_OIDC_EMAIL_DOMAINS`.",
    )
    oidc_role: str | None = Field(
        default=None, description="Role of accounts made so; empty: none, until an administrator gives one."
    )
    oidc_trust_amr: bool = Field(
        default=False,
        description="Let a second factor that the provider tells of (`amr`: mfa, otp, hwk, sc, pop) stand for ours.",
    )
    body_limit_bytes: int = Field(default=1_000_000, ge=1_000, description="Largest request body, bytes.")
    query_cost_limit: int = Field(
        default=50_000, ge=100, description="Largest static cost of one operation: fields times page sizes."
    )
    usage_requests_per_minute: int = Field(
        default=30_000,
        ge=1,
        description="Requests of one product's back end to the usage API that one API process takes, a minute.",
    )
    widget_requests_per_minute: int = Field(
        default=120, ge=1, description="Requests of one install's widgets that one API process takes, a minute."
    )
    gateway: Literal["sandbox", "tbank"] = Field(default="sandbox", description="Payment gateway of new payments.")
    tbank_url: str = Field(default="https://securepay.tinkoff.ru/v2/", description="Base address of T-Bank's API v2.")
    tbank_terminal_key: str | None = Field(default=None, description="T-Bank terminal key.")
    tbank_password: SecretStr | None = Field(default=None, description="T-Bank terminal password.")
    tbank_two_stage: bool = Field(
        default=False,
        description="Payments are held first and confirmed by us, which releases money that came for a withdrawn bill.",
    )
    tbank_taxation: str = Field(default="usn_income", description="Taxation of 54-FZ receipts.")
    tbank_vat: str = Field(default="none", description="VAT rate code of 54-FZ receipt lines, for example `vat22`.")
    tbank_payment_method: Literal["full_prepayment", "prepayment", "advance", "full_payment"] = Field(
        default="full_prepayment", description="How 54-FZ receipts call the payment (tag 1214)."
    )
    receipt_email: str | None = Field(
        default=None,
        description="Where receipts go whose customer has neither email nor phone; empty: such payments have none.",
    )
    amocrm: Literal["emulator", "live"] = Field(
        default="emulator",
        description="`emulator`: accounts are those of the sandbox, at `/sandbox/amocrm/`; production needs `live`.",
    )
    amocrm_emulator_url: str | None = Field(
        default=None, description="Address of the amoCRM emulator; empty: the one in this product's sandbox."
    )
    token_refresh_hours: int = Field(
        default=8,
        ge=1,
        le=23,
        description="How long before its end an amoCRM access token is replaced, hours; it lives for 24.",
    )
    allow_private_endpoints: bool = Field(
        default=False, description="Let event endpoints have private addresses and plain HTTP; refused in production."
    )
    legal_entity: str = Field(default="default", description="Code of the legal entity that issues invoices.")
    legal_entity_timezone: str = Field(
        default="Europe/Moscow", description="Time zone of the legal entity's day borders."
    )
    base_currency: str = Field(
        default="RUB", pattern="^[A-Z]{3}$", description="Currency that sums are converted to, ISO 4217."
    )
    renewal_invoice_days: int = Field(
        default=7, ge=0, le=90, description="How long before a period's end the invoice of the next one is made, days."
    )
    charge_days: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(0, 1, 3, 5),
        description="Days after a period's end on which the stored card is charged for the next one, comma-separated; "
        "after the last the days of grace begin.",
    )
    otlp_endpoint: str | None = Field(
        default=None,
        pattern="^https?://",
        description="Address of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://collector:4318`; "
        "traces of requests, SQL, jobs and calls to gateways go there. Empty: no traces.",
    )
    metric_retention_days: int = Field(
        default=730, ge=31, le=3_650, description="How long values of partners' metrics are kept, days."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Bearer token that Prometheus sends to `/metrics`. Without one, a sandbox tells its own machine, "
        "production nobody.",
    )
    notice_days: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(7, 3, 1),
        description="Days before its end on which a subscription's end is announced to its product, comma-separated; "
        "empty: never.",
    )
    storage: Literal["local", "s3"] = Field(
        default="local",
        description="Where partners' files are kept: `local`, a folder of this machine; `s3`, a bucket of a service "
        "that speaks S3 and compares `x-amz-checksum-sha256` with the bytes.",
    )
    storage_dir: Path | None = Field(
        default=None, description="Folder of files, shared by all processes; empty: `files` in the data folder."
    )
    s3_bucket_url: str | None = Field(
        default=None, description="Address of the bucket: `https://BUCKET.HOST` or `https://HOST/BUCKET`."
    )
    s3_region: str = Field(default="us-east-1", description="Region that S3 signatures name.")
    s3_access_key_id: str | None = Field(default=None, description="Id of the S3 access key.")
    s3_secret_access_key: SecretStr | None = Field(default=None, description="Secret of the S3 access key.")
    document_limit_bytes: int = Field(
        default=20_000_000, ge=1, le=1_000_000_000, description="Largest file of a partner's document, bytes."
    )
    document_types: Annotated[tuple[str, ...], NoDecode] = Field(
        default=tuple(FILE_ENDINGS),
        description="Kinds of files that are taken, by their usual endings, comma-separated; each is recognised by its "
        "content.",
    )
    document_upload_minutes: int = Field(
        default=15, ge=1, le=1440, description="How long an address to upload a document to is good, minutes."
    )
    document_kept_days: int = Field(
        default=30, ge=0, le=3650, description="How long the file of a deleted document is kept, days."
    )
    clamav: str | None = Field(
        default=None,
        description="ClamAV daemon that looks into files before anybody gets them: `tcp://HOST:3310` or "
        "`unix:///path/to/clamd.ctl`; empty: none does.",
    )
    audit_retention_days: int = Field(
        default=730,
        ge=365,
        description="How long the audit trail is kept, days; whole months go when all of it is over.",
    )
    audit_keep_expired_months: bool = Field(
        default=False,
        description="Whether months of the audit trail that are let go stay in the database as tables of their own, "
        "to be archived by hand, instead of being dropped.",
    )
    worker_threads: int = Field(default=8, ge=1, le=64, description="Messages that a worker process handles at once.")
    smtp_host: str | None = Field(
        default=None,
        description="Mail server that takes letters; without one the sandbox keeps them at `/sandbox/mail`, and "
        "production refuses what would send one.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls` encrypts after the greeting (587), `tls` from the start (465), `none` never: only for "
        "a server on this machine.",
    )
    smtp_user: str | None = Field(default=None, description="Name to sign in to the mail server with.")
    smtp_password: SecretStr | None = Field(default=None, description="Password at the mail server.")
    mail_from: str = Field(
        default="Kontora <kontora@localhost>",
        description="Sender of letters, `Name <address>`; a mail server needs one of its own.",
    )
    log_level: str = Field(default="INFO", description="Least severe level that is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="Form of log lines; `auto` is JSON in production and readable in the sandbox."
    )

    @field_validator("access_grant_auto_tickets")
    @classmethod
    def _expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @field_validator("charge_days", "notice_days", mode="before")
    @classmethod
    def _days(cls, value: object) -> object:
        return [day.strip() for day in value.split(",") if day.strip()] if isinstance(value, str) else value

    @field_validator("document_types", mode="before")
    @classmethod
    def _endings(cls, value: object) -> object:
        return [kind.strip().lower() for kind in value.split(",") if kind.strip()] if isinstance(value, str) else value

    @field_validator("document_types")
    @classmethod
    def _known_endings(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if not kinds or set(kinds) - set(FILE_ENDINGS):
            raise ValueError(f"kinds of files are some of {', '.join(FILE_ENDINGS)}")
        return kinds

    @field_validator("clamav")
    @classmethod
    def _daemon(cls, address: str | None) -> str | None:
        if address is not None and not re.fullmatch(r"tcp://[^/:]+:\d{1,5}|unix:///.+", address):
            raise ValueError("a ClamAV daemon is `tcp://HOST:PORT` or `unix:///PATH`")
        return address

    @field_validator("oidc_email_domains", mode="before")
    @classmethod
    def _domains(cls, value: object) -> object:
        return [part.strip().lower() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("oidc_scopes")
    @classmethod
    def _has_openid(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("`openid` must be among the scopes")
        return scopes

    @field_validator("notice_days")
    @classmethod
    def _descending(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if list(days) != sorted(set(days), reverse=True) or (days and days[-1] < 1):
            raise ValueError("days are whole numbers from 1 up, each smaller than the one before")
        return days

    @field_validator("charge_days")
    @classmethod
    def _ascending(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days or list(days) != sorted(set(days)) or days[0] < 0:
            raise ValueError("days are whole numbers from 0 up, each larger than the one before")
        return days

    @field_validator("mail_from")
    @classmethod
    def _address(cls, sender: str) -> str:
        if "@" not in parseaddr(sender)[1]:
            raise ValueError("the sender is `Name <address>` or an address")
        return sender

    @model_validator(mode="after")
    def _production_has_no_defaults(self) -> Self:
        if self.mode == "production":
            required = {
                "KONTORA_SECRET_KEYS": self.secret_keys,
                "KONTORA_LOOKUP_KEY_SECRET": self.lookup_key_secret,
                "KONTORA_PUBLIC_URL": self.public_url,
                "KONTORA_DATABASE_URL": self.database_url,
                "KONTORA_REDIS_URL": self.redis_url,
            }
            missing = [name for name, value in required.items() if not value]
            if missing:
                raise ValueError(f"production mode needs {', '.join(missing)}")
            if self.gateway == "sandbox":
                raise ValueError("production mode needs a real gateway: KONTORA_GATEWAY=tbank")
            if self.amocrm != "live":
                raise ValueError("production mode needs the real amoCRM: KONTORA_AMOCRM=live")
            if self.allow_private_endpoints:
                raise ValueError("production mode refuses KONTORA_ALLOW_PRIVATE_ENDPOINTS")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("KONTORA_SMTP_USER and KONTORA_SMTP_PASSWORD go together")
        if self.smtp_host and self.mode == "production" and self.mail_domain == "localhost":
            raise ValueError("KONTORA_SMTP_HOST needs KONTORA_MAIL_FROM")
        s3 = (self.s3_bucket_url, self.s3_access_key_id, self.s3_secret_access_key)
        if self.storage == "s3" and not all(s3):
            raise ValueError(
                "KONTORA_STORAGE=s3 needs KONTORA_S3_BUCKET_URL, KONTORA_S3_ACCESS_KEY_ID and "
                "KONTORA_S3_SECRET_ACCESS_KEY"
            )
        if self.gateway == "tbank" and not (self.tbank_terminal_key and self.tbank_password):
            raise ValueError("KONTORA_GATEWAY=tbank needs KONTORA_TBANK_TERMINAL_KEY and KONTORA_TBANK_PASSWORD")
        self.encryption_keys()
        return self

    @model_validator(mode="after")
    def _single_sign_on_is_whole(self) -> Self:
        if self.oidc_issuer is not None:
            if not self.oidc_client_id:
                raise ValueError("KONTORA_OIDC_ISSUER needs KONTORA_OIDC_CLIENT_ID")
            if not self.oidc_issuer.startswith("https://") and self.mode == "production":
                raise ValueError("KONTORA_OIDC_ISSUER must begin with https://")
        if self.oidc_provision and not self.oidc_email_domains:
            raise ValueError("KONTORA_OIDC_PROVISION needs KONTORA_OIDC_EMAIL_DOMAINS: else anybody gets an account")
        return self

    @property
    def access_reason_is_required(self) -> bool:
        """Whether looks at partners' data without a reason are refused."""
        return self.access_reason == "required" or (self.access_reason == "auto" and self.mode == "production")

    @property
    def base_url(self) -> str:
        """The public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def mail_domain(self) -> str:
        """The domain that letters come from."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2]

    @cached_property
    def _sandbox_secret(self) -> str:
        return _read_or_create_secret(self.data_dir / "secret.key", random_bytes=48)

    def demo_users_password(self) -> str:
        """Password of the demo users: the one set, else one made at the first start and kept in the data folder."""
        if self.demo_password is not None:
            return self.demo_password.get_secret_value()
        return _read_or_create_secret(self.data_dir / "demo-password", random_bytes=9)

    def encryption_keys(self) -> dict[str, bytes]:
        """Key id to key material, newest first."""
        if self.secret_keys is None:
            return {"sandbox": self._sandbox_secret.encode()}
        keys: dict[str, bytes] = {}
        for part in self.secret_keys.get_secret_value().split(","):
            key_id, _, secret = part.strip().partition(":")
            if not key_id or len(secret) < MIN_SECRET_KEY_CHARS:
                raise ValueError(
                    f"KONTORA_SECRET_KEYS wants `id:secret` with {MIN_SECRET_KEY_CHARS} characters or more"
                )
            keys[key_id] = secret.encode()
        return keys

    def lookup_key(self) -> bytes:
        """Key of lookup hashes and signed links."""
        if self.lookup_key_secret is None:
            return f"lookup:{self._sandbox_secret}".encode()
        return self.lookup_key_secret.get_secret_value().encode()


def _read_or_create_secret(path: Path, *, random_bytes: int) -> str:
    """The secret kept at ``path``, readable by the owner only; made by whoever comes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(random_bytes))
        with suppress(FileExistsError):
            os.link(scratch, path)
        scratch.unlink()
    return path.read_text()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
