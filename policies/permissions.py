"""The permission vocabulary: what may be read or done, said as `noun:verb` (ACC-3)."""

from __future__ import annotations

from types import MappingProxyType

PERMISSIONS: MappingProxyType[str, str] = MappingProxyType(
    {
        "viewer:self": "Sign out, and read who one is and what one may do.",
        "partner:read": "Read partners' cards without personal data.",
        "partner:pii": "Read names, phones and emails of people at partners.",
        "partner:write": "Create and change partners and their contacts.",
        "product:read": "Read the products on offer.",
        "product:configure": "Read products' technical settings: endpoints, client UUID, masked tokens.",
        "product:write": "Create, change and archive products.",
        "product:secret": "Rotate products' tokens and secrets.",
        "plan:read": "Read plans and prices.",
        "plan:write": "Create plans and their next versions.",
        "install:read": "Read installs.",
        "install:write": "Create and disable installs.",
        "install:activate": "Activate installs.",
        "oauth_token:read": "Read the state of installs' OAuth tokens, never the tokens.",
        "oauth_token:refresh": "Have installs' OAuth tokens replaced.",
        "subscription:read": "Read subscriptions and their change log.",
        "subscription:write": "Order subscriptions.",
        "subscription:change": "Change seats, plan, term and renewal of subscriptions, and end them with their period.",
        "subscription:adjust": "End subscriptions at once, pause and extend them, give individual prices.",
        "invoice:read": "Read invoices.",
        "invoice:pay": "Ask for a fresh payment link.",
        "invoice:write": "Issue and cancel invoices.",
        "invoice:settle": "Mark invoices paid by hand.",
        "invoice_document:read": "Read invoices and acts as PDF.",
        "invoice_document:issue": "Issue invoices and acts as PDF.",
        "legal_entity:read": "Read our legal entities with their bank details.",
        "legal_entity:write": "Enter and change our legal entities.",
        "payment:read": "Read payments.",
        "payment:refund": "Give money back.",
        "payment:detail": "Read the gateway's whole answer and raw notifications.",
        "outside_payment:read": "Read money that came outside of gateways, and bank statements.",
        "outside_payment:write": "Tell of money that came, import bank statements, match and put aside.",
        "wallet:read": "Read wallets and their movements.",
        "wallet:adjust": "Credit and debit wallets by hand.",
        "wallet:buy": "Buy coins for wallets.",
        "wallet:configure": "Set wallets' low-balance notice and automatic top-up.",
        "coin_package:read": "Read the packages of coins on offer.",
        "coin_package:write": "Create, change and archive packages of coins.",
        "user:read": "Read users' accounts without personal data.",
        "user:pii": "Read users' names and emails.",
        "user:write": "Block and unblock users.",
        "role:read": "Read roles and permissions.",
        "session:read": "Read sign-in sessions.",
        "api_token:read": "Read API tokens' names, scopes and use.",
        "api_token:write": "Create and revoke own API tokens.",
        "audit:read": "Read the audit trail.",
        "access_log:read": "Read who looked at partners' data.",
        "event:read": "Read events told to products, and their deliveries.",
        "health:read": "Read how the system does: servers, queues, processes, gateways.",
        "job:read": "Read the outbox, dead letters, schedule and idempotency records.",
        "job:write": "Replay and discard dead letters.",
    }
)

ALL = frozenset(PERMISSIONS)
