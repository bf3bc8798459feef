"""The database's own functions that take personal data out of technical texts, for those who mend jobs (ACC-2, ACC-3).

Errors and payloads of jobs are ours, but what products and gateways said may stand in them. Whoever may read personal
data reads the whole text; DEVELOPER reads what these functions leave.
"""

from __future__ import annotations

from collections.abc import Iterator


def redaction_functions() -> Iterator[str]:
    """The statements that make the functions; each may run again and again."""
    yield _TEXT
    yield _JSON


# In this order: what stands in quotation marks, addresses, phone and tax numbers, words beyond ASCII.
_TEXT = r"""
    CREATE OR REPLACE FUNCTION redacted(told text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(told,
            '''[^'']*''|"[^"]*"|«[^»]*»|“[^”]*”', '***', 'g'),
            '[^\s@]+@[^\s@]+', '***', 'g'),
            '(\d[ ()-]{0,2}){9,}', '***', 'g'),
            '[^\x01-\x7f]+', '***', 'g')
    $$
"""

# Numbers and codes stay; a text of several words may name somebody, and so may what lies deeper.
_JSON = r"""
    CREATE OR REPLACE FUNCTION redacted_values(told jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(jsonb_object_agg(key, CASE
            WHEN jsonb_typeof(value) IN ('number', 'boolean', 'null') THEN value
            WHEN jsonb_typeof(value) = 'string' AND value #>> '{}' ~ '^[A-Za-z0-9_.:+/-]{1,64}$'
                AND value #>> '{}' !~ '\d{9,}' THEN value
            ELSE '"***"' END), '{}')
        FROM jsonb_each(told)
    $$
"""
