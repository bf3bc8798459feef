"""Links that begin an installation from our side, with a state that only we can make (INS-2)."""

from __future__ import annotations

import secrets
from datetime import timedelta
from urllib.parse import urlencode

from core import clock, crypto
from core.errors import UserError
from core.settings import get_settings
from gateways.amocrm.client import EMULATOR_PATH

LIFE = timedelta(minutes=30)
PURPOSE = "amocrm_state"
VENDORS = {"amocrm": "https://www.amocrm.ru/oauth", "kommo": "https://www.kommo.com/oauth"}


class BadState(UserError):
    """The redirect does not belong to a consent that was asked for here, or came too late."""

    code = "BAD_STATE"


def consent_address(client_uuid: str, vendor: str) -> str:
    """Where a person allows an integration.

    Parameters:
        vendor: ``amocrm`` or ``kommo``.
    """
    ends = int((clock.now() + LIFE).timestamp())
    told = f"{secrets.token_urlsafe(12)}.{ends}"
    state = f"{told}.{_signature(told, client_uuid)}"
    settings = get_settings()
    page = VENDORS[vendor]
    if settings.amocrm == "emulator":
        page = f"{settings.amocrm_emulator_url or settings.base_url + EMULATOR_PATH}/oauth"
    return f"{page}?{urlencode({'client_id': client_uuid, 'state': state, 'mode': 'popup'})}"


def check_state(state: str, client_uuid: str) -> None:
    """Make sure that a state is ours, for this integration, and fresh.

    Raises:
        BadState: it is not.
    """
    told, _, signature = state.rpartition(".")
    if not crypto.same(signature, _signature(told, client_uuid)):
        raise BadState("the state is not ours")
    if int(told.rpartition(".")[2]) <= clock.now().timestamp():
        raise BadState("the consent came too late")


def _signature(told: str, client_uuid: str) -> str:
    return crypto.keyed_hash(f"{client_uuid.lower()}|{told}", PURPOSE)
