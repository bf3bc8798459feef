"""Settings of partners' documents: where the files are kept, and which are taken (PAR-4)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from core.settings.lists import Names
from core.settings.server import ServerSettings

FILE_ENDINGS = ("pdf", "png", "jpg", "tif", "docx", "xlsx", "odt", "ods")


def _known(kinds: tuple[str, ...]) -> tuple[str, ...]:
    if not kinds or set(kinds) - set(FILE_ENDINGS):
        raise ValueError(f"kinds of files are some of {', '.join(FILE_ENDINGS)}")
    return kinds


def _daemon(address: str) -> str:
    if not re.fullmatch(r"tcp://[^/:]+:\d{1,5}|unix:///.+", address):
        raise ValueError("a ClamAV daemon is `tcp://HOST:PORT` or `unix:///PATH`")
    return address


FileKinds = Annotated[Names, AfterValidator(_known)]
ClamavAddress = Annotated[str, AfterValidator(_daemon)]


class FileSettings(ServerSettings):
    """Files"""

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
    document_types: FileKinds = Field(
        default=FILE_ENDINGS,
        description="Kinds of files that are taken, by their usual endings, comma-separated; each is recognised by its "
        "content.",
    )
    document_upload_minutes: int = Field(
        default=15, ge=1, le=1440, description="How long an address to upload a document to is good, minutes."
    )
    document_kept_days: int = Field(
        default=30, ge=0, le=3650, description="How long the file of a deleted document is kept, days."
    )
    clamav: ClamavAddress | None = Field(
        default=None,
        description="ClamAV daemon that looks into files before anybody gets them: `tcp://HOST:3310` or "
        "`unix:///path/to/clamd.ctl`; empty: none does.",
    )

    @model_validator(mode="after")
    def _storage_is_whole(self) -> Self:
        s3 = (self.s3_bucket_url, self.s3_access_key_id, self.s3_secret_access_key)
        if self.storage == "s3" and not all(s3):
            raise ValueError(
                "KONTORA_STORAGE=s3 needs KONTORA_S3_BUCKET_URL, KONTORA_S3_ACCESS_KEY_ID and "
                "KONTORA_S3_SECRET_ACCESS_KEY"
            )
        return self
