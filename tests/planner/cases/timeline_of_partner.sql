WITH scope AS MATERIALIZED (SELECT nullif(set_config('kontora.partner_id', $1::text, true), '')::bigint AS partner_id) SELECT (SELECT '{"totalCount":' || ((SELECT count(*)
FROM partner_contracts t3
WHERE t3.partner_id = t1.id AND t3.partner_id = scope.partner_id) + (SELECT count(*)
FROM partner_documents t4
WHERE t4.partner_id = t1.id AND t4.partner_id = scope.partner_id AND (t4.visible_to_partner AND t4.status = 'AVAILABLE')) + (SELECT count(*)
FROM invoices t5
WHERE t5.partner_id = t1.id AND t5.partner_id = scope.partner_id) + (SELECT count(*)
FROM onboarding_changes t6
WHERE t6.partner_id = t1.id AND t6.partner_id = scope.partner_id) + (SELECT count(*)
FROM payments t7
WHERE t7.partner_id = t1.id AND t7.partner_id = scope.partner_id) + (SELECT count(*)
FROM refunds t8
WHERE t8.partner_id = t1.id AND t8.partner_id = scope.partner_id) + (SELECT count(*)
FROM sessions t9
WHERE t9.partner_id = t1.id AND t9.partner_id = scope.partner_id) + (SELECT count(*)
FROM partner_status_changes t10
WHERE t10.partner_id = t1.id AND t10.partner_id = scope.partner_id) + (SELECT count(*)
FROM subscription_changes t11
WHERE t11.partner_id = t1.id AND t11.partner_id = scope.partner_id))::text || ',"nodes":[' || coalesce(string_agg(CASE t2.type WHEN 'TimelineContract' THEN (SELECT '{"id":"' || encode(('TimelineContract:' || t12.id)::bytea, 'base64') || '","kind":"' || ('CONTRACT') || '"}'
FROM partner_contracts t12
WHERE t12.id = t2.id AND t12.partner_id = scope.partner_id) WHEN 'TimelineDocument' THEN (SELECT '{"id":"' || encode(('TimelineDocument:' || t13.id)::bytea, 'base64') || '","kind":"' || ('DOCUMENT') || '","document":' || '{"title":' || to_json(t13.title)::text || '}' || '}'
FROM partner_documents t13
WHERE t13.id = t2.id AND t13.partner_id = scope.partner_id AND (t13.visible_to_partner AND t13.status = 'AVAILABLE')) WHEN 'TimelineInvoice' THEN (SELECT '{"id":"' || encode(('TimelineInvoice:' || t14.id)::bytea, 'base64') || '","kind":"' || ('INVOICE') || '"}'
FROM invoices t14
WHERE t14.id = t2.id AND t14.partner_id = scope.partner_id) WHEN 'TimelineOnboarding' THEN (SELECT '{"id":"' || encode(('TimelineOnboarding:' || t15.id)::bytea, 'base64') || '","kind":"' || (CASE WHEN t15.action IN ('help_asked', 'help_given') THEN 'HELP' ELSE 'ONBOARDING' END) || '"}'
FROM onboarding_changes t15
WHERE t15.id = t2.id AND t15.partner_id = scope.partner_id) WHEN 'TimelinePayment' THEN (SELECT '{"id":"' || encode(('TimelinePayment:' || t16.id)::bytea, 'base64') || '","kind":"' || ('PAYMENT') || '"}'
FROM payments t16
WHERE t16.id = t2.id AND t16.partner_id = scope.partner_id) WHEN 'TimelineRefund' THEN (SELECT '{"id":"' || encode(('TimelineRefund:' || t17.id)::bytea, 'base64') || '","kind":"' || ('REFUND') || '"}'
FROM refunds t17
WHERE t17.id = t2.id AND t17.partner_id = scope.partner_id) WHEN 'TimelineSignIn' THEN (SELECT '{"id":"' || encode(('TimelineSignIn:' || t18.id)::bytea, 'base64') || '","kind":"' || ('SIGN_IN') || '"}'
FROM sessions t18
WHERE t18.id = t2.id AND t18.partner_id = scope.partner_id) WHEN 'TimelineStatusChange' THEN (SELECT '{"id":"' || encode(('TimelineStatusChange:' || t19.id)::bytea, 'base64') || '","kind":"' || ('STATUS_CHANGE') || '"}'
FROM partner_status_changes t19
WHERE t19.id = t2.id AND t19.partner_id = scope.partner_id) WHEN 'TimelineSubscriptionChange' THEN (SELECT '{"id":"' || encode(('TimelineSubscriptionChange:' || t20.id)::bytea, 'base64') || '","kind":"' || ('SUBSCRIPTION_CHANGE') || '"}'
FROM subscription_changes t20
WHERE t20.id = t2.id AND t20.partner_id = scope.partner_id) END, ','
ORDER BY t2.moment DESC, t2.type COLLATE "C" DESC, t2.id DESC), '') || ']}'
FROM (SELECT m.*
FROM ((SELECT t3.created_at AS moment, 'TimelineContract'::text AS type, t3.id AS id, t3.partner_id AS partner_id
FROM partner_contracts t3
WHERE t3.partner_id = t1.id AND t3.partner_id = scope.partner_id
ORDER BY t3.created_at ASC, t3.id ASC LIMIT 3)
UNION ALL (SELECT t4.created_at AS moment, 'TimelineDocument'::text AS type, t4.id AS id, t4.partner_id AS partner_id
FROM partner_documents t4
WHERE t4.partner_id = t1.id AND t4.partner_id = scope.partner_id AND (t4.visible_to_partner AND t4.status = 'AVAILABLE')
ORDER BY t4.created_at ASC, t4.id ASC LIMIT 3)
UNION ALL (SELECT t5.created_at AS moment, 'TimelineInvoice'::text AS type, t5.id AS id, t5.partner_id AS partner_id
FROM invoices t5
WHERE t5.partner_id = t1.id AND t5.partner_id = scope.partner_id
ORDER BY t5.created_at ASC, t5.id ASC LIMIT 3)
UNION ALL (SELECT t6.created_at AS moment, 'TimelineOnboarding'::text AS type, t6.id AS id, t6.partner_id AS partner_id
FROM onboarding_changes t6
WHERE t6.partner_id = t1.id AND t6.partner_id = scope.partner_id
ORDER BY t6.created_at ASC, t6.id ASC LIMIT 3)
UNION ALL (SELECT t7.created_at AS moment, 'TimelinePayment'::text AS type, t7.id AS id, t7.partner_id AS partner_id
FROM payments t7
WHERE t7.partner_id = t1.id AND t7.partner_id = scope.partner_id
ORDER BY t7.created_at ASC, t7.id ASC LIMIT 3)
UNION ALL (SELECT t8.created_at AS moment, 'TimelineRefund'::text AS type, t8.id AS id, t8.partner_id AS partner_id
FROM refunds t8
WHERE t8.partner_id = t1.id AND t8.partner_id = scope.partner_id
ORDER BY t8.created_at ASC, t8.id ASC LIMIT 3)
UNION ALL (SELECT t9.created_at AS moment, 'TimelineSignIn'::text AS type, t9.id AS id, t9.partner_id AS partner_id
FROM sessions t9
WHERE t9.partner_id = t1.id AND t9.partner_id = scope.partner_id
ORDER BY t9.created_at ASC, t9.id ASC LIMIT 3)
UNION ALL (SELECT t10.created_at AS moment, 'TimelineStatusChange'::text AS type, t10.id AS id, t10.partner_id AS partner_id
FROM partner_status_changes t10
WHERE t10.partner_id = t1.id AND t10.partner_id = scope.partner_id
ORDER BY t10.created_at ASC, t10.id ASC LIMIT 3)
UNION ALL (SELECT t11.created_at AS moment, 'TimelineSubscriptionChange'::text AS type, t11.id AS id, t11.partner_id AS partner_id
FROM subscription_changes t11
WHERE t11.partner_id = t1.id AND t11.partner_id = scope.partner_id
ORDER BY t11.created_at ASC, t11.id ASC LIMIT 3)) m
ORDER BY m.moment ASC, m.type COLLATE "C" ASC, m.id ASC LIMIT 3) t2)
FROM scope
CROSS JOIN LATERAL (SELECT t1.*
FROM partners t1
WHERE t1.id = scope.partner_id
ORDER BY t1.id DESC LIMIT 20) t1
