"""The built-in roles as a table: who may what (ACC-2)."""

from __future__ import annotations

from types import MappingProxyType

from policies.permissions import ALL, READING

SUPERADMIN = "SUPERADMIN"

_SELF = frozenset({"viewer:self", "second_factor:own", "api_token:read", "api_token:write"})
_BULK = frozenset({"bulk_operation:read", "bulk_operation:write"})
# Every role of our staff but SUPPORT, which looks only under an access grant (ACC-5).
_ALL_ROWS = frozenset({"partner:all_rows"})
_BUSINESS_READ = frozenset(
    {
        "partner:read",
        "product:read",
        "plan:read",
        "install:read",
        "subscription:read",
        "invoice:read",
        "invoice_document:read",
        "legal_entity:read",
        "payment:read",
        "wallet:read",
        "coin_package:read",
    }
)

ROLES: MappingProxyType[str, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        SUPERADMIN: ("May do everything.", ALL),
        "BILLING": (
            "Plans, subscriptions, invoices, payments and wallets.",
            _SELF
            | _ALL_ROWS
            | _BUSINESS_READ
            | _BULK
            | {
                "partner:pii",
                "partner:status",
                "colleague:read",
                "partner_contract:read",
                "partner_document:read",
                "partner_document:write",
                "partner_note:read",
                "partner_note:write",
                "plan:write",
                "subscription:write",
                "subscription:change",
                "subscription:adjust",
                "invoice:pay",
                "invoice:write",
                "invoice:settle",
                "invoice_document:issue",
                "invoice_document:send",
                "mail:read",
                "legal_entity:write",
                "payment:detail",
                "payment:refund",
                "payment:reconcile",
                "outside_payment:read",
                "outside_payment:write",
                "dashboard:read",
                "currency_rate:read",
                "currency_rate:write",
                "wallet:adjust",
                "wallet:buy",
                "wallet:configure",
                "coin_package:write",
                "event:read",
                "event:write",
                "dead_letter:read",
                "dead_letter:write",
            },
        ),
        "SUPPORT": (
            "Looks at one partner's data at a time, under an access grant; writes nothing but notes.",
            _SELF
            | _BUSINESS_READ
            | {"access_grant:read", "access_grant:request", "partner:pii", "oauth_token:read", "event:read"}
            | {"partner_contract:read", "partner_document:read", "partner_note:read", "partner_note:write"}
            | {"onboarding:read", "activity:read", "colleague:read"},
        ),
        "DEVELOPER": (
            "Jobs, letters' fates and technical settings; no partners' data.",
            _SELF
            | _ALL_ROWS
            | {"product:read", "product:configure", "plan:read", "role:read", "health:read", "job:read", "job:write"}
            | {"dead_letter:read", "dead_letter:write", "mail:read"},
        ),
        "SALES": (
            "Partners and their payments.",
            _SELF
            | _ALL_ROWS
            | _BUSINESS_READ
            | _BULK
            | {"partner:pii", "partner:write", "partner:status", "invoice_document:issue", "dashboard:read"}
            | {"invoice_document:send", "mail:read"}
            | {"partner_contract:read", "partner_contract:write", "partner_note:read", "partner_note:write"}
            | {"partner_document:read", "partner_document:write"}
            | {"onboarding:read", "activity:read", "colleague:read"},
        ),
        "IMPLEMENTATION": (
            "Installs, their activation and their onboarding.",
            _SELF
            | _ALL_ROWS
            | _BULK
            | {"partner:read", "partner:pii", "product:read", "plan:read", "install:read", "install:write"}
            | {
                "install:activate",
                "oauth_token:read",
                "oauth_token:refresh",
                "event:read",
                "event:write",
                "subscription:read",
                "wallet:read",
                "partner_contract:read",
                "partner_document:read",
                "partner_document:write",
                "partner_note:read",
                "partner_note:write",
                "activity:read",
                "colleague:read",
                "onboarding:read",
                "onboarding:help",
                "onboarding:write",
            },
        ),
        "AUDITOR": (
            "Reads everything, the audit trail too; changes nothing.",
            READING | {"viewer:self", "second_factor:own", "partner:all_rows"},
        ),
        "SHOP_MANAGER": ("Orders and prices of their own shops.", _SELF),
        "SHOP_OPERATOR": ("Orders of their own shops.", _SELF),
        "PARTNER_OWNER": (
            "Own partner only: all of its data, its users, its subscriptions, payment links and API tokens.",
            _SELF
            | _BUSINESS_READ
            | _BULK
            | {"partner:pii", "invoice:pay", "invoice_document:issue", "subscription:write", "subscription:change"}
            | {"wallet:buy", "wallet:configure", "partner_contract:read", "partner_document:read"}
            | {"onboarding:read", "onboarding:help", "activity:read", "access_log:read"}
            | {"user:read", "user:pii", "user:invite", "user:write", "user:grant", "user:block", "user:password"}
            | {"role:read", "session:read", "session:revoke", "api_token:revoke", "mail:read"},
        ),
        "PARTNER_MEMBER": (
            "Own partner only: installs, subscriptions and wallets.",
            _SELF
            | {"partner:read", "product:read", "plan:read", "install:read", "subscription:read", "wallet:read"}
            | {"onboarding:read"},
        ),
    }
)

PARTNER_ROLES = frozenset({"PARTNER_OWNER", "PARTNER_MEMBER"})
PARTNER_PERMISSIONS = frozenset[str]().union(*(ROLES[name][1] for name in PARTNER_ROLES))
"""All that a partner's user may ever have, by whatever role or permission of its own (ACC-4)."""
