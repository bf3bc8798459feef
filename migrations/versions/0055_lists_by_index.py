"""Every list is read by an index that ends in its order."""

from __future__ import annotations

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

# By table, the indexes that the others take the place of.
REPLACED = {
    "access_grants": (
        "ix_access_grants_asker_recent",
        "ix_access_grants_partner_recent",
    ),
    "api_tokens": ("ix_api_tokens_partner_id",),
    "bulk_operation_problems": ("ix_bulk_operation_problems_partner_id",),
    "bulk_operations": ("ix_bulk_operations_partner_id",),
    "contacts": ("ix_contacts_partner_id",),
    "dead_letters": (
        "ix_dead_letters_outbox_message_id",
        "ix_dead_letters_partner_id",
    ),
    "event_deliveries": (
        "ix_event_deliveries_partner_id",
        "ix_event_deliveries_product_event_id",
    ),
    "idempotency_records": (
        "ix_idempotency_records_partner_id",
        "ix_idempotency_records_expiry",
    ),
    "installs": (
        "ix_installs_product_id",
        "ix_installs_status",
        "ix_installs_kind_recent",
    ),
    "invoice_documents": ("ix_invoice_documents_partner_id",),
    "invoice_lines": ("ix_invoice_lines_partner_id",),
    "invoices": (
        "ix_invoices_partner_recent",
        "ix_invoices_subscription_id",
        "ix_invoices_install_recent",
        "ix_invoices_status_recent",
    ),
    "ledger_accounts": ("ix_ledger_accounts_partner_id",),
    "ledger_entries": (
        "ix_ledger_entries_account_id",
        "ix_ledger_entries_partner_id",
    ),
    "mails": ("ix_mails_partner_id",),
    "oauth_tokens": (
        "ix_oauth_tokens_install_id",
        "ix_oauth_tokens_partner_id",
    ),
    "onboarding_changes": ("ix_onboarding_changes_onboarding_id",),
    "onboarding_tasks": ("ix_onboarding_tasks_partner_id",),
    "onboardings": ("ix_onboardings_partner_id",),
    "outbox_messages": ("ix_outbox_messages_partner_id",),
    "outside_payments": ("ix_outside_payments_paid_at",),
    "partner_documents": (
        "ix_partner_documents_recent",
        "ix_partner_documents_contract",
    ),
    "payment_state_changes": (
        "ix_payment_state_changes_partner_id",
        "ix_payment_state_changes_payment_id",
    ),
    "payments": (
        "ix_payments_invoice_recent",
        "ix_payments_status_recent",
    ),
    "product_events": ("ix_product_events_product_id",),
    "refunds": ("ix_refunds_invoice_id",),
    "sessions": ("ix_sessions_user_id",),
    "subscription_changes": ("ix_subscription_changes_subscription_id",),
    "subscription_notices": ("ix_subscription_notices_partner_id",),
    "subscriptions": (
        "ix_subscriptions_install_id",
        "ix_subscriptions_partner_id",
        "ix_subscriptions_plan_id",
    ),
    "users": ("ix_users_partner_id",),
    "wallet_holds": ("ix_wallet_holds_partner_id",),
    "wallet_lots": ("ix_wallet_lots_partner_id",),
    "wallet_top_ups": ("ix_wallet_top_ups_partner_id",),
    "wallet_transactions": (
        "ix_wallet_transactions_partner_id",
        "ix_wallet_transactions_recent",
    ),
    "wallets": ("ix_wallets_partner_id",),
}
LISTS = {
    "access_grants": {
        "ix_access_grants_asker_recent": ["requested_by_user_id", "created_at", "id"],
        "ix_access_grants_partner_recent": ["partner_id", "created_at", "id"],
        "ix_access_grants_created_at_id": ["created_at", "id"],
    },
    "api_tokens": {
        "ix_api_tokens_expires_at_id": ["expires_at", "id"],
        "ix_api_tokens_partner_id_id": ["partner_id", "id"],
    },
    "bulk_operation_problems": {
        "ix_bulk_operation_problems_partner_id_id": ["partner_id", "id"],
    },
    "bulk_operations": {
        "ix_bulk_operations_partner_id_id": ["partner_id", "id"],
    },
    "contacts": {
        "ix_contacts_created_at_id": ["created_at", "id"],
        "ix_contacts_partner_id_created_at_id": ["partner_id", "created_at", "id"],
    },
    "dead_letters": {
        "ix_dead_letters_outbox_message_id_id": ["outbox_message_id", "id"],
        "ix_dead_letters_partner_id_id": ["partner_id", "id"],
    },
    "event_deliveries": {
        "ix_event_deliveries_partner_id_id": ["partner_id", "id"],
        "ix_event_deliveries_product_event_id_id": ["product_event_id", "id"],
    },
    "idempotency_records": {
        "ix_idempotency_records_expiry": ["expires_at", "id"],
        "ix_idempotency_records_partner_id_id": ["partner_id", "id"],
    },
    "installs": {
        "ix_installs_kind_recent": ["subscription_kind", "created_at", "id"],
        "ix_installs_created_at_id": ["created_at", "id"],
        "ix_installs_product_id_created_at_id": ["product_id", "created_at", "id"],
        "ix_installs_product_id_subscribed_until_or_epoch_id": ["product_id", "subscribed_until_or_epoch", "id"],
        "ix_installs_status_created_at_id": ["status", "created_at", "id"],
    },
    "invoice_documents": {
        "ix_invoice_documents_partner_id_id": ["partner_id", "id"],
    },
    "invoice_lines": {
        "ix_invoice_lines_partner_id_id": ["partner_id", "id"],
    },
    "invoices": {
        "ix_invoices_install_recent": ["install_id", "created_at", "id"],
        "ix_invoices_status_recent": ["status", "created_at", "id"],
        "ix_invoices_created_at_id": ["created_at", "id"],
        "ix_invoices_subscription_id_created_at_id": ["subscription_id", "created_at", "id"],
    },
    "ledger_accounts": {
        "ix_ledger_accounts_partner_id_id": ["partner_id", "id"],
    },
    "ledger_entries": {
        "ix_ledger_entries_account_id_id": ["account_id", "id"],
        "ix_ledger_entries_partner_id_id": ["partner_id", "id"],
    },
    "mails": {
        "ix_mails_created_at_id": ["created_at", "id"],
        "ix_mails_partner_id_created_at_id": ["partner_id", "created_at", "id"],
    },
    "oauth_tokens": {
        "ix_oauth_tokens_install_id_id": ["install_id", "id"],
        "ix_oauth_tokens_partner_id_id": ["partner_id", "id"],
    },
    "onboarding_changes": {
        "ix_onboarding_changes_onboarding_id_id": ["onboarding_id", "id"],
    },
    "onboarding_tasks": {
        "ix_onboarding_tasks_partner_id_id": ["partner_id", "id"],
    },
    "onboardings": {
        "ix_onboardings_moved_at_id": ["moved_at", "id"],
        "ix_onboardings_partner_id_id": ["partner_id", "id"],
    },
    "outbox_messages": {
        "ix_outbox_messages_created_at_id": ["created_at", "id"],
        "ix_outbox_messages_partner_id_created_at_id": ["partner_id", "created_at", "id"],
    },
    "outside_payments": {
        "ix_outside_payments_paid_at_id": ["paid_at", "id"],
    },
    "partner_documents": {
        "ix_partner_documents_contract": ["contract_id", "created_at", "id"],
        "ix_partner_documents_created_at_id": ["created_at", "id"],
    },
    "payment_state_changes": {
        "ix_payment_state_changes_partner_id_id": ["partner_id", "id"],
        "ix_payment_state_changes_payment_id_id": ["payment_id", "id"],
    },
    "payments": {
        "ix_payments_invoice_recent": ["invoice_id", "created_at", "id"],
        "ix_payments_status_recent": ["status", "created_at", "id"],
        "ix_payments_created_at_id": ["created_at", "id"],
    },
    "product_events": {
        "ix_product_events_created_at_id": ["created_at", "id"],
        "ix_product_events_install_id_created_at_id": ["install_id", "created_at", "id"],
        "ix_product_events_product_id_created_at_id": ["product_id", "created_at", "id"],
    },
    "refunds": {
        "ix_refunds_invoice_id_id": ["invoice_id", "id"],
    },
    "sessions": {
        "ix_sessions_last_used_at_id": ["last_used_at", "id"],
        "ix_sessions_user_id_id": ["user_id", "id"],
    },
    "subscription_changes": {
        "ix_subscription_changes_subscription_id_id": ["subscription_id", "id"],
    },
    "subscription_notices": {
        "ix_subscription_notices_partner_id_id": ["partner_id", "id"],
    },
    "subscriptions": {
        "ix_subscriptions_ends_at_id": ["ends_at", "id"],
        "ix_subscriptions_install_id_id": ["install_id", "id"],
        "ix_subscriptions_partner_id_id": ["partner_id", "id"],
        "ix_subscriptions_plan_id_ends_at_id": ["plan_id", "ends_at", "id"],
        "ix_subscriptions_plan_id_id": ["plan_id", "id"],
    },
    "users": {
        "ix_users_partner_id_id": ["partner_id", "id"],
    },
    "wallet_holds": {
        "ix_wallet_holds_partner_id_id": ["partner_id", "id"],
    },
    "wallet_lots": {
        "ix_wallet_lots_partner_id_id": ["partner_id", "id"],
    },
    "wallet_top_ups": {
        "ix_wallet_top_ups_partner_id_id": ["partner_id", "id"],
    },
    "wallet_transactions": {
        "ix_wallet_transactions_created_at_id": ["created_at", "id"],
        "ix_wallet_transactions_partner_id_created_at_id": ["partner_id", "created_at", "id"],
    },
    "wallets": {
        "ix_wallets_partner_id_id": ["partner_id", "id"],
    },
}


def upgrade() -> None:
    """Every list is read by an index that ends in its order."""
    for table, names in REPLACED.items():
        for name in names:
            op.drop_index(name, table_name=table)
    for table, indexes in LISTS.items():
        for name, columns in indexes.items():
            op.create_index(name, table, columns)
