WITH page0 AS MATERIALIZED (SELECT t1.id, t1.partner_id, t1.install_id, t1.subscription_id, t1.legal_entity, t1.year, t1.sequence, t1.number, t1.kind, t1.status, t1.plan_id, t1.term, t1.seats, t1.unit_price, t1.period_start, t1.period_end, t1.currency, t1.total, t1.vat_rate, t1.vat_amount, t1.auto_renew, t1.due_at, t1.paid_at, t1.canceled_at, t1.settled_by_user_id, t1.settlement_note, t1.created_at, t1.updated_at
FROM invoices t1
ORDER BY t1.id DESC LIMIT 4), log AS (INSERT INTO access_log_entries (operation_name, document_hash, fields, partner_ids, user_id, request_id, ip, reason) SELECT $1::text, $2::text, $3::text[], coalesce(array_agg(DISTINCT partner), '{}'), $4::bigint, $5::text, $6::text, $7::text
FROM (SELECT partner_id AS partner
FROM page0) seen) SELECT t1.number, t1.status, t1.total::text, t1.currency, t1.due_at, t1.paid_at, t1.id
FROM page0 t1
