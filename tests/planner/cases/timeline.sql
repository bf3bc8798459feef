WITH page0 AS MATERIALIZED (SELECT kept.id, kept.moment, kept.partner_id, kept.type
FROM (SELECT m.*
FROM ((SELECT t2.created_at AS moment, 'TimelineContract'::text AS type, t2.id AS id, t2.partner_id AS partner_id
FROM partner_contracts t2
WHERE t2.partner_id = $1::bigint AND ('CONTRACT') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t2.created_at >= $2::timestamptz AND t2.created_at <= $3::text::timestamptz AND (t2.created_at, 'TimelineContract'::text COLLATE "C", t2.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t2.created_at DESC, t2.id DESC LIMIT 5)
UNION ALL (SELECT t3.created_at AS moment, 'TimelineDocument'::text AS type, t3.id AS id, t3.partner_id AS partner_id
FROM partner_documents t3
WHERE t3.partner_id = $1::bigint AND ('DOCUMENT') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t3.created_at >= $2::timestamptz AND t3.created_at <= $3::text::timestamptz AND (t3.created_at, 'TimelineDocument'::text COLLATE "C", t3.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t3.created_at DESC, t3.id DESC LIMIT 5)
UNION ALL (SELECT t4.created_at AS moment, 'TimelineEvent'::text AS type, t4.id AS id, t4.partner_id AS partner_id
FROM product_events t4
WHERE t4.partner_id = $1::bigint AND ('EVENT') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t4.created_at >= $2::timestamptz AND t4.created_at <= $3::text::timestamptz AND (t4.created_at, 'TimelineEvent'::text COLLATE "C", t4.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t4.created_at DESC, t4.id DESC LIMIT 5)
UNION ALL (SELECT t5.created_at AS moment, 'TimelineInvoice'::text AS type, t5.id AS id, t5.partner_id AS partner_id
FROM invoices t5
WHERE t5.partner_id = $1::bigint AND ('INVOICE') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t5.created_at >= $2::timestamptz AND t5.created_at <= $3::text::timestamptz AND (t5.created_at, 'TimelineInvoice'::text COLLATE "C", t5.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t5.created_at DESC, t5.id DESC LIMIT 5)
UNION ALL (SELECT t6.created_at AS moment, 'TimelineNote'::text AS type, t6.id AS id, t6.partner_id AS partner_id
FROM partner_notes t6
WHERE t6.partner_id = $1::bigint AND (t6.kind) IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t6.created_at >= $2::timestamptz AND t6.created_at <= $3::text::timestamptz AND (t6.created_at, 'TimelineNote'::text COLLATE "C", t6.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t6.created_at DESC, t6.id DESC LIMIT 5)
UNION ALL (SELECT t7.created_at AS moment, 'TimelineOnboarding'::text AS type, t7.id AS id, t7.partner_id AS partner_id
FROM onboarding_changes t7
WHERE t7.partner_id = $1::bigint AND (CASE WHEN t7.action IN ('help_asked', 'help_given') THEN 'HELP' ELSE 'ONBOARDING' END) IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t7.created_at >= $2::timestamptz AND t7.created_at <= $3::text::timestamptz AND (t7.created_at, 'TimelineOnboarding'::text COLLATE "C", t7.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t7.created_at DESC, t7.id DESC LIMIT 5)
UNION ALL (SELECT t8.created_at AS moment, 'TimelinePayment'::text AS type, t8.id AS id, t8.partner_id AS partner_id
FROM payments t8
WHERE t8.partner_id = $1::bigint AND ('PAYMENT') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t8.created_at >= $2::timestamptz AND t8.created_at <= $3::text::timestamptz AND (t8.created_at, 'TimelinePayment'::text COLLATE "C", t8.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t8.created_at DESC, t8.id DESC LIMIT 5)
UNION ALL (SELECT t9.created_at AS moment, 'TimelineRefund'::text AS type, t9.id AS id, t9.partner_id AS partner_id
FROM refunds t9
WHERE t9.partner_id = $1::bigint AND ('REFUND') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t9.created_at >= $2::timestamptz AND t9.created_at <= $3::text::timestamptz AND (t9.created_at, 'TimelineRefund'::text COLLATE "C", t9.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t9.created_at DESC, t9.id DESC LIMIT 5)
UNION ALL (SELECT t10.created_at AS moment, 'TimelineSignIn'::text AS type, t10.id AS id, t10.partner_id AS partner_id
FROM sessions t10
WHERE t10.partner_id = $1::bigint AND ('SIGN_IN') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t10.created_at >= $2::timestamptz AND t10.created_at <= $3::text::timestamptz AND (t10.created_at, 'TimelineSignIn'::text COLLATE "C", t10.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t10.created_at DESC, t10.id DESC LIMIT 5)
UNION ALL (SELECT t11.created_at AS moment, 'TimelineStatusChange'::text AS type, t11.id AS id, t11.partner_id AS partner_id
FROM partner_status_changes t11
WHERE t11.partner_id = $1::bigint AND ('STATUS_CHANGE') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t11.created_at >= $2::timestamptz AND t11.created_at <= $3::text::timestamptz AND (t11.created_at, 'TimelineStatusChange'::text COLLATE "C", t11.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t11.created_at DESC, t11.id DESC LIMIT 5)
UNION ALL (SELECT t12.created_at AS moment, 'TimelineSubscriptionChange'::text AS type, t12.id AS id, t12.partner_id AS partner_id
FROM subscription_changes t12
WHERE t12.partner_id = $1::bigint AND ('SUBSCRIPTION_CHANGE') IN ('NOTE', 'CALL', 'MEETING', 'STATUS_CHANGE', 'INVOICE', 'PAYMENT') AND t12.created_at >= $2::timestamptz AND t12.created_at <= $3::text::timestamptz AND (t12.created_at, 'TimelineSubscriptionChange'::text COLLATE "C", t12.id) < ($3::text::timestamptz, $4::text COLLATE "C", $5::bigint)
ORDER BY t12.created_at DESC, t12.id DESC LIMIT 5)) m
ORDER BY m.moment DESC, m.type COLLATE "C" DESC, m.id DESC LIMIT 5) kept), log AS (INSERT INTO access_log_entries (operation_name, document_hash, fields, user_id, roles, request_id, ip, reason, access_grant_id, partner_ids) SELECT NULL::text, '07ff5facbd2f65ea48ae8e7c1a74d05569c87ed11268ab75c9c78be51a9e92eb'::text, ARRAY['Invoice.number'::text, 'Money.amount'::text, 'Money.currency'::text, 'PageInfo.endCursor'::text, 'PageInfo.hasNextPage'::text, 'PartnerNote.body'::text, 'PartnerNote.kind'::text, 'PartnerStatusChange.reason'::text, 'PartnerStatusChange.toStatus'::text, 'Payment.amount'::text, 'Payment.invoice'::text, 'Reads.partnerTimeline'::text, 'TimelineEntry.__typename'::text, 'TimelineEntry.actor'::text, 'TimelineEntry.happenedAt'::text, 'TimelineEntry.kind'::text, 'TimelineEntryConnection.edges'::text, 'TimelineEntryConnection.pageInfo'::text, 'TimelineEntryEdge.cursor'::text, 'TimelineEntryEdge.node'::text, 'TimelineNote.note'::text, 'TimelinePayment.payment'::text, 'TimelineStatusChange.statusChange'::text, 'User.id'::text]::text[], $6::bigint, $7::text[], $8::text, $9::text, coalesce($10::text, (SELECT s.access_reason
FROM sessions s
WHERE s.id = $11::bigint AND s.access_reason_until > $12::timestamptz)), NULL::bigint, coalesce(array_agg(DISTINCT partner) FILTER (WHERE partner IS NOT NULL), '{}')
FROM (SELECT t1.partner_id AS partner
FROM page0 t1
UNION SELECT t27.partner_id AS partner
FROM page0 t1
CROSS JOIN LATERAL (SELECT t26.*
FROM sessions t26
WHERE t26.id = t1.id AND t1.type = 'TimelineSignIn' ) t26
CROSS JOIN LATERAL (SELECT t27.*
FROM users t27
WHERE t27.id = t26.user_id ) t27) seen RETURNING id, partner_ids), log_links AS (INSERT INTO access_log_partners (partner_id, entry_id) SELECT unnest(partner_ids), id
FROM log) SELECT (SELECT '{"edges":[' || coalesce(string_agg(p.c1, ','
ORDER BY p.n) FILTER (WHERE p.n <= 4), '') || '],"pageInfo":' || '{"hasNextPage":' || (count(*) > 4)::text || ',"endCursor":' || coalesce((array_agg(p.k
ORDER BY p.n DESC) FILTER (WHERE p.n <= 4))[1], 'null') || '}' || '}'
FROM (SELECT '{"cursor":"' || translate(encode(convert_to('["HAPPENED_AT",' || to_json(t1.moment::text)::text || ',"' || t1.type || '",' || t1.id || ']', 'UTF8'), 'base64'), E'\n', '') || '","node":' || CASE t1.type WHEN 'TimelineContract' THEN (SELECT '{"__typename":"TimelineContract","kind":"' || ('CONTRACT') || '","happenedAt":"' || replace(to_char(t13.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":null}'
FROM partner_contracts t13
WHERE t13.id = t1.id) WHEN 'TimelineDocument' THEN (SELECT '{"__typename":"TimelineDocument","kind":"' || ('DOCUMENT') || '","happenedAt":"' || replace(to_char(t14.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t15.id)::bytea, 'base64') || '"}'
FROM users t15
WHERE t15.id = t14.uploaded_by_user_id), 'null') || '}'
FROM partner_documents t14
WHERE t14.id = t1.id) WHEN 'TimelineEvent' THEN (SELECT '{"__typename":"TimelineEvent","kind":"' || ('EVENT') || '","happenedAt":"' || replace(to_char(t16.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":null}'
FROM product_events t16
WHERE t16.id = t1.id) WHEN 'TimelineInvoice' THEN (SELECT '{"__typename":"TimelineInvoice","kind":"' || ('INVOICE') || '","happenedAt":"' || replace(to_char(t17.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":null}'
FROM invoices t17
WHERE t17.id = t1.id) WHEN 'TimelineNote' THEN (SELECT '{"__typename":"TimelineNote","kind":"' || (t18.kind) || '","happenedAt":"' || replace(to_char(t18.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t19.id)::bytea, 'base64') || '"}'
FROM users t19
WHERE t19.id = t18.written_by_user_id), 'null') || ',"note":' || '{"kind":"' || t18.kind || '","body":' || to_json(t18.body)::text || '}' || '}'
FROM partner_notes t18
WHERE t18.id = t1.id) WHEN 'TimelineOnboarding' THEN (SELECT '{"__typename":"TimelineOnboarding","kind":"' || (CASE WHEN t20.action IN ('help_asked', 'help_given') THEN 'HELP' ELSE 'ONBOARDING' END) || '","happenedAt":"' || replace(to_char(t20.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t21.id)::bytea, 'base64') || '"}'
FROM users t21
WHERE t21.id = t20.actor_user_id), 'null') || '}'
FROM onboarding_changes t20
WHERE t20.id = t1.id) WHEN 'TimelinePayment' THEN (SELECT '{"__typename":"TimelinePayment","kind":"' || ('PAYMENT') || '","happenedAt":"' || replace(to_char(t22.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":null,"payment":' || '{"amount":' || ('{"amount":"' || t22.amount || '","currency":' || to_json(t22.currency)::text || '}') || ',"invoice":' || (SELECT '{"number":' || to_json(t23.number)::text || '}'
FROM invoices t23
WHERE t23.id = t22.invoice_id) || '}' || '}'
FROM payments t22
WHERE t22.id = t1.id) WHEN 'TimelineRefund' THEN (SELECT '{"__typename":"TimelineRefund","kind":"' || ('REFUND') || '","happenedAt":"' || replace(to_char(t24.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t25.id)::bytea, 'base64') || '"}'
FROM users t25
WHERE t25.id = t24.requested_by_user_id), 'null') || '}'
FROM refunds t24
WHERE t24.id = t1.id) WHEN 'TimelineSignIn' THEN (SELECT '{"__typename":"TimelineSignIn","kind":"' || ('SIGN_IN') || '","happenedAt":"' || replace(to_char(t26.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t27.id)::bytea, 'base64') || '"}'
FROM users t27
WHERE t27.id = t26.user_id), 'null') || '}'
FROM sessions t26
WHERE t26.id = t1.id) WHEN 'TimelineStatusChange' THEN (SELECT '{"__typename":"TimelineStatusChange","kind":"' || ('STATUS_CHANGE') || '","happenedAt":"' || replace(to_char(t28.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t29.id)::bytea, 'base64') || '"}'
FROM users t29
WHERE t29.id = t28.changed_by_user_id), 'null') || ',"statusChange":' || '{"toStatus":"' || t28.to_status || '","reason":' || coalesce(to_json(t28.reason)::text, 'null') || '}' || '}'
FROM partner_status_changes t28
WHERE t28.id = t1.id) WHEN 'TimelineSubscriptionChange' THEN (SELECT '{"__typename":"TimelineSubscriptionChange","kind":"' || ('SUBSCRIPTION_CHANGE') || '","happenedAt":"' || replace(to_char(t30.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '","actor":' || coalesce((SELECT '{"id":"' || encode(('User:' || t31.id)::bytea, 'base64') || '"}'
FROM users t31
WHERE t31.id = t30.actor_user_id), 'null') || '}'
FROM subscription_changes t30
WHERE t30.id = t1.id) END || '}' AS c1, row_number() OVER (ORDER BY t1.moment DESC, t1.type COLLATE "C" DESC, t1.id DESC) AS n, '"' || translate(encode(convert_to('["HAPPENED_AT",' || to_json(t1.moment::text)::text || ',"' || t1.type || '",' || t1.id || ']', 'UTF8'), 'base64'), E'\n', '') || '"' AS k
FROM page0 t1) p GROUP BY ())
