"""The storage that this installation is set to."""

from __future__ import annotations

from core.settings import get_settings
from gateways.storage.interface import Storage
from gateways.storage.local import LocalStorage
from gateways.storage.s3 import S3Storage
from gateways.storage.sigv4 import Signer


def storage() -> Storage:
    """The storage of files."""
    return local_storage() or _s3()


def local_storage() -> LocalStorage | None:
    """The folder of files; None where they are kept elsewhere."""
    settings = get_settings()
    if settings.storage != "local":
        return None
    return LocalStorage(settings.storage_dir or settings.data_dir / "files", settings.base_url)


def _s3() -> S3Storage:
    settings = get_settings()
    assert settings.s3_bucket_url is not None, "checked by the settings"
    assert settings.s3_access_key_id is not None, "checked by the settings"
    assert settings.s3_secret_access_key is not None, "checked by the settings"
    secret = settings.s3_secret_access_key.get_secret_value()
    return S3Storage(settings.s3_bucket_url, Signer(settings.s3_access_key_id, secret, settings.s3_region))
