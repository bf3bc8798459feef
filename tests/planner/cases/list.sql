WITH page0 AS MATERIALIZED (SELECT kept.created_at, kept.currency, kept.due_at, kept.id, kept.number, kept.paid_at, kept.partner_id, kept.status, kept.total
FROM (SELECT t1.*
FROM invoices t1
ORDER BY t1.created_at DESC, t1.id DESC LIMIT 4) kept), log AS (INSERT INTO access_log_entries (operation_name, document_hash, fields, user_id, roles, request_id, ip, reason, access_grant_id, partner_ids) SELECT 'List'::text, '9111d1742cf2947a80b809995b880f87e7324c649c5915ca01fadf530a3ec6cd'::text, ARRAY['Invoice.dueAt'::text, 'Invoice.number'::text, 'Invoice.paidAt'::text, 'Invoice.status'::text, 'Invoice.total'::text, 'InvoiceConnection.nodes'::text, 'InvoiceConnection.pageInfo'::text, 'Money.amount'::text, 'Money.currency'::text, 'PageInfo.endCursor'::text, 'PageInfo.hasNextPage'::text, 'Reads.invoices'::text]::text[], $1::bigint, $2::text[], $3::text, $4::text, coalesce($5::text, (SELECT s.access_reason
FROM sessions s
WHERE s.id = $6::bigint AND s.access_reason_until > $7::timestamptz)), NULL::bigint, coalesce(array_agg(DISTINCT partner) FILTER (WHERE partner IS NOT NULL), '{}')
FROM (SELECT t1.partner_id AS partner
FROM page0 t1) seen RETURNING id, partner_ids), log_links AS (INSERT INTO access_log_partners (partner_id, entry_id) SELECT unnest(partner_ids), id
FROM log) SELECT t1.number, t1.status, t1.total::text, t1.currency, t1.due_at, t1.paid_at, t1.created_at::text, t1.id
FROM page0 t1
