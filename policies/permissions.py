"""The permission vocabulary: what may be read or done, said as `noun:verb` (ACC-3)."""

from __future__ import annotations

from types import MappingProxyType

PERMISSIONS: MappingProxyType[str, str] = MappingProxyType(
    {
        "viewer:self": "Read who one is and what one may do, see and end one's own sessions, change one's password.",
        "partner:read": "Read partners' cards without personal data.",
        "partner:all_rows": "Reach all partners' rows, and what is none's; without it our staff need an access grant.",
        "partner:pii": "Read names, phones and emails of people at partners.",
        "partner:write": "Create and change partners and their contacts.",
        "partner:status": "Suspend, block, archive and restore partners.",
        "partner_contract:read": "Read contracts with partners.",
        "partner_contract:write": "Enter and change contracts with partners.",
        "partner_document:read": "Read documents of partners.",
        "partner_document:write": "Enter, change and take away documents of partners.",
        "partner_note:read": "Read our notes about partners.",
        "partner_note:write": "Write notes about partners.",
        "colleague:read": "Read the names of our own people, to know and to name who looks after what.",
        "product:read": "Read the products on offer.",
        "product:configure": "Read products' technical settings: endpoints, client UUID, masked tokens.",
        "product:write": "Create, change and archive products.",
        "product:secret": "Rotate products' tokens and secrets, and reveal secrets.",
        "plan:read": "Read plans and prices.",
        "plan:write": "Create plans and their next versions.",
        "install:read": "Read installs.",
        "install:write": "Create and disable installs.",
        "install:activate": "Activate installs.",
        "oauth_token:read": "Read the state of installs' OAuth tokens, never the tokens.",
        "oauth_token:refresh": "Have installs' OAuth tokens replaced.",
        "onboarding:read": "Read how far partners are with setting up products.",
        "onboarding:help": "Say that help is needed with setting up.",
        "onboarding:write": "Define the steps of products, report steps, name who is responsible, end calls for help.",
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
        "invoice_document:send": "Send invoices and acts by email to people at partners.",
        "legal_entity:read": "Read our legal entities with their bank details.",
        "legal_entity:write": "Enter and change our legal entities.",
        "payment:read": "Read payments.",
        "payment:refund": "Give money back.",
        "payment:reconcile": "Compare payments with the gateway's, and read what differs.",
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
        "user:invite": "Invite users.",
        "user:write": "Change users' names, emails and languages.",
        "user:grant": "Give users roles and permissions, and take them away; never more than one has oneself.",
        "user:block": "Block and unblock users.",
        "user:password": "Send users links to set a new password.",
        "role:read": "Read roles and permissions.",
        "role:write": "Make, change and delete custom roles, never with more than one has oneself; say which roles ask "
        "for a second factor.",
        "second_factor:own": "Set up, renew and end one's own second factor.",
        "second_factor:reset": "Take away other users' second factors.",
        "session:read": "Read sign-in sessions.",
        "session:revoke": "End other users' sessions.",
        "api_token:read": "Read API tokens' names, scopes and use.",
        "api_token:write": "Create and revoke own API tokens.",
        "api_token:revoke": "Revoke other users' API tokens.",
        "audit:read": "Read the audit trail.",
        "access_log:read": "Read who looked at partners' data.",
        "access_grant:read": "Read access grants.",
        "access_grant:request": "Ask for access to one partner's data.",
        "access_grant:approve": "Approve, deny and revoke access grants of others.",
        "event:read": "Read events told to products, and their deliveries.",
        "event:write": "Send events to products again, and try their endpoints.",
        "bulk_operation:read": "Read how imports and exports go.",
        "bulk_operation:write": "Export what one may read, import what one may write, cancel either.",
        "dashboard:read": "Read the figures of the dashboard.",
        "currency_rate:read": "Read rates of currencies.",
        "currency_rate:write": "Enter rates of currencies.",
        "activity:read": "Read partners' logins, operations and volumes of data, as products tell them.",
        "health:read": "Read how the system does: servers, queues, processes, gateways.",
        "mail:read": "Read which letters were sent and which failed, never what they say.",
        "job:read": "Read the outbox, schedule and idempotency records.",
        "job:write": "Run jobs before their time, and try waiting work now.",
        "dead_letter:read": "Read work that failed for good, such as charges of coins.",
        "dead_letter:write": "Replay and discard work that failed for good.",
    }
)

ALL = frozenset(PERMISSIONS)
READING = frozenset(name for name in PERMISSIONS if name.endswith((":read", ":pii", ":detail"))) | {"product:configure"}

ENROLMENT_ONLY = frozenset({"viewer:self", "second_factor:own"})
"""What a session may that lacks a second factor asked for by a role (ACC-1)."""

# Nouns of which no row is a partner's; changing anything else needs `partner:all_rows` or a grant.
_NOT_OF_PARTNERS = frozenset(
    {
        "access_grant",
        "access_log",
        "api_token",
        "audit",
        "coin_package",
        "colleague",
        "currency_rate",
        "dead_letter",
        "job",
        "legal_entity",
        "plan",
        "product",
        "role",
        "second_factor",
        "session",
        "user",
        "viewer",
    }
)


def concerns_partners(permission: str) -> bool:
    """Whether the permission is one to read or change rows of partners."""
    return permission.partition(":")[0] not in _NOT_OF_PARTNERS
