"""amoCRM: widgets installed and uninstalled by accounts, tokens kept fresh, widgets' own requests (INS-2 to INS-5)."""

from services.amocrm.consent import check_state, consent_address
from services.amocrm.install import install_from_redirect
from services.amocrm.integrations import client_secret, redirect_uri
from services.amocrm.tokens import ask_for_refreshes, refresh, request_refresh, request_refresh_of_all
from services.amocrm.uninstall import uninstall
from services.amocrm.widget import WidgetCaller, expire_token_uses, widget_principal

__all__ = [
    "WidgetCaller",
    "ask_for_refreshes",
    "check_state",
    "client_secret",
    "consent_address",
    "expire_token_uses",
    "install_from_redirect",
    "redirect_uri",
    "refresh",
    "request_refresh",
    "request_refresh_of_all",
    "uninstall",
    "widget_principal",
]
