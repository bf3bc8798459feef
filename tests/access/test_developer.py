"""DEVELOPER never sees personal data: every field that it may ask for, over rows with marks in every text (ACC-3)."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    is_required_input_field,
)

from core.ids import encode_id
from core.principal import Principal
from planner.projection import project
from planner.run import Planner
from planner.write import dumps
from policies.roles import ROLES
from resolvers.mutation import run_mutation
from resolvers.root import schema
from tests.marked import KEY, MARKS, fill
from tests.walks import Walk, mutations, reads

# Somebody else's rows: what is one's own is no secret.
DEVELOPER = Principal(kind="staff", permissions=ROLES["DEVELOPER"][1], roles=("DEVELOPER",), user_id=KEY + 1)
SEEN: Any = project(schema._schema, DEVELOPER.permissions)
# What our own program and our own people write about products and jobs; everything else may name a person.
TECHNICAL = {
    "dead_letters.kind",
    "gateway_checks.gateway",
    "idempotency_records.mutation",
    "modules.code",
    "modules.name",
    "outbox_messages.kind",
    "mails.last_error",
    "mails.locale",
    "mails.message_id",
    "mails.template",
    "outbox_messages.ordering_key",
    "outbox_messages.request_id",
    "permissions.description",
    "permissions.name",
    "plans.name",
    "process_heartbeats.name",
    "products.activate_endpoint",
    "products.client_uuid",
    "products.code",
    "products.disable_endpoint",
    "products.install_endpoint",
    "products.name",
    "products.project_token_hint",
    "products.technical_account_url",
    "role_permissions.permission",
    "roles.description",
    "roles.name",
    "scheduled_job_runs.job",
    "scheduled_jobs.cron",
    "scheduled_jobs.name",
}
INPUTS: dict[str, Any] = {
    "Query.subscriptionPreview": {"planId": encode_id("Plan", KEY), "term": "MONTH", "seats": 3},
    "Mutation.accessReasonSet": {"reason": "a reason"},
    "Mutation.signIn": {"email": "nobody@demo.test", "password": "wrong"},
    "Mutation.signInVerify": {"challenge": "krt_unknown", "code": "000000"},
    "Mutation.totpEnrollConfirm": {"code": "000000"},
    "Mutation.recoveryCodesRegenerate": {"code": "000000"},
    "Mutation.totpDisable": {"code": "000000"},
    "Mutation.sessionRefresh": {"refreshToken": "krt_unknown"},
    "Mutation.passwordReset": {"token": "kpl_unknown", "password": "wrong"},
    "Mutation.passwordResetRequest": {"email": "nobody@demo.test"},
    "Mutation.passwordChange": {"currentPassword": "wrong", "newPassword": "wrong"},
    "Mutation.sessionRevoke": {"sessionId": encode_id("Session", KEY)},
    "Mutation.viewerUpdate": {"locale": "ru"},
    "Mutation.apiTokenCreate": {"name": "script", "permissions": ["job:read"], "expiresAt": "2030-01-01T00:00:00Z"},
    "Mutation.apiTokenRevoke": {"apiTokenId": encode_id("ApiToken", KEY)},
    "Mutation.deadLetterReplay": {"id": encode_id("DeadLetter", KEY)},
    "Mutation.deadLetterDiscard": {"id": encode_id("DeadLetter", KEY)},
    "Mutation.outboxMessageRetry": {"id": encode_id("OutboxMessage", KEY)},
    "Mutation.scheduledJobRun": {"name": "no.such"},
    "Mutation.scheduledJobRunRetry": {"id": encode_id("ScheduledJobRun", KEY)},
}


def values(coordinate: str, argument: str, type_: Any) -> list[Any]:
    """What to give a field that insists on an argument."""
    if argument == "input":
        root, name = coordinate.split(".")
        return [
            INPUTS[coordinate] if coordinate in INPUTS else _any(SEEN.type_map[root].fields[name].args["input"].type)
        ]
    found = encode_id(type_.name, KEY)
    return [[found]] if argument == "ids" else [found]


def _any(type_: Any) -> Any:
    """Some value of an input type; where it cannot be right, the refusal is walked."""
    if isinstance(type_, GraphQLNonNull):
        return _any(type_.of_type)
    if isinstance(type_, GraphQLList):
        return [_any(type_.of_type)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        return {name: _any(item.type) for name, item in type_.fields.items() if is_required_input_field(item)}
    known = {"Int": 1, "Boolean": False, "DateTime": "2030-01-01T00:00:00Z", "Decimal": "1", "BigInt": "1"}
    return encode_id("User", KEY) if type_.name == "ID" else known.get(type_.name, "text")


async def test_no_field_that_a_developer_may_ask_for_shows_personal_data(owner: asyncpg.Connection) -> None:
    await fill(owner, plain=TECHNICAL)
    await owner.execute(
        "INSERT INTO users (id, kind, email, full_name, password_hash) OVERRIDING SYSTEM VALUE "
        f"VALUES ({DEVELOPER.user_id}, 'STAFF', 'developer@demo.test', 'Developer', 'x')"
    )
    planner = Planner(schema)
    walked: set[str] = set()
    leaked: dict[str, str] = {}
    for walk in [*reads(SEEN, values), *mutations(SEEN, values)]:
        walked |= walk.asked
        for found in re.findall("|".join(MARKS), await _answer(planner, walk)):
            leaked[walk.source] = found
    assert leaked == {}
    everything = {f"{type_.name}.{name}" for type_ in _objects(SEEN) for name in type_.fields}
    assert everything - walked == set(), "fields that nothing has asked for"


async def _answer(planner: Planner, walk: Walk) -> str:
    answer = await planner.execute(
        walk.source, None, walk.variables, DEVELOPER, allow_mutation=True, run_mutation=run_mutation
    )
    assert answer.errors == [], walk.source
    return dumps(answer.data).decode()


def _objects(seen: GraphQLSchema) -> list[GraphQLObjectType]:
    return [
        type_
        for type_ in seen.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
    ]
