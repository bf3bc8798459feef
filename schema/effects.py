"""Effects outside the database as the API shows them: outbox, dead letters, events to products, idempotency."""

from __future__ import annotations

from typing import Any

import models
from planner import scalars
from planner.binding import (
    Node,
    any_of,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    order_input,
    sql,
    to_many,
    to_one,
)


def redacted(column_name: str, graphql_type: Any, description: str) -> Any:
    """A text of ours in which somebody else's words may stand, with the personal data taken out (ACC-3)."""
    return sql(f"redacted({{row}}.{column_name})", graphql_type, "text", description)


def redacted_values(column_name: str, description: str) -> Any:
    """A JSON object of which only numbers and codes are shown (ACC-3)."""
    return sql(f"redacted_values({{row}}.{column_name})", scalars.JSON, "json", description)


OutboxMessageFilter = filter_input(
    "OutboxMessage",
    {
        "status": any_of(models.OutboxMessage.status, "Only these states."),
        "kind": any_of(models.OutboxMessage.kind, "Only these kinds."),
        "partner_id": equals(models.OutboxMessage.partner_id, "Only of this partner.", id_of="Partner"),
        "created_from": at_least(models.OutboxMessage.created_at, "Written at this moment or later."),
        "created_before": before(models.OutboxMessage.created_at, "Written before this moment."),
    },
)
OutboxMessageOrder = order_input(
    "OutboxMessage", {"CREATED_AT": models.OutboxMessage.created_at, "AVAILABLE_AT": models.OutboxMessage.available_at}
)


@bound(
    models.OutboxMessage,
    requires="job:read",
    description="Work to do after the transaction that wrote it, done at least once.",
)
class OutboxMessage(Node):
    """Work to do after the transaction that wrote it."""

    kind: str = column(models.OutboxMessage.kind, "Name of the handler.")
    payload: Any = redacted_values("payload", "Ids and small values; what may name a person is masked.")
    full_payload: Any = column(models.OutboxMessage.payload, "The payload without masks.", requires="partner:pii")
    ordering_key: Any = column(models.OutboxMessage.ordering_key, "Messages of one key run one after another.")
    status: Any = column(models.OutboxMessage.status, "Whether it waits, is done, or has failed for good.")
    attempts: int = column(models.OutboxMessage.attempts, "Attempts begun so far.")
    available_at: Any = column(models.OutboxMessage.available_at, "Earliest moment of the next attempt.")
    sent_at: Any = column(models.OutboxMessage.sent_at, "When a worker was last told of it.")
    locked_until: Any = column(models.OutboxMessage.locked_until, "Until when a worker has claimed it.")
    started_at: Any = column(models.OutboxMessage.started_at, "When the last attempt began.")
    last_error: Any = redacted(
        "last_error", str | None, "Why the last attempt failed; what may name a person is masked."
    )
    full_last_error: Any = column(models.OutboxMessage.last_error, "The error without masks.", requires="partner:pii")
    request_id: Any = column(models.OutboxMessage.request_id, "The request that wrote it.")
    done_at: Any = column(models.OutboxMessage.done_at, "When it was done.")
    created_at: Any = column(models.OutboxMessage.created_at, "When it was written.")
    partner: Any = to_one(
        "schema.partners.Partner",
        models.OutboxMessage.partner_id,
        "The partner concerned, if there is one.",
        requires="partner:read",
    )
    dead_letters: Any = to_many(
        "schema.effects.DeadLetter",
        models.DeadLetter.outbox_message_id,
        "Its failures for good, one a replay.",
        requires="dead_letter:read",
    )


DeadLetterFilter = filter_input(
    "DeadLetter",
    {
        "status": any_of(models.DeadLetter.status, "Only these states."),
        "kind": any_of(models.DeadLetter.kind, "Only these kinds."),
        "partner_id": equals(models.DeadLetter.partner_id, "Only of this partner.", id_of="Partner"),
        "install_id": equals(models.DeadLetter.install_id, "Only of this install.", id_of="Install"),
    },
)
DeadLetterOrder = order_input("DeadLetter")


