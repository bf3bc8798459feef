"""Events of many installs in one statement, for the runs that are one statement a chunk (NOT-2)."""

from __future__ import annotations

from domain.events import EVENT_TYPES

# The number of this transaction.
HERE = "pg_current_xact_id()::text::bigint"
# A moment as `datetime.isoformat` writes it.
ISO = "to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"


def emit_many(source: str, type: str) -> str:
    """Common table expressions that write what `services.events.emit` writes, one event a row of ``source``.

    The statement binds ``told_at`` (the moment as ISO text) and ``ORIGIN``; the installs of ``source`` are
    locked, and each is there once.

    Parameters:
        source: name of an earlier expression with ``install_id``, ``partner_id``, ``product_id`` and ``data``.
        type: one of ``EVENT_TYPES``.

    Raises:
        KeyError: there is no such type of event.
    """
    endpoint = f"products.{EVENT_TYPES[type].endpoint.column}"
    return f"""
    numbered AS (
        UPDATE installs SET event_sequence = event_sequence + 1, event_xid = greatest(event_xid, {HERE})
        FROM {source} WHERE installs.id = {source}.install_id
        RETURNING installs.id, installs.event_sequence, installs.event_xid
    ),
    events AS (
        INSERT INTO product_events (event_id, partner_id, product_id, install_id, sequence, order_xid, type, payload,
            endpoint, status)
        SELECT 'evt_' || replace(gen_random_uuid()::text, '-', ''), partner_id, product_id, install_id,
            numbered.event_sequence, numbered.event_xid, '{type}', jsonb_build_object(
                'type', '{type}', 'timestamp', :told_at, 'installId', install_id::text, 'data', data),
            {endpoint},
            CASE WHEN {endpoint} IS NULL OR products.event_secret_encrypted IS NULL THEN 'SKIPPED' ELSE 'PENDING' END
        FROM {source} JOIN numbered ON numbered.id = install_id JOIN products ON products.id = product_id
        RETURNING id, install_id, partner_id, status
    ),
    messages AS (
        INSERT INTO outbox_messages (kind, payload, ordering_key, partner_id, request_id, traceparent)
        SELECT 'event.deliver', jsonb_build_object('eventId', id), 'install:' || install_id, partner_id,
            :request_id, :traceparent
        FROM events WHERE status = 'PENDING'
    )"""  # noqa: S608 - names of our own tables and types
