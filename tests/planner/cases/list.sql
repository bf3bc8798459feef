WITH page0 AS MATERIALIZED (SELECT t1.*
FROM invoices t1
ORDER BY t1.id DESC LIMIT 4), log AS (INSERT INTO access_log_entries (operation_name, document_hash, fields, partner_ids, user_id, request_id, ip, reason) SELECT $1::text, $2::text, $3::text[], coalesce(array_agg(DISTINCT partner), '{}'), $4::bigint, $5::text, $6::text, $7::text
FROM (SELECT partner_id AS partner
FROM page0) seen) SELECT t1.number, t1.status, t1.total::text, t1.currency, t1.due_at, t1.paid_at, t1.id
FROM page0 t1
