WITH scope AS MATERIALIZED (SELECT nullif(set_config('kontora.partner_id', $6::text, true), '')::bigint AS partner_id) SELECT (SELECT '{"nodes":[' || coalesce(string_agg('{"number":' || to_json(t1.number)::text || '}', ','
ORDER BY t1.created_at DESC, t1.id DESC), '') || ']}'
FROM (SELECT t1.*
FROM invoices t1
WHERE t1.partner_id = scope.partner_id
ORDER BY t1.created_at ASC, t1.id ASC LIMIT 1) t1), ('{"totalCount":' || (SELECT count(*)::text
FROM invoices t2
WHERE t2.partner_id = scope.partner_id AND t2.status = 'PENDING') || '}'), coalesce((SELECT '{"__typename":"Invoice","id":"' || encode(('Invoice:' || t3.id)::bytea, 'base64') || '","number":' || to_json(t3.number)::text || '}'
FROM (SELECT t3.*
FROM invoices t3
WHERE t3.id = $1::bigint AND t3.partner_id = scope.partner_id LIMIT 1) t3), 'null'), coalesce((SELECT '{"id":"' || encode(('Invoice:' || t4.id)::bytea, 'base64') || '"}'
FROM (SELECT t4.*
FROM invoices t4
WHERE t4.id = $2::bigint AND t4.partner_id = scope.partner_id LIMIT 1) t4), 'null'), '[' || coalesce((SELECT '{"id":"' || encode(('Invoice:' || t5.id)::bytea, 'base64') || '"}'
FROM (SELECT t5.*
FROM invoices t5
WHERE t5.id = $3::bigint AND t5.partner_id = scope.partner_id LIMIT 1) t5), 'null') || ',' || coalesce((SELECT '{"id":"' || encode(('Invoice:' || t6.id)::bytea, 'base64') || '"}'
FROM (SELECT t6.*
FROM invoices t6
WHERE t6.id = $4::bigint AND t6.partner_id = scope.partner_id LIMIT 1) t6), 'null') || ',' || coalesce((SELECT '{"id":"' || encode(('Product:' || t7.id)::bytea, 'base64') || '","name":' || to_json(t7.name)::text || '}'
FROM (SELECT t7.*
FROM products t7
WHERE t7.id = $5::bigint LIMIT 1) t7), 'null') || ']'
FROM scope
