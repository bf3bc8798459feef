WITH scope AS MATERIALIZED (SELECT nullif(set_config('kontora.partner_id', $1::text, true), '')::bigint AS partner_id) SELECT chr(1) || '0:[' || coalesce('"' || (t1.status) || '"', 'null') || ']' || chr(2), (SELECT '{"nodes":[' || coalesce(string_agg('{"subscriptions":' || (SELECT '{"nodes":[' || coalesce(string_agg('{"allowedActions":' || chr(1) || '1:[' || coalesce('"' || (t3.status) || '"', 'null') || ',' || coalesce('"' || (t3.plan_id) || '"', 'null') || ',' || coalesce('"' || replace(to_char((t3.paused_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '"', 'null') || ',' || coalesce('"' || replace(to_char((t3.ends_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '"', 'null') || ',' || coalesce((t3.cancel_at_period_end)::text, 'null') || ',' || coalesce((num_nonnulls(t3.pending_plan_id, t3.pending_term, t3.pending_seats, t3.pending_unit_price) > 0)::text, 'null') || ',' || coalesce((t3.pending_seats)::text, 'null') || ',' || coalesce(to_json((
        SELECT i.number
FROM invoices i
WHERE i.subscription_id = t3.id AND i.kind IN ('PLAN_CHANGE', 'SEATS_UPGRADE')
            AND i.status IN ('ACTION_REQUIRED', 'CHARGING', 'FAILED', 'PENDING')
ORDER BY i.id LIMIT 1
    ))::text, 'null') || ',' || coalesce(to_json((
        SELECT i.number
FROM invoices i
WHERE i.subscription_id = t3.id AND i.kind IN ('PLAN_CHANGE', 'SEATS_UPGRADE')
            AND i.status IN ('CHARGING')
ORDER BY i.id LIMIT 1
    ))::text, 'null') || ',' || coalesce(to_json((
        SELECT i.number
FROM invoices i
WHERE i.subscription_id = t3.id AND i.kind IN ('RENEWAL')
            AND i.status IN ('ACTION_REQUIRED', 'CHARGING', 'FAILED', 'PENDING')
ORDER BY i.id LIMIT 1
    ))::text, 'null') || ',' || coalesce(to_json((
        SELECT i.number
FROM invoices i
WHERE i.subscription_id = t3.id AND i.kind IN ('RENEWAL')
            AND i.status IN ('CHARGING')
ORDER BY i.id LIMIT 1
    ))::text, 'null') || ',' || coalesce('"' || (SELECT s.status
FROM installs s
WHERE s.id = t3.install_id) || '"', 'null') || ',' || coalesce((EXISTS (SELECT
FROM subscriptions o
WHERE o.install_id = t3.install_id AND o.id <> t3.id AND o.status IN ('ACTIVE', 'PAST_DUE', 'TRIAL')))::text, 'null') || ',' || coalesce('"' || (SELECT p.status
FROM partners p
WHERE p.id = t3.partner_id) || '"', 'null') || ']' || chr(2) || '}', ','
ORDER BY t3.id DESC), '') || ']}'
FROM (SELECT t3.*
FROM subscriptions t3
WHERE t3.install_id = t2.id AND t3.partner_id = scope.partner_id
ORDER BY t3.id DESC LIMIT 1) t3) || '}', ','
ORDER BY t2.created_at DESC, t2.id DESC), '') || ']}'
FROM (SELECT t2.*
FROM installs t2
WHERE t2.partner_id = t1.id AND t2.partner_id = scope.partner_id
ORDER BY t2.created_at DESC, t2.id DESC LIMIT 2) t2)
FROM scope
CROSS JOIN LATERAL (SELECT t1.*
FROM partners t1
WHERE t1.id = scope.partner_id
ORDER BY t1.id DESC LIMIT 1) t1
