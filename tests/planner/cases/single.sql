WITH scope AS MATERIALIZED (SELECT nullif(set_config('kontora.partner_id', $2::text, true), '')::bigint AS partner_id) SELECT t1.id, t1.name, (SELECT '{"nodes":[' || coalesce(string_agg('{"product":' || (SELECT '{"name":' || to_json(t3.name)::text || '}'
FROM products t3
WHERE t3.id = t2.product_id) || ',"wallet":' || coalesce((SELECT '{"balance":"' || t4.balance || '"}'
FROM wallets t4
WHERE t4.install_id = t2.id AND t4.partner_id = scope.partner_id), 'null') || '}', ','
ORDER BY t2.created_at DESC, t2.id DESC), '') || ']}'
FROM (SELECT t2.*
FROM installs t2
WHERE t2.partner_id = t1.id AND t2.partner_id = scope.partner_id
ORDER BY t2.created_at DESC, t2.id DESC LIMIT 2) t2)
FROM scope
CROSS JOIN LATERAL (SELECT t1.*
FROM partners t1
WHERE t1.id = $1::bigint AND t1.id = scope.partner_id LIMIT 1) t1
