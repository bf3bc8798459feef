"""Settings by environment (`KONTORA_…`) and `.env`, checked once at start; a module a domain."""

from __future__ import annotations

from functools import lru_cache

from core.settings.access import AccessSettings
from core.settings.billing import BillingSettings
from core.settings.database import DatabaseSettings
from core.settings.files import FILE_ENDINGS as FILE_ENDINGS
from core.settings.files import FileSettings
from core.settings.mail import MailSettings
from core.settings.monitoring import MonitoringSettings
from core.settings.products import ProductSettings
from core.settings.secret_keys import SecretKeySettings
from core.settings.server import ServerSettings
from core.settings.single_sign_on import SingleSignOnSettings


class Settings(
    SecretKeySettings,
    DatabaseSettings,
    AccessSettings,
    SingleSignOnSettings,
    BillingSettings,
    ProductSettings,
    FileSettings,
    MailSettings,
    MonitoringSettings,
):
    """Everything that an operator may set."""


# The reference in the docs is made of these: a section each, its docstring the heading.
SECTIONS: tuple[type, ...] = (ServerSettings, *Settings.__bases__)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
