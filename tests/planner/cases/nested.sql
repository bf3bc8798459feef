WITH page0 AS MATERIALIZED (SELECT kept.*
FROM (SELECT t1.*
FROM partners t1
ORDER BY t1.name ASC, t1.id ASC LIMIT 5) kept), log AS (INSERT INTO access_log_entries (operation_name, document_hash, fields, user_id, roles, request_id, ip, reason, access_grant_id, partner_ids) SELECT 'Nested'::text, '96b6e511e3c41e3fa59d88fbd51682cda6f8952b0f19d23eb58bf69433c48baf'::text, ARRAY['Install.invoices'::text, 'Install.product'::text, 'Install.subscription'::text, 'InstallConnection.nodes'::text, 'InstallConnection.totalCount'::text, 'Invoice.lines'::text, 'Invoice.number'::text, 'Invoice.payments'::text, 'InvoiceConnection.nodes'::text, 'InvoiceConnection.pageInfo'::text, 'InvoiceLine.amount'::text, 'InvoiceLine.position'::text, 'Money.amount'::text, 'Money.currency'::text, 'PageInfo.endCursor'::text, 'PageInfo.hasNextPage'::text, 'PageInfo.hasPreviousPage'::text, 'PageInfo.startCursor'::text, 'Partner.installs'::text, 'Partner.name'::text, 'PartnerConnection.edges'::text, 'PartnerConnection.totalCount'::text, 'PartnerEdge.cursor'::text, 'PartnerEdge.node'::text, 'Payment.amount'::text, 'Payment.status'::text, 'PaymentConnection.nodes'::text, 'Plan.name'::text, 'Plan.prices'::text, 'PlanPrice.unitPrice'::text, 'Product.name'::text, 'Reads.partners'::text, 'Subscription.plan'::text, 'Subscription.seats'::text]::text[], $3::bigint, $4::text[], $5::text, $6::text, coalesce($7::text, (SELECT s.access_reason
FROM sessions s
WHERE s.id = $8::bigint AND s.access_reason_until > $9::timestamptz)), NULL::bigint, coalesce(array_agg(DISTINCT partner) FILTER (WHERE partner IS NOT NULL), '{}')
FROM (SELECT t1.id AS partner
FROM page0 t1) seen RETURNING id, partner_ids), log_links AS (INSERT INTO access_log_partners (partner_id, entry_id) SELECT unnest(partner_ids), id
FROM log) SELECT (SELECT '{"totalCount":' || (SELECT count(*)::text
FROM partners t1) || ',"edges":[' || coalesce(string_agg('{"cursor":"' || translate(encode(convert_to('["NAME",' || to_json(t1.name::text)::text || ',' || t1.id || ']', 'UTF8'), 'base64'), E'\n', '') || '","node":' || '{"name":' || to_json(t1.name)::text || ',"installs":' || (SELECT '{"totalCount":' || (SELECT count(*)::text
FROM installs t2
WHERE t2.partner_id = t1.id) || ',"nodes":[' || coalesce(string_agg('{"product":' || (SELECT '{"name":' || to_json(t3.name)::text || '}'
FROM products t3
WHERE t3.id = t2.product_id) || ',"subscription":' || coalesce((SELECT '{"seats":' || t4.seats::text || ',"plan":' || coalesce((SELECT '{"name":' || to_json(t5.name)::text || ',"prices":' || (SELECT '[' || coalesce(string_agg('{"unitPrice":' || ('{"amount":"' || t6.unit_price || '"}') || '}', ','
ORDER BY t6.id, t6.id), '') || ']'
FROM plan_prices t6
WHERE t6.plan_id = t5.id) || '}'
FROM plans t5
WHERE t5.id = t4.plan_id), 'null') || '}'
FROM subscriptions t4
WHERE t4.install_id = t2.id AND t4.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')), 'null') || ',"invoices":' || (SELECT '{"nodes":[' || coalesce(string_agg(p.c1, ','
ORDER BY p.n) FILTER (WHERE p.n <= 2), '') || '],"pageInfo":' || '{"hasNextPage":' || (count(*) > 2)::text || ',"hasPreviousPage":true,"startCursor":' || coalesce((array_agg(p.k
ORDER BY p.n) FILTER (WHERE p.n <= 2))[1], 'null') || ',"endCursor":' || coalesce((array_agg(p.k
ORDER BY p.n DESC) FILTER (WHERE p.n <= 2))[1], 'null') || '}' || '}'
FROM (SELECT '{"number":' || to_json(t7.number)::text || ',"lines":' || (SELECT '[' || coalesce(string_agg('{"position":' || t8.position::text || ',"amount":' || ('{"amount":"' || t8.amount || '"}') || '}', ','
ORDER BY t8.position, t8.id), '') || ']'
FROM invoice_lines t8
WHERE t8.invoice_id = t7.id) || ',"payments":' || (SELECT '{"nodes":[' || coalesce(string_agg('{"status":"' || t9.status || '","amount":' || ('{"amount":"' || t9.amount || '","currency":' || to_json(t9.currency)::text || '}') || '}', ','
ORDER BY t9.created_at DESC, t9.id DESC), '') || ']}'
FROM (SELECT t9.*
FROM payments t9
WHERE t9.invoice_id = t7.id
ORDER BY t9.created_at DESC, t9.id DESC LIMIT 1) t9) || '}' AS c1, row_number() OVER (ORDER BY t7.created_at DESC, t7.id DESC) AS n, '"' || translate(encode(convert_to('["CREATED_AT",' || to_json(t7.created_at::text)::text || ',' || t7.id || ']', 'UTF8'), 'base64'), E'\n', '') || '"' AS k
FROM (SELECT t7.*
FROM invoices t7
WHERE t7.install_id = t2.id AND (t7.created_at, t7.id) < ($2::text::timestamptz, $1::bigint)
ORDER BY t7.created_at DESC, t7.id DESC LIMIT 3) t7) p GROUP BY ()) || '}', ','
ORDER BY t2.created_at DESC, t2.id DESC), '') || ']}'
FROM (SELECT t2.*
FROM installs t2
WHERE t2.partner_id = t1.id
ORDER BY t2.created_at ASC, t2.id ASC LIMIT 1) t2) || '}' || '}', ','
ORDER BY t1.name ASC, t1.id ASC), '') || ']}'
FROM page0 t1)