@bound(models.DeadLetter, requires="dead_letter:read", description="Work that failed for good and waits for a person.")
class DeadLetter(Node):
    """Work that failed for good and waits for a person."""

    kind: str = column(models.DeadLetter.kind, "Name of the handler.")
    payload: Any = redacted_values("payload", "Ids and small values; what may name a person is masked.")
    full_payload: Any = column(models.DeadLetter.payload, "The payload without masks.", requires="partner:pii")
    error: Any = redacted("error", str, "Why the last attempt failed; what may name a person is masked.")
    full_error: Any = column(models.DeadLetter.error, "The error without masks.", requires="partner:pii")
    attempts: int = column(models.DeadLetter.attempts, "Attempts made.")
    status: Any = column(models.DeadLetter.status, "What a person decided.")
    resolved_at: Any = column(models.DeadLetter.resolved_at, "When it was replayed or discarded.")
    created_at: Any = column(models.DeadLetter.created_at, "When the work was given up.")
    outbox_message: Any = to_one(
        "schema.effects.OutboxMessage",
        models.DeadLetter.outbox_message_id,
        "The message that failed.",
        requires="job:read",
    )
    partner: Any = to_one(
        "schema.partners.Partner",
        models.DeadLetter.partner_id,
        "The partner concerned, if there is one.",
        requires="partner:read",
    )
    install: Any = to_one(
        "schema.installs.Install",
        models.DeadLetter.install_id,
        "The install concerned, for example of a charge of coins, if there is one.",
        requires="install:read",
    )
    resolved_by: Any = to_one(
        "schema.access.User", models.DeadLetter.resolved_by_user_id, "Who decided.", requires="user:read"
    )


ProductEventFilter = filter_input(
    "ProductEvent",
    {
        "status": any_of(models.ProductEvent.status, "Only these states."),
        "type": any_of(models.ProductEvent.type, "Only these types."),
        "partner_id": equals(models.ProductEvent.partner_id, "Only of this partner.", id_of="Partner"),
        "product_id": equals(models.ProductEvent.product_id, "Only to this product.", id_of="Product"),
        "install_id": equals(models.ProductEvent.install_id, "Only of this install.", id_of="Install"),
        "created_from": at_least(models.ProductEvent.created_at, "Happened at this moment or later."),
        "created_before": before(models.ProductEvent.created_at, "Happened before this moment."),
    },
)
ProductEventOrder = order_input("ProductEvent", {"CREATED_AT": models.ProductEvent.created_at})


@bound(
    models.ProductEvent,
    requires="event:read",
    description="An event told to a product's endpoint with a Standard Webhooks signature (NOT-2).",
)
class ProductEvent(Node):
    """An event told to a product's endpoint."""

    event_id: str = column(models.ProductEvent.event_id, "The id that the product sees; the same for all attempts.")
    sequence: Any = column(models.ProductEvent.sequence, "Number within the install, from 1, without gaps.")
    type: str = column(models.ProductEvent.type, "What happened, for example `install.activated`.")
    payload: Any = column(models.ProductEvent.payload, "What is told.")
    endpoint: Any = column(
        models.ProductEvent.endpoint, "Where it was last sent; null where the product has no endpoint."
    )
    status: Any = column(models.ProductEvent.status, "State of the delivery.")
    delivered_at: Any = column(models.ProductEvent.delivered_at, "When the endpoint took it.")
    created_at: Any = column(models.ProductEvent.created_at, "When it happened.")
    partner: Any = to_one(
        "schema.partners.Partner", models.ProductEvent.partner_id, "Whose install it is.", requires="partner:read"
    )
    product: Any = to_one(
        "schema.catalog.Product", models.ProductEvent.product_id, "Which product is told.", requires="product:read"
    )
    install: Any = to_one(
        "schema.installs.Install", models.ProductEvent.install_id, "The install concerned.", requires="install:read"
    )
    deliveries: Any = to_many(
        "schema.effects.EventDelivery", models.EventDelivery.product_event_id, "Attempts to deliver it."
    )


EventCircuitFilter = filter_input(
    "EventCircuit",
    {
        "product_id": equals(models.EventCircuit.product_id, "Only of this product.", id_of="Product"),
        "disabled": equals(models.EventCircuit.disabled, "Only endpoints that get nothing more, or only others."),
    },
)
EventCircuitOrder = order_input("EventCircuit")


