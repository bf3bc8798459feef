"""Reads of the tables: a list and a single object for each type, and Relay's `node` and `nodes`."""

from __future__ import annotations

from typing import Any

import strawberry

from planner.binding import connection_root, node_root, nodes_root, single_root
from planner.interfaces import merged_root


@strawberry.type(description="Reads of the tables.")
class Reads:
    """Reads of the tables."""

    node: Any = node_root()
    nodes: Any = nodes_root()

    partners: Any = connection_root("schema.partners.Partner", "partner:read", "Organisations that buy from us.")
    partner: Any = single_root("schema.partners.Partner", "partner:read", "One partner.")
    contacts: Any = connection_root("schema.partners.Contact", "partner:pii", "People at partners.")
    contact: Any = single_root("schema.partners.Contact", "partner:pii", "One contact.")
    partner_contracts: Any = connection_root(
        "schema.partner_card.PartnerContract", "partner_contract:read", "Contracts with partners."
    )
    partner_contract: Any = single_root("schema.partner_card.PartnerContract", "partner_contract:read", "One contract.")
    partner_timeline: Any = merged_root(
        "schema.timeline.TimelineEntry",
        "partner:read",
        "All that happened at a partner, newest first; kinds that the caller may not read are left out (PAR-4).",
        link="partner_id",
        moment="happened_at",
        of=("partner_id", "Partner"),
    )
    partner_documents: Any = connection_root(
        "schema.partner_documents.PartnerDocument", "partner_document:read", "Documents of partners."
    )
    partner_document: Any = single_root(
        "schema.partner_documents.PartnerDocument", "partner_document:read", "One document."
    )
    partner_notes: Any = connection_root(
        "schema.partner_card.PartnerNote", "partner_note:read", "Notes about partners."
    )
    partner_note: Any = single_root("schema.partner_card.PartnerNote", "partner_note:read", "One note.")
    partner_status_changes: Any = connection_root(
        "schema.partner_card.PartnerStatusChange", "partner:read", "Changes of partners' standings."
    )
    partner_status_change: Any = single_root(
        "schema.partner_card.PartnerStatusChange", "partner:read", "One change of a standing."
    )
    partner_activities: Any = connection_root(
        "schema.activity.PartnerActivity", "activity:read", "How partners use our products; who sleeps."
    )
    partner_activity: Any = single_root("schema.activity.PartnerActivity", "activity:read", "One partner's.")
    products: Any = connection_root("schema.catalog.Product", "product:read", "What we sell.")
    product: Any = single_root("schema.catalog.Product", "product:read", "One product.")
    plans: Any = connection_root("schema.catalog.Plan", "plan:read", "Tariffs, all versions.")
    plan: Any = single_root("schema.catalog.Plan", "plan:read", "One version of a tariff.")
    modules: Any = connection_root("schema.catalog.Module", "plan:read", "Parts of products.")
    module: Any = single_root("schema.catalog.Module", "plan:read", "One part of a product.")
    plan_modules: Any = connection_root("schema.catalog.PlanModule", "plan:read", "Modules included in plans.")
    plan_module: Any = single_root("schema.catalog.PlanModule", "plan:read", "One module in a plan.")
    plan_prices: Any = connection_root("schema.catalog.PlanPrice", "plan:read", "Prices of plans.")
    plan_price: Any = single_root("schema.catalog.PlanPrice", "plan:read", "One price.")
    coin_packages: Any = connection_root(
        "schema.coin_packages.CoinPackage", "coin_package:read", "Packages of coins on offer."
    )
    coin_package: Any = single_root("schema.coin_packages.CoinPackage", "coin_package:read", "One package of coins.")
    installs: Any = connection_root("schema.installs.Install", "install:read", "Products at partners.")
    install: Any = single_root("schema.installs.Install", "install:read", "One install.")
    onboardings: Any = connection_root(
        "schema.onboarding.Onboarding", "onboarding:read", "Runs of installs through the steps of their products."
    )
    onboarding: Any = single_root("schema.onboarding.Onboarding", "onboarding:read", "One run.")
    onboarding_steps: Any = connection_root("schema.onboarding.OnboardingStep", "onboarding:read", "Steps of products.")
    onboarding_step: Any = single_root("schema.onboarding.OnboardingStep", "onboarding:read", "One step.")
    onboarding_tasks: Any = connection_root(
        "schema.onboarding.OnboardingTask", "onboarding:read", "How far steps are at installs."
    )
    onboarding_task: Any = single_root("schema.onboarding.OnboardingTask", "onboarding:read", "One of them.")
    onboarding_changes: Any = connection_root(
        "schema.onboarding.OnboardingChange", "onboarding:read", "What happened in onboardings."
    )
    onboarding_change: Any = single_root("schema.onboarding.OnboardingChange", "onboarding:read", "One change.")
    oauth_tokens: Any = connection_root("schema.installs.OAuthToken", "oauth_token:read", "State of OAuth tokens.")
    oauth_token: Any = single_root("schema.installs.OAuthToken", "oauth_token:read", "State of one OAuth token.")
    subscriptions: Any = connection_root("schema.billing.Subscription", "subscription:read", "Subscriptions.")
    subscription: Any = single_root("schema.billing.Subscription", "subscription:read", "One subscription.")
    subscription_changes: Any = connection_root(
        "schema.billing.SubscriptionChange", "subscription:read", "Change log of subscriptions."
    )
    subscription_change: Any = single_root("schema.billing.SubscriptionChange", "subscription:read", "One change.")
    subscription_notices: Any = connection_root(
        "schema.billing.SubscriptionNotice", "subscription:read", "Announcements of ends."
    )
    subscription_notice: Any = single_root(
        "schema.billing.SubscriptionNotice", "subscription:read", "One announcement."
    )
    invoices: Any = connection_root("schema.billing.Invoice", "invoice:read", "Bills.")
    invoice: Any = single_root("schema.billing.Invoice", "invoice:read", "One bill.")
    invoice_lines: Any = connection_root("schema.billing.InvoiceLine", "invoice:read", "Lines of bills.")
    invoice_line: Any = single_root("schema.billing.InvoiceLine", "invoice:read", "One line of a bill.")
    legal_entities: Any = connection_root(
        "schema.legal_entities.LegalEntity", "legal_entity:read", "Our companies that issue invoices."
    )
    legal_entity: Any = single_root("schema.legal_entities.LegalEntity", "legal_entity:read", "One company of ours.")
    invoice_documents: Any = connection_root(
        "schema.documents.InvoiceDocument", "invoice_document:read", "Invoices and acts as PDF."
    )
    invoice_document: Any = single_root("schema.documents.InvoiceDocument", "invoice_document:read", "One PDF.")
    currency_rates: Any = connection_root("schema.dashboard.CurrencyRate", "currency_rate:read", "Rates of currencies.")
    currency_rate: Any = single_root("schema.dashboard.CurrencyRate", "currency_rate:read", "One rate of a currency.")
    payments: Any = connection_root("schema.payments.Payment", "payment:read", "Attempts to settle bills.")
    payment: Any = single_root("schema.payments.Payment", "payment:read", "One payment.")
    mails: Any = connection_root("schema.mail.Mail", "mail:read", "Letters to people.")
    mail: Any = single_root("schema.mail.Mail", "mail:read", "One letter.")
    outside_payments: Any = connection_root(
        "schema.outside_payments.OutsidePayment", "outside_payment:read", "Money that came outside of gateways."
    )
    outside_payment: Any = single_root(
        "schema.outside_payments.OutsidePayment", "outside_payment:read", "One amount that came outside of gateways."
    )
    bank_statements: Any = connection_root(
        "schema.outside_payments.BankStatement", "outside_payment:read", "Bank statements that were imported."
    )
    bank_statement: Any = single_root(
        "schema.outside_payments.BankStatement", "outside_payment:read", "One bank statement."
    )
    reconciliations: Any = connection_root(
        "schema.reconciliation.Reconciliation", "payment:reconcile", "Days compared with the gateway."
    )
    reconciliation: Any = single_root("schema.reconciliation.Reconciliation", "payment:reconcile", "One day.")
    reconciliation_differences: Any = connection_root(
        "schema.reconciliation.ReconciliationDifference", "payment:reconcile", "What differed from the gateway."
    )
    reconciliation_difference: Any = single_root(
        "schema.reconciliation.ReconciliationDifference", "payment:reconcile", "One difference."
    )
    refunds: Any = connection_root("schema.refunds.Refund", "payment:read", "Money given back.")
    refund: Any = single_root("schema.refunds.Refund", "payment:read", "One refund.")
    closing_receipts: Any = connection_root(
        "schema.closing_receipts.ClosingReceipt", "payment:read", "Closing receipts of prepayments."
    )
    closing_receipt: Any = single_root("schema.closing_receipts.ClosingReceipt", "payment:read", "One closing receipt.")
    payment_state_changes: Any = connection_root(
        "schema.payments.PaymentStateChange", "payment:read", "Steps of payments."
    )
    payment_state_change: Any = single_root("schema.payments.PaymentStateChange", "payment:read", "One step.")
    gateway_notifications: Any = connection_root(
        "schema.payments.GatewayNotification", "payment:detail", "Messages of gateways as they came."
    )
    gateway_notification: Any = single_root("schema.payments.GatewayNotification", "payment:detail", "One message.")
    wallets: Any = connection_root("schema.wallets.Wallet", "wallet:read", "Prepaid coins of installs.")
    wallet: Any = single_root("schema.wallets.Wallet", "wallet:read", "One wallet.")
    wallet_transactions: Any = connection_root("schema.wallets.WalletTransaction", "wallet:read", "Movements of coins.")
    wallet_transaction: Any = single_root("schema.wallets.WalletTransaction", "wallet:read", "One movement.")
    wallet_lots: Any = connection_root("schema.coin_lots.WalletLot", "wallet:read", "Coins that came together.")
    wallet_lot: Any = single_root("schema.coin_lots.WalletLot", "wallet:read", "One lot of coins.")
    wallet_holds: Any = connection_root("schema.coin_lots.WalletHold", "wallet:read", "Coins set aside.")
    wallet_hold: Any = single_root("schema.coin_lots.WalletHold", "wallet:read", "One hold of coins.")
    wallet_top_ups: Any = connection_root(
        "schema.coin_packages.WalletTopUp", "wallet:read", "Rules by which wallets fill themselves."
    )
    wallet_top_up: Any = single_root("schema.coin_packages.WalletTopUp", "wallet:read", "One such rule.")
    ledger_entries: Any = connection_root("schema.wallets.LedgerEntry", "wallet:read", "Legs of movements.")
    ledger_entry: Any = single_root("schema.wallets.LedgerEntry", "wallet:read", "One leg.")
    ledger_accounts: Any = connection_root("schema.wallets.LedgerAccount", "wallet:read", "Accounts of the journal.")
    ledger_account: Any = single_root("schema.wallets.LedgerAccount", "wallet:read", "One account.")
    bulk_operations: Any = connection_root("schema.bulk.BulkOperation", "bulk_operation:read", "Imports and exports.")
    bulk_operation: Any = single_root("schema.bulk.BulkOperation", "bulk_operation:read", "One import or export.")
    bulk_operation_problems: Any = connection_root(
        "schema.bulk.BulkOperationProblem", "bulk_operation:read", "What is wrong with rows of imports."
    )
    bulk_operation_problem: Any = single_root(
        "schema.bulk.BulkOperationProblem", "bulk_operation:read", "One wrong row."
    )
    users: Any = connection_root("schema.access.User", "user:read", "People who sign in.")
    user: Any = single_root("schema.access.User", "user:read", "One user.")
    roles: Any = connection_root("schema.access.Role", "role:read", "Roles.")
    role: Any = single_root("schema.access.Role", "role:read", "One role.")
    permissions: Any = connection_root("schema.access.Permission", "role:read", "The permission vocabulary.")
    permission: Any = single_root("schema.access.Permission", "role:read", "One permission.")
    sessions: Any = connection_root("schema.access.Session", "session:read", "Sign-ins.")
    session: Any = single_root("schema.access.Session", "session:read", "One sign-in.")
    api_tokens: Any = connection_root("schema.access.ApiToken", "api_token:read", "Tokens for scripts.")
    api_token: Any = single_root("schema.access.ApiToken", "api_token:read", "One token.")
    audit_events: Any = connection_root("schema.access.AuditEvent", "audit:read", "The audit trail.")
    audit_event: Any = single_root("schema.access.AuditEvent", "audit:read", "One change.")
    access_log_entries: Any = connection_root(
        "schema.access_log.AccessLogEntry", "access_log:read", "Looks at partners' data by our staff."
    )
    access_log_entry: Any = single_root("schema.access_log.AccessLogEntry", "access_log:read", "One look.")
    access_grants: Any = connection_root(
        "schema.access_grants.AccessGrant", "access_grant:read", "Leave to look at one partner's data for a while."
    )
    access_grant: Any = single_root("schema.access_grants.AccessGrant", "access_grant:read", "One access grant.")
    product_events: Any = connection_root("schema.effects.ProductEvent", "event:read", "Events told to products.")
    product_event: Any = single_root("schema.effects.ProductEvent", "event:read", "One event.")
    event_deliveries: Any = connection_root("schema.effects.EventDelivery", "event:read", "Attempts to tell events.")
    event_delivery: Any = single_root("schema.effects.EventDelivery", "event:read", "One attempt.")
    event_circuits: Any = connection_root(
        "schema.effects.EventCircuit", "event:read", "How products' endpoints have answered lately."
    )
    event_circuit: Any = single_root("schema.effects.EventCircuit", "event:read", "One endpoint.")
    event_pings: Any = connection_root("schema.effects.EventPing", "event:read", "Test calls to endpoints.")
    event_ping: Any = single_root("schema.effects.EventPing", "event:read", "One test call.")
    outbox_messages: Any = connection_root("schema.effects.OutboxMessage", "job:read", "Work after transactions.")
    outbox_message: Any = single_root("schema.effects.OutboxMessage", "job:read", "One piece of work.")
    scheduled_job_runs: Any = connection_root(
        "schema.jobs.ScheduledJobRun", "job:read", "Runs of scheduled jobs: when, how long, what came of them."
    )
    scheduled_job_run: Any = single_root("schema.jobs.ScheduledJobRun", "job:read", "One run of a scheduled job.")
    dead_letters: Any = connection_root(
        "schema.effects.DeadLetter", "dead_letter:read", "Work that waits for a person."
    )
    dead_letter: Any = single_root("schema.effects.DeadLetter", "dead_letter:read", "One piece of work that failed.")
    idempotency_records: Any = connection_root(
        "schema.effects.IdempotencyRecord", "job:read", "Stored results of mutations."
    )
    idempotency_record: Any = single_root("schema.effects.IdempotencyRecord", "job:read", "One stored result.")
