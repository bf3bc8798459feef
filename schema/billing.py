"""Subscriptions and invoices, as the outside sees them (SUB-1, SUB-7, INV-1)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import (
    Money,
    Node,
    any_of,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    money,
    order_input,
    sql,
    to_list,
    to_many,
    to_one,
)
from planner.scalars import DateTime, Decimal
from schema.allowed_actions import invoice_allowed_actions, subscription_allowed_actions

SubscriptionFilter = filter_input(
    "Subscription",
    {
        "partner_id": equals(models.Subscription.partner_id, "Only subscriptions of this partner.", id_of="Partner"),
        "install_id": equals(models.Subscription.install_id, "Only subscriptions of this install.", id_of="Install"),
        "product_id": equals(models.Subscription.product_id, "Only subscriptions of this product.", id_of="Product"),
        "plan_id": equals(models.Subscription.plan_id, "Only subscriptions to this version of a plan.", id_of="Plan"),
        "status": any_of(models.Subscription.status, "Only subscriptions in these states."),
        "term": any_of(models.Subscription.term, "Only those that are paid by these terms."),
        "auto_renew": equals(models.Subscription.auto_renew, "Only those renewed by themselves, or only others."),
        "ends_from": at_least(models.Subscription.ends_at, "Only those that end at this moment or later."),
        "ends_before": before(models.Subscription.ends_at, "Only those that end before this moment."),
    },
)
SubscriptionOrder = order_input("Subscription", {"ENDS_AT": models.Subscription.ends_at})

_INDIVIDUAL_PRICE = """
    (EXISTS (SELECT FROM plan_prices WHERE plan_prices.plan_id = {row}.plan_id AND plan_prices.term = {row}.term
        AND plan_prices.unit_price <> {row}.unit_price))
"""
_PER_MONTH = """
    round({row}.unit_price * CASE (SELECT pricing_model FROM plans WHERE plans.id = {row}.plan_id)
        WHEN 'FLAT' THEN 1 ELSE {row}.seats END, 2)
"""


@bound(models.Subscription, requires="subscription:read", description="An install paying for a plan (SUB-1).")
class Subscription(Node):
    """An install paying for a plan."""

    status: Any = column(models.Subscription.status, "State.")
    term: Any = column(models.Subscription.term, "Length of a period.")
    seats: Any = column(models.Subscription.seats, "Units paid for.")
    unit_price: Money = money(
        models.Subscription.unit_price, models.Subscription.currency, "Price of one unit for one month."
    )
    per_month: Any = sql(
        _PER_MONTH, Decimal, "decimal", "Unit price times units, as the plan counts them; in the unit price's currency."
    )
    starts_at: Any = column(models.Subscription.starts_at, "Start of the period, included.")
    ends_at: Any = column(models.Subscription.ends_at, "End of the period, not included.")
    auto_renew: Any = column(models.Subscription.auto_renew, "Whether it is renewed by itself.")
    has_card: Any = sql(
        "({row}.rebill_id_encrypted IS NOT NULL)", bool, "bool", "Whether a card is stored that renewals may charge."
    )
    card_account: Any = column(
        models.Subscription.card_account,
        "Merchant account (gateway, and terminal where it has several) that stored the card and alone may charge it; "
        "null without a card.",
        requires="subscription:adjust",
    )
    past_due_at: Any = column(models.Subscription.past_due_at, "Since when its renewal is overdue; else null.")
    canceled_at: Any = column(models.Subscription.canceled_at, "When it was cancelled.")
    cancel_at_period_end: Any = column(
        models.Subscription.cancel_at_period_end, "Whether it ends with its period and is not renewed."
    )
    paused_at: Any = column(
        models.Subscription.paused_at,
        "Since when its time stands still; null while it runs. Its end moves when it is resumed.",
    )
    individual_price: Any = sql(
        _INDIVIDUAL_PRICE, bool, "bool", "Whether the unit price is another than the plan's for the term."
    )
    worth: Money = money(
        models.Subscription.worth,
        models.Subscription.currency,
        "Money that pays for the time from `worthFrom` to the end; its unused part is the credit of a change.",
    )
    worth_from: Any = column(models.Subscription.worth_from, "Since when the worth is being used up.")
    pending_term: Any = column(models.Subscription.pending_term, "Term from the next renewal on, where it changes.")
    pending_seats: Any = column(models.Subscription.pending_seats, "Units from the next renewal on, where they change.")
    pending_unit_price: Any = money(
        models.Subscription.pending_unit_price,
        models.Subscription.currency,
        "Unit price from the next renewal on, where it changes.",
    )
    version: Any = column(models.Subscription.version, "Version, to be given back in an update.")
    allowed_actions: Any = subscription_allowed_actions()
    created_at: Any = column(models.Subscription.created_at, "When it was made.")
    updated_at: Any = column(models.Subscription.updated_at, "When it last changed.")
    partner: Any = to_one("schema.partners.Partner", models.Subscription.partner_id, "Who pays.")
    install: Any = to_one("schema.installs.Install", models.Subscription.install_id, "What is paid for.")
    product: Any = to_one("schema.catalog.Product", models.Subscription.product_id, "Which product.")
    plan: Any = to_one("schema.catalog.Plan", models.Subscription.plan_id, "The tariff; null for a bare trial.")
    pending_plan: Any = to_one(
        "schema.catalog.Plan", models.Subscription.pending_plan_id, "Tariff from the next renewal on, where it changes."
    )
    changes: Any = to_many(
        "schema.billing.SubscriptionChange", models.SubscriptionChange.subscription_id, "Change log (SUB-7)."
    )
    invoices: Any = to_many("schema.billing.Invoice", models.Invoice.subscription_id, "Bills.")
    notices: Any = to_many(
        "schema.billing.SubscriptionNotice",
        models.SubscriptionNotice.subscription_id,
        "Announcements of its ends (SUB-4).",
    )


SubscriptionNoticeFilter = filter_input(
    "SubscriptionNotice",
    {
        "subscription_id": equals(
            models.SubscriptionNotice.subscription_id, "Only notices of this subscription.", id_of="Subscription"
        )
    },
)
SubscriptionNoticeOrder = order_input("SubscriptionNotice")


@bound(
    models.SubscriptionNotice,
    requires="subscription:read",
    description="That a subscription's end was announced, by the event `subscription.ending` (SUB-4).",
)
class SubscriptionNotice(Node):
    """That a subscription's end was announced."""

    ends_at: Any = column(models.SubscriptionNotice.ends_at, "The end that was announced.")
    days_before: Any = column(models.SubscriptionNotice.days_before, "Days before the end, of `KONTORA_NOTICE_DAYS`.")
    created_at: Any = column(models.SubscriptionNotice.created_at, "When it was announced.")
    subscription: Any = to_one("schema.billing.Subscription", models.SubscriptionNotice.subscription_id, "What ends.")