@bound(
    models.EventCircuit,
    requires="event:read",
    description="How an endpoint has answered lately; one that fails again and again is left alone a while (NOT-2).",
)
class EventCircuit(Node):
    """How an endpoint has answered lately."""

    endpoint: str = column(models.EventCircuit.endpoint, "The endpoint.")
    failures: int = column(models.EventCircuit.failures, "Failures in a row; from the fifth on there are pauses.")
    failing_since: Any = column(models.EventCircuit.failing_since, "When the failures in a row began.")
    disabled: bool = column(
        models.EventCircuit.disabled,
        "Whether nothing more is sent: it was gone (410), or failed for five days. A good `productPing` ends it.",
    )
    disabled_at: Any = column(models.EventCircuit.disabled_at, "Since when nothing more is sent.")
    open_until: Any = column(models.EventCircuit.open_until, "Until when nothing is sent; null while it is called on.")
    last_error: Any = column(models.EventCircuit.last_error, "What came of the last call; null where it was good.")
    updated_at: Any = column(models.EventCircuit.updated_at, "When it was last called.")
    product: Any = to_one(
        "schema.catalog.Product", models.EventCircuit.product_id, "Whose endpoint it is.", requires="product:read"
    )


EventPingFilter = filter_input(
    "EventPing", {"product_id": equals(models.EventPing.product_id, "Only of this product.", id_of="Product")}
)
EventPingOrder = order_input("EventPing")


@bound(models.EventPing, requires="event:read", description="A test call to an endpoint that a person asked for.")
class EventPing(Node):
    """A test call to an endpoint."""

    purpose: Any = column(models.EventPing.purpose, "Which of the product's endpoints.")
    endpoint: str = column(models.EventPing.endpoint, "Its address.")
    status_code: Any = column(models.EventPing.status_code, "HTTP status; null where there was no answer.")
    error: Any = column(models.EventPing.error, "Why it would not count as delivered; null where it would.")
    duration_ms: Any = column(models.EventPing.duration_ms, "Time to the answer, milliseconds.")
    done_at: Any = column(models.EventPing.done_at, "When it was made; null where we stopped before.")
    created_at: Any = column(models.EventPing.created_at, "When it was asked for.")
    product: Any = to_one(
        "schema.catalog.Product", models.EventPing.product_id, "Whose endpoint it is.", requires="product:read"
    )
    asked_by: Any = to_one(
        "schema.access.User", models.EventPing.asked_by_user_id, "Who asked for it.", requires="user:read"
    )


EventDeliveryFilter = filter_input(
    "EventDelivery",
    {"event_id": equals(models.EventDelivery.product_event_id, "Only of this event.", id_of="ProductEvent")},
)
EventDeliveryOrder = order_input("EventDelivery")


@bound(models.EventDelivery, requires="event:read", description="One attempt to deliver an event.")
class EventDelivery(Node):
    """One attempt to deliver an event."""

    attempt: int = column(models.EventDelivery.attempt, "Number of the attempt, from 1.")
    status_code: Any = column(models.EventDelivery.status_code, "HTTP status; null where there was no answer.")
    error: Any = column(models.EventDelivery.error, "Why it does not count as delivered; null where it does.")
    duration_ms: int = column(models.EventDelivery.duration_ms, "Time to the answer, milliseconds.")
    created_at: Any = column(models.EventDelivery.created_at, "When it was made.")
    event: Any = to_one("schema.effects.ProductEvent", models.EventDelivery.product_event_id, "The event.")


IdempotencyRecordFilter = filter_input(
    "IdempotencyRecord",
    {
        "key": equals(models.IdempotencyRecord.key, "Only of this key.", requires="partner:pii"),
        "mutation": equals(models.IdempotencyRecord.mutation, "Only of this mutation."),
        "partner_id": equals(models.IdempotencyRecord.partner_id, "Only of this partner.", id_of="Partner"),
    },
)
IdempotencyRecordOrder = order_input("IdempotencyRecord", {"EXPIRES_AT": models.IdempotencyRecord.expires_at})


@bound(
    models.IdempotencyRecord,
    requires="job:read",
    description="That a mutation ran under a caller's key, so that a repeat changes nothing (API-2).",
)
class IdempotencyRecord(Node):
    """That a mutation ran under a caller's key."""

    key: str = column(
        models.IdempotencyRecord.key,
        "The caller's key; its own words, so they may name people.",
        requires="partner:pii",
    )
    mutation: str = column(models.IdempotencyRecord.mutation, "Name of the mutation.")
    expires_at: Any = column(models.IdempotencyRecord.expires_at, "Until when a repeat gets the stored result.")
    created_at: Any = column(models.IdempotencyRecord.created_at, "When the mutation ran.")
    partner: Any = to_one(
        "schema.partners.Partner",
        models.IdempotencyRecord.partner_id,
        "The partner concerned, if there is one.",
        requires="partner:read",
    )
