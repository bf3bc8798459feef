WITH page0 AS MATERIALIZED (SELECT t1.*
FROM invoices t1
ORDER BY t1.id DESC LIMIT 4), log AS (INSERT INTO access_log_entries (operation_name, document_hash, fields, user_id, roles, request_id, ip, reason, access_grant_id, partner_ids) SELECT $1::text, $2::text, $3::text[], $4::bigint, $5::text[], $6::text, $7::text, coalesce($8::text, (SELECT s.access_reason
FROM sessions s
WHERE s.id = $9::bigint AND s.access_reason_until > $10::timestamptz)), NULL::bigint, coalesce(array_agg(DISTINCT partner) FILTER (WHERE partner IS NOT NULL), '{}')
FROM (SELECT t1.partner_id AS partner
FROM page0 t1) seen) SELECT t1.number, t1.status, t1.total::text, t1.currency, t1.due_at, t1.paid_at, t1.id
FROM page0 t1