SubscriptionChangeFilter = filter_input(
    "SubscriptionChange",
    {
        "subscription_id": equals(
            models.SubscriptionChange.subscription_id, "Only changes of this subscription.", id_of="Subscription"
        )
    },
)
SubscriptionChangeOrder = order_input("SubscriptionChange")


@bound(models.SubscriptionChange, requires="subscription:read", description="One line of the change log (SUB-7).")
class SubscriptionChange(Node):
    """One line of the change log."""

    action: Any = column(models.SubscriptionChange.action, "What was done.")
    actor: Any = column(models.SubscriptionChange.actor, "Who did it, without personal data.")
    before: Any = column(models.SubscriptionChange.before, "What it was.")
    after: Any = column(models.SubscriptionChange.after, "What it became.")
    created_at: Any = column(models.SubscriptionChange.created_at, "When.")
    subscription: Any = to_one(
        "schema.billing.Subscription", models.SubscriptionChange.subscription_id, "What changed."
    )


InvoiceFilter = filter_input(
    "Invoice",
    {
        "partner_id": equals(models.Invoice.partner_id, "Only bills of this partner.", id_of="Partner"),
        "install_id": equals(models.Invoice.install_id, "Only bills of this install.", id_of="Install"),
        "subscription_id": equals(
            models.Invoice.subscription_id, "Only bills of this subscription.", id_of="Subscription"
        ),
        "status": any_of(models.Invoice.status, "Only bills in these states."),
        "kind": any_of(models.Invoice.kind, "Only bills of these kinds."),
        "number": equals(models.Invoice.number, "Only the bill with this number."),
        "top_up": equals(models.Invoice.top_up, "Only coins that wallets bought by themselves, or only other bills."),
        "created_from": at_least(models.Invoice.created_at, "Only bills issued at this moment or later."),
        "created_before": before(models.Invoice.created_at, "Only bills issued before this moment."),
        "due_from": at_least(models.Invoice.due_at, "Only bills due at this moment or later."),
        "due_before": before(models.Invoice.due_at, "Only bills due before this moment."),
    },
)
InvoiceOrder = order_input(
    "Invoice", {"CREATED_AT": models.Invoice.created_at, "DUE_AT": models.Invoice.due_at, "TOTAL": models.Invoice.total}
)

_MONTHS = """
    (CASE WHEN {row}.kind = 'SEATS_UPGRADE' THEN
        (SELECT (quantity / {row}.seats)::int FROM invoice_lines WHERE invoice_id = {row}.id AND position = 1)
    ELSE CASE {row}.term WHEN 'MONTH' THEN 1 WHEN 'HALF_YEAR' THEN 6 WHEN 'YEAR' THEN 12 END END)
"""
_LAST_LINK = """
    SELECT payments.{column} FROM payments
    WHERE payments.invoice_id = {{row}}.id AND payments.status IN ('PENDING', 'REJECTED')
        AND {{row}}.status IN ('PENDING', 'ACTION_REQUIRED', 'FAILED')
    ORDER BY payments.id DESC LIMIT 1
"""


