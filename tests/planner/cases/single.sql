WITH scope AS MATERIALIZED (SELECT nullif(set_config('kontora.partner_id', $2::text, true), '')::bigint AS partner_id) SELECT t1.id, t1.name, (SELECT '{"nodes":[' || coalesce(string_agg('{"product":' || (SELECT '{"name":' || to_json(t3.name)::text || '}'
FROM products t3
WHERE t3.id = t2.product_id) || ',"wallet":' || coalesce((SELECT '{"balance":"' || t4.balance || '"}'
FROM wallets t4
WHERE t4.install_id = t2.id AND t4.partner_id = scope.partner_id), 'null') || '}', ','
ORDER BY t2.id DESC), '') || ']}'
FROM (SELECT t2.id, t2.partner_id, t2.product_id, t2.status, t2.subscription_kind, t2.subscribed_until, t2.installed_by_contact_id, t2.activated_at, t2.disabled_at, t2.event_sequence, t2.created_at, t2.updated_at
FROM installs t2
WHERE t2.partner_id = t1.id AND t2.partner_id = scope.partner_id
ORDER BY t2.id DESC LIMIT 2) t2)
FROM scope
CROSS JOIN LATERAL (SELECT t1.id, t1.name, t1.legal_name, t1.inn, t1.kpp, t1.segment, t1.deployment, t1.status, t1.status_reason, t1.connected_at, t1.account_manager_id, t1.amocrm_account_id, t1.amocrm_domain, t1.version, t1.created_at, t1.updated_at
FROM partners t1
WHERE t1.id = $1::bigint AND t1.id = scope.partner_id LIMIT 1) t1
