"""Imports every module that registers handlers, so that a process knows all kinds of messages."""

from __future__ import annotations

from importlib import import_module

HANDLER_MODULES = (
    "workers.access",
    "workers.amocrm",
    "workers.audit",
    "workers.billing",
    "workers.bulk",
    "workers.events",
    "workers.mail",
    "workers.partner_documents",
    "workers.proofs",
    "workers.upkeep",
    "workers.wallets",
)


def register_handlers() -> None:
    """Load the handler modules; loading one twice registers nothing twice."""
    for module in HANDLER_MODULES:
        import_module(module)