@bound(models.Invoice, requires="invoice:read", description="A bill; never edited once issued (INV-1).")
class Invoice(Node):
    """A bill."""

    number: Any = column(models.Invoice.number, "Gapless number within legal entity and year.")
    kind: Any = column(models.Invoice.kind, "What is billed.")
    status: Any = column(models.Invoice.status, "State.")
    total: Money = money(models.Invoice.total, models.Invoice.currency, "What is to be paid, VAT included.")
    vat_rate: Any = column(models.Invoice.vat_rate, "VAT rate in percent; null without VAT.")
    vat_amount: Money = money(models.Invoice.vat_amount, models.Invoice.currency, "VAT within the total.")
    coins: Any = column(models.Invoice.coins, "Coins that a purchase of coins gives once paid; null for others.")
    top_up: bool = column(models.Invoice.top_up, "Whether a wallet bought these coins by itself.")
    term: Any = column(models.Invoice.term, "Length of the period billed.")
    months: Any = sql(
        _MONTHS, int | None, "int", "Whole months billed; null where the bill is for none. Added seats: what was left."
    )
    seats: Any = column(models.Invoice.seats, "Units billed.")
    unit_price: Any = money(models.Invoice.unit_price, models.Invoice.currency, "Price of one unit for one month.")
    period_start: Any = column(models.Invoice.period_start, "Start of the period billed, once it is known.")
    period_end: Any = column(models.Invoice.period_end, "End of the period billed, not included.")
    due_at: Any = column(models.Invoice.due_at, "Until when it should be paid.")
    auto_renew: Any = column(models.Invoice.auto_renew, "Whether paying it stores the card for renewals.")
    next_charge_at: Any = column(
        models.Invoice.next_charge_at, "When the stored card is charged for it; null where it is not."
    )
    charge_attempts: Any = column(models.Invoice.charge_attempts, "How often a stored card was charged for it.")
    legal_entity_code: Any = column(models.Invoice.legal_entity, "Code of our legal entity that issued it.")
    paid_at: Any = column(models.Invoice.paid_at, "When it was paid.")
    canceled_at: Any = column(models.Invoice.canceled_at, "When it was cancelled.")
    settlement_note: Any = column(models.Invoice.settlement_note, "Remark of whoever marked it paid by hand.")
    payment_link: Any = sql(
        f"({_LAST_LINK.format(column='payment_link')})",
        str | None,
        "text",
        "Where it is paid; null while the gateway has not answered and when nothing is left to pay.",
    )
    payment_link_expires_at: Any = sql(
        f"({_LAST_LINK.format(column='link_expires_at')})",
        DateTime | None,
        "datetime",
        "Until when the link can be used.",
    )
    allowed_actions: Any = invoice_allowed_actions()
    created_at: Any = column(models.Invoice.created_at, "When it was issued.")
    updated_at: Any = column(models.Invoice.updated_at, "When its state last changed.")
    partner: Any = to_one("schema.partners.Partner", models.Invoice.partner_id, "Who is billed.")
    install: Any = to_one("schema.installs.Install", models.Invoice.install_id, "What it is billed for.")
    subscription: Any = to_one("schema.billing.Subscription", models.Invoice.subscription_id, "Subscription billed.")
    plan: Any = to_one("schema.catalog.Plan", models.Invoice.plan_id, "Tariff billed.")
    coin_package: Any = to_one(
        "schema.coin_packages.CoinPackage",
        models.Invoice.coin_package_id,
        "Package of coins billed; its price and coins may have changed since, the bill's have not.",
        requires="coin_package:read",
    )
    lines: Any = to_list(
        "schema.billing.InvoiceLine", models.InvoiceLine.invoice_id, "Lines.", order=models.InvoiceLine.position
    )
    payments: Any = to_many("schema.payments.Payment", models.Payment.invoice_id, "Attempts to settle it.")
    refunds: Any = to_many(
        "schema.refunds.Refund", models.Refund.invoice_id, "What was given back of it.", requires="payment:read"
    )
    documents: Any = to_many(
        "schema.documents.InvoiceDocument",
        models.InvoiceDocument.invoice_id,
        "What was issued about it as PDF.",
        requires="invoice_document:read",
    )


InvoiceLineFilter = filter_input(
    "InvoiceLine",
    {"invoice_id": equals(models.InvoiceLine.invoice_id, "Only lines of this bill.", id_of="Invoice")},
)
InvoiceLineOrder = order_input("InvoiceLine")


@bound(models.InvoiceLine, requires="invoice:read", description="One line of a bill.")
class InvoiceLine(Node):
    """One line of a bill."""

    position: Any = column(models.InvoiceLine.position, "Place in the bill, from 1.")
    description: Any = column(models.InvoiceLine.description, "What is billed.")
    quantity: Any = column(models.InvoiceLine.quantity, "How much of it.")
    unit_price: Money = money(models.InvoiceLine.unit_price, models.InvoiceLine.currency, "Price of one.")
    amount: Money = money(models.InvoiceLine.amount, models.InvoiceLine.currency, "Quantity times price, rounded.")
    invoice: Any = to_one("schema.billing.Invoice", models.InvoiceLine.invoice_id, "The bill.")
