WITH scope AS MATERIALIZED (SELECT nullif(set_config('kontora.partner_id', $7::text, true), '')::bigint AS partner_id) SELECT (SELECT '{"nodes":[' || coalesce(string_agg('{"number":' || to_json(t1.number)::text || '}', ','
ORDER BY t1.id DESC), '') || ']}'
FROM (SELECT t1.id, t1.partner_id, t1.install_id, t1.subscription_id, t1.legal_entity, t1.year, t1.sequence, t1.number, t1.kind, t1.status, t1.plan_id, t1.term, t1.seats, t1.unit_price, t1.period_start, t1.period_end, t1.currency, t1.total, t1.vat_rate, t1.vat_amount, t1.auto_renew, t1.due_at, t1.paid_at, t1.canceled_at, t1.settled_by_user_id, t1.settlement_note, t1.created_at, t1.updated_at
FROM invoices t1
WHERE t1.partner_id = scope.partner_id
ORDER BY t1.id ASC LIMIT 1) t1), ('{"totalCount":' || (SELECT count(*)::text
FROM invoices t2
WHERE t2.partner_id = scope.partner_id AND t2.status = ANY ($1::text[])) || '}'), coalesce((SELECT '{"__typename":"Invoice","id":"' || encode(('Invoice:' || t3.id)::bytea, 'base64') || '","number":' || to_json(t3.number)::text || '}'
FROM (SELECT t3.id, t3.partner_id, t3.install_id, t3.subscription_id, t3.legal_entity, t3.year, t3.sequence, t3.number, t3.kind, t3.status, t3.plan_id, t3.term, t3.seats, t3.unit_price, t3.period_start, t3.period_end, t3.currency, t3.total, t3.vat_rate, t3.vat_amount, t3.auto_renew, t3.due_at, t3.paid_at, t3.canceled_at, t3.settled_by_user_id, t3.settlement_note, t3.created_at, t3.updated_at
FROM invoices t3
WHERE t3.id = $2::bigint AND t3.partner_id = scope.partner_id LIMIT 1) t3), 'null'), coalesce((SELECT '{"id":"' || encode(('Invoice:' || t4.id)::bytea, 'base64') || '"}'
FROM (SELECT t4.id, t4.partner_id, t4.install_id, t4.subscription_id, t4.legal_entity, t4.year, t4.sequence, t4.number, t4.kind, t4.status, t4.plan_id, t4.term, t4.seats, t4.unit_price, t4.period_start, t4.period_end, t4.currency, t4.total, t4.vat_rate, t4.vat_amount, t4.auto_renew, t4.due_at, t4.paid_at, t4.canceled_at, t4.settled_by_user_id, t4.settlement_note, t4.created_at, t4.updated_at
FROM invoices t4
WHERE t4.id = $3::bigint AND t4.partner_id = scope.partner_id LIMIT 1) t4), 'null'), '[' || coalesce((SELECT '{"id":"' || encode(('Invoice:' || t5.id)::bytea, 'base64') || '"}'
FROM (SELECT t5.id, t5.partner_id, t5.install_id, t5.subscription_id, t5.legal_entity, t5.year, t5.sequence, t5.number, t5.kind, t5.status, t5.plan_id, t5.term, t5.seats, t5.unit_price, t5.period_start, t5.period_end, t5.currency, t5.total, t5.vat_rate, t5.vat_amount, t5.auto_renew, t5.due_at, t5.paid_at, t5.canceled_at, t5.settled_by_user_id, t5.settlement_note, t5.created_at, t5.updated_at
FROM invoices t5
WHERE t5.id = $4::bigint AND t5.partner_id = scope.partner_id LIMIT 1) t5), 'null') || ',' || coalesce((SELECT '{"id":"' || encode(('Invoice:' || t6.id)::bytea, 'base64') || '"}'
FROM (SELECT t6.id, t6.partner_id, t6.install_id, t6.subscription_id, t6.legal_entity, t6.year, t6.sequence, t6.number, t6.kind, t6.status, t6.plan_id, t6.term, t6.seats, t6.unit_price, t6.period_start, t6.period_end, t6.currency, t6.total, t6.vat_rate, t6.vat_amount, t6.auto_renew, t6.due_at, t6.paid_at, t6.canceled_at, t6.settled_by_user_id, t6.settlement_note, t6.created_at, t6.updated_at
FROM invoices t6
WHERE t6.id = $5::bigint AND t6.partner_id = scope.partner_id LIMIT 1) t6), 'null') || ',' || coalesce((SELECT '{"id":"' || encode(('Product:' || t7.id)::bytea, 'base64') || '","name":' || to_json(t7.name)::text || '}'
FROM (SELECT t7.id, t7.name, t7.code, t7.kind, t7.status, t7.technical_account_url, t7.client_uuid, t7.project_token_hint, t7.trial_days, t7.wallet_enabled, t7.install_bonus, t7.subscriptions_enabled, t7.install_endpoint, t7.activate_endpoint, t7.disable_endpoint, t7.version, t7.created_at, t7.updated_at
FROM products t7
WHERE t7.id = $6::bigint LIMIT 1) t7), 'null') || ']'
FROM scope
