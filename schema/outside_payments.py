"""Money that came outside of gateways as the API shows it, and what people decide about it (INV-5)."""

from __future__ import annotations

from typing import Any

import strawberry

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
    object_value,
    order_input,
    plain,
    to_many,
    to_one,
)
from schema.payload import KeyedInput, MoneyInput, Payload

READ = "outside_payment:read"
OutsidePaymentFilter = filter_input(
    "OutsidePayment",
    {
        "status": any_of(models.OutsidePayment.status, "Only in these states."),
        "reason": any_of(models.OutsidePayment.reason, "Only unmatched for these reasons."),
        "source": equals(models.OutsidePayment.source, "Only from this source."),
        "bank_statement_id": equals(
            models.OutsidePayment.bank_statement_id, "Only of this statement.", id_of="BankStatement"
        ),
        "bulk_operation_id": equals(
            models.OutsidePayment.bulk_operation_id, "Only of this import.", id_of="BulkOperation"
        ),
        "invoice_id": equals(models.OutsidePayment.invoice_id, "Only for this invoice.", id_of="Invoice"),
        "external_id": equals(models.OutsidePayment.external_id, "Exactly this id."),
        "paid_from": at_least(models.OutsidePayment.paid_at, "Came at this moment or later."),
        "paid_before": before(models.OutsidePayment.paid_at, "Came before this moment."),
    },
)
OutsidePaymentOrder = order_input("OutsidePayment", {"PAID_AT": models.OutsidePayment.paid_at})


@bound(models.OutsidePayment, requires=READ, description="An amount that came outside of gateways (INV-5).")
class OutsidePayment(Node):
    """An amount that came outside of gateways."""

    source: Any = column(models.OutsidePayment.source, "Who told of it.")
    external_id: str = column(models.OutsidePayment.external_id, "Its id at the source.")
    status: Any = column(models.OutsidePayment.status, "What became of it.")
    reason: Any = column(models.OutsidePayment.reason, "Why it was not matched by itself.")
    amount: Money = money(models.OutsidePayment.amount, models.OutsidePayment.currency, "How much came.")
    paid_at: Any = column(models.OutsidePayment.paid_at, "When it came.")
    document_number: Any = column(models.OutsidePayment.document_number, "Number of the bank's document.")
    invoice_number: Any = column(models.OutsidePayment.invoice_number, "The invoice that the sender named.")
    payer_name: Any = column(models.OutsidePayment.payer_name, "Who paid.", requires="partner:pii")
    payer_inn: Any = column(models.OutsidePayment.payer_inn, "Taxpayer number of who paid.")
    payer_account: Any = column(models.OutsidePayment.payer_account, "Their account.", requires="partner:pii")
    purpose: str = column(models.OutsidePayment.purpose, "What they wrote that it is for.", requires="partner:pii")
    note: Any = column(models.OutsidePayment.note, "Why a person put it aside.")
    decided_at: Any = column(models.OutsidePayment.decided_at, "When it was matched or put aside.")
    created_at: Any = column(models.OutsidePayment.created_at, "When we heard of it.")
    updated_at: Any = column(models.OutsidePayment.updated_at, "When it last changed.")
    bank_statement: Any = to_one(
        "schema.outside_payments.BankStatement", models.OutsidePayment.bank_statement_id, "The statement that told."
    )
    bulk_operation: Any = to_one(
        "schema.bulk.BulkOperation",
        models.OutsidePayment.bulk_operation_id,
        "The import that told.",
        requires="bulk_operation:read",
    )
    invoice: Any = to_one(
        "schema.billing.Invoice", models.OutsidePayment.invoice_id, "The invoice it settled.", requires="invoice:read"
    )
    payment: Any = to_one(
        "schema.payments.Payment", models.OutsidePayment.payment_id, "The payment it became.", requires="payment:read"
    )
    decided_by: Any = to_one(
        "schema.access.User", models.OutsidePayment.decided_by_user_id, "Who decided.", requires="user:read"
    )


BankStatementFilter = filter_input(
    "BankStatement", {"sha256": equals(models.BankStatement.sha256, "Exactly this file.")}
)
BankStatementOrder = order_input("BankStatement")


@bound(models.BankStatement, requires=READ, description="A bank statement that was imported (INV-5).")
class BankStatement(Node):
    """A bank statement that was imported."""

    file_name: str = column(models.BankStatement.file_name, "Name of the file.")
    sha256: str = column(models.BankStatement.sha256, "SHA-256 of the file, in hex.")
    account: str = column(models.BankStatement.account, "Our accounts in it.", requires="payment:detail")
    period_start: Any = column(models.BankStatement.period_start, "First day.")
    period_end: Any = column(models.BankStatement.period_end, "Last day.")
    documents: int = column(models.BankStatement.documents, "Movements of money in it.")
    incoming: int = column(models.BankStatement.incoming, "Of these, money that came.")
    repeated: int = column(models.BankStatement.repeated, "Of the incoming, those that an earlier statement had.")
    created_at: Any = column(models.BankStatement.created_at, "When it was imported.")
    imported_by: Any = to_one(
        "schema.access.User", models.BankStatement.imported_by_user_id, "Who imported it.", requires="user:read"
    )
    payments: Any = to_many(
        "schema.outside_payments.OutsidePayment", models.OutsidePayment.bank_statement_id, "What came by it."
    )


@strawberry.input(description="Money, and the invoice that it is for.")
class OutsidePaymentMatchInput(MoneyInput):
    """Money, and the invoice that it is for."""

    id: strawberry.ID = strawberry.field(description="The money.")
    invoice_id: strawberry.ID = strawberry.field(description="The invoice, over the same amount.")


@strawberry.input(description="Money that is for no invoice.")
class OutsidePaymentIgnoreInput(KeyedInput):
    """Money that is for no invoice."""

    id: strawberry.ID = strawberry.field(description="The money.")
    note: str = strawberry.field(description="Why it is put aside.")


@strawberry.input(description="Money that was put aside and waits for a person again.")
class OutsidePaymentReopenInput(KeyedInput):
    """Money that was put aside and waits again."""

    id: strawberry.ID = strawberry.field(description="The money.")


@plain(requires="", description="Money after the decision.")
class OutsidePaymentPayload(Payload):
    """Money after the decision."""

    outside_payment: Any = object_value(
        "schema.outside_payments.OutsidePayment", "The money; null where there are user errors."
    )
