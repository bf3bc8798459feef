"""Locks after failures, and the whole table of who may ask what (ACC-1, ACC-2, ACC-3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLNonNull, GraphQLObjectType, get_named_type

from core.principal import ANONYMOUS, Principal
from domain.access import ACCOUNT_RULE, ADDRESS_RULE, CALLER_RULE, LockRule
from planner.document import Operation
from planner.projection import permissions_of
from policies.permissions import ALL, PERMISSIONS
from policies.roles import PARTNER_ROLES, ROLES
from resolvers.root import planner

PERSONAL = {"partner:pii", "user:pii"}
CHANGES = (":write", ":adjust", ":settle", ":activate", ":pay", ":secret")


@pytest.mark.parametrize("rule", [CALLER_RULE, ACCOUNT_RULE, ADDRESS_RULE])
def test_locks_begin_after_the_free_attempts_and_double_to_the_longest(rule: LockRule) -> None:
    assert rule.lock_after(rule.free_attempts - 1) is None
    assert rule.lock_after(rule.free_attempts) == rule.first_lock
    assert rule.lock_after(rule.free_attempts + 1) == rule.first_lock * 2
    assert rule.lock_after(rule.free_attempts + 10_000) == rule.longest_lock
    lengths = [rule.lock_after(failures) or timedelta(0) for failures in range(200)]
    assert lengths == sorted(lengths)


def test_roles_give_only_what_the_vocabulary_has() -> None:
    for name, (_, permissions) in ROLES.items():
        assert permissions <= ALL, name
        assert "viewer:self" in permissions, name


def test_what_the_roles_promise() -> None:
    assert ROLES["SUPERADMIN"][1] == ALL
    assert not ROLES["DEVELOPER"][1] & (PERSONAL | {"partner:read", "install:read", "invoice:read", "wallet:read"})
    assert not {name for name in ROLES["AUDITOR"][1] | ROLES["SUPPORT"][1] if name.endswith(CHANGES)} - {
        "api_token:write",
        "partner_note:write",
    }
    held = {name for name, (_, permissions) in ROLES.items() if "partner:all_rows" not in permissions}
    assert held == {"SUPPORT", "SHOP_MANAGER", "SHOP_OPERATOR", *PARTNER_ROLES}
    assert {name for name in ALL if name.endswith(":read")} <= ROLES["AUDITOR"][1]
    for name in PARTNER_ROLES:
        assert not ROLES[name][1] & {"payment:detail", "product:configure", "audit:read", "job:read", "role:write"}


def test_an_auditor_changes_nothing_but_what_is_the_auditors_own() -> None:
    mutations = planner.schema.mutation_type
    assert isinstance(mutations, GraphQLObjectType)
    role = ROLES["AUDITOR"][1]
    open_to = {name for name, field in mutations.fields.items() if permissions_of(mutations, field) <= role}
    assert open_to == {
        *("signIn", "signInVerify", "sessionRefresh", "passwordReset", "passwordResetRequest"),
        *("signOut", "signOutOthers", "sessionRevoke", "passwordChange", "viewerUpdate"),
        # Beyond one's own grants the service asks for `access_grant:approve`.
        *("accessReasonSet", "accessGrantRevoke"),
        *("totpEnrollStart", "totpEnrollConfirm", "totpDisable", "recoveryCodesRegenerate"),
    }


def _principal(role: str) -> Principal:
    partner = role in PARTNER_ROLES
    return Principal(
        kind="partner" if partner else "staff",
        permissions=ROLES[role][1],
        roles=(role,),
        user_id=1,
        partner_id=1 if partner else None,
    )


def _document(kind: str, name: str, field: GraphQLField) -> str:
    """An operation of one root field, as small as it gets; required arguments are variables."""
    needed = {key: argument.type for key, argument in field.args.items() if isinstance(argument.type, GraphQLNonNull)}
    declared = ", ".join(f"${key}: {type_}" for key, type_ in needed.items())
    given = ", ".join(f"{key}: ${key}" for key in needed)
    told = get_named_type(field.type)
    body = " { __typename }" if hasattr(told, "fields") and not isinstance(told, GraphQLInputObjectType) else ""
    return f"{kind}{f'({declared})' if declared else ''} {{ {name}{f'({given})' if given else ''}{body} }}"


def _roots() -> list[tuple[str, str, GraphQLField, set[str]]]:
    found: list[tuple[str, str, GraphQLField, set[str]]] = []
    for kind, type_ in (("query", planner.schema.query_type), ("mutation", planner.schema.mutation_type)):
        assert isinstance(type_, GraphQLObjectType)
        found += [(kind, name, field, permissions_of(type_, field)) for name, field in type_.fields.items()]
    return found


@pytest.mark.parametrize("role", sorted(ROLES))
def test_each_door_opens_to_those_who_may_and_to_nobody_else(role: str) -> None:
    principal = _principal(role)
    for kind, name, field, needed in _roots():
        found = planner.prepare(_document(kind, name, field), None, principal)
        if needed <= principal.permissions:
            assert isinstance(found, Operation), (role, name)
            assert found.missing is None, (role, name)
        elif principal.is_tenant:
            assert not isinstance(found, Operation), (role, name)
            assert found.errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
            assert not needed & {word.strip("`'\".") for word in str(found.errors).split()}, "tells what is hidden"
        else:
            assert isinstance(found, Operation), (role, name)
            assert found.missing is not None, (role, name)
            assert found.missing.permission in needed - principal.permissions
            assert name in found.missing.on


def test_strangers_may_only_sign_in() -> None:
    schema = planner.schema_for(ANONYMOUS)
    roots: Any = schema.mutation_type
    assert set(roots.fields) == {*("signIn", "signInVerify", "sessionRefresh", "passwordReset", "passwordResetRequest")}
    assert schema.query_type is not None
    assert set(schema.query_type.fields) == {"viewer"}


def test_each_permission_opens_something_and_each_need_is_in_the_vocabulary() -> None:
    needed: set[str] = set()
    for type_ in planner.schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                needed |= permissions_of(type_, field)
    assert needed == set(PERMISSIONS)
