"""Custom roles, the rule of granting against a model, and two superadmins who demote each other (ACC-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import engine, transaction
from core.errors import UserError
from core.ids import decode_id
from core.principal import SYSTEM, Principal
from domain.access import UserKind
from models import Role, RolePermission, User, UserPermission, UserRole
from policies.granting import BeyondOwnPermissions
from policies.permissions import ALL
from services import access
from services.access.granting import permissions_of
from tests.access.callers import PASSWORD
from tests.api import payload

Connection = asyncpg.Connection
VOCABULARY = ("invoice:read", "invoice:write", "wallet:adjust", "user:grant")
CREATE = (
    "mutation($input: RoleCreateInput!) { roleCreate(input: $input) { role { id version } userErrors { code field } } }"
)
UPDATE = "mutation($input: RoleUpdateInput!) { roleUpdate(input: $input) { role { version permissions } userErrors { code field } } }"
DELETE = "mutation($input: RoleDeleteInput!) { roleDelete(input: $input) { userErrors { code field } } }"
ROLES = "query($name: String!) { roles(filter: { name: $name }) { nodes { id permissions kind builtIn userCount } } }"


async def role_named(name: str) -> Any:
    (found,) = (await payload(ROLES, name=name))["nodes"]
    return found


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["code"] for error in answer["userErrors"]]


async def test_a_custom_role_from_copy_to_deletion(owner: Connection) -> None:
    sales = await role_named("SALES")
    given = {"name": "Senior sales", "description": "Sales that settle invoices.", "copyOfId": sales["id"]}
    made = await payload(CREATE, input={**given, "permissions": ["invoice:settle"]})
    role = await role_named("Senior sales")
    assert role["permissions"] == sorted([*sales["permissions"], "invoice:settle"])
    assert (role["kind"], role["builtIn"], role["userCount"]) == ("STAFF", False, 0)
    assert codes(await payload(CREATE, input=given)) == ["TAKEN"]
    fresh = {"name": "x", "description": "x", "kind": "PARTNER"}
    for code, wrong in (
        ("INVALID_VALUE", {**given, "name": "SHOP_DIRECTOR"}),
        ("INVALID_VALUE", {**given, "name": "  "}),
        ("INVALID_VALUE", {"name": "x", "description": "x"}),
        ("ROLE_NOT_FOR_USER", {**given, "name": "x", "kind": "PARTNER"}),
        ("NOT_FOR_PARTNERS", {**fresh, "permissions": ["job:read"]}),
        ("UNKNOWN_PERMISSION", {**fresh, "permissions": ["no:such"]}),
    ):
        assert codes(await payload(CREATE, input=wrong)) == [code], wrong
    change = {"roleId": role["id"], "version": made["role"]["version"], "permissions": ["invoice:read"]}
    assert (await payload(UPDATE, input=change))["role"]["permissions"] == ["invoice:read"]
    assert codes(await payload(UPDATE, input=change)) == ["VERSION_CONFLICT"]
    for mutation, extra in ((UPDATE, {"version": 1, "name": "x"}), (DELETE, {})):
        assert codes(await payload(mutation, input={"roleId": sales["id"], **extra})) == ["ROLE_BUILT_IN"]
    async with transaction() as session:
        user = User(kind=UserKind.STAFF, email="a@demo.test", full_name="A")
        session.add(user)
        await session.flush()
        session.add(UserRole(user_id=user.id, role_id=decode_id(role["id"])[1]))
    assert codes(await payload(DELETE, input={"roleId": role["id"]})) == ["ROLE_IN_USE"]
    await owner.execute("DELETE FROM user_roles")
    assert codes(await payload(DELETE, input={"roleId": role["id"]})) == []
    actions = await owner.fetch("SELECT action FROM audit_events WHERE entity_type = 'Role' ORDER BY id")
    assert [row[0] for row in actions] == ["role.create", "role.update", "role.delete"]


@dataclass
class Model:
    """Who may what, as plain sets; grants and refuses by the rule as it is told, without looking at the code's way."""

    direct: dict[int, frozenset[str]]
    has_role: dict[int, bool]
    role: frozenset[str]
    log: list[str] = field(default_factory=list)

    def may(self, user: int) -> frozenset[str]:
        return self.direct[user] | (self.role if self.has_role[user] else frozenset())

    def set_access(self, actor: int, user: int, permissions: frozenset[str], with_role: bool) -> bool:
        gives = permissions | (self.role if with_role else frozenset())
        if not self.may(user) | gives <= self.may(actor):
            return False
        self.direct[user], self.has_role[user] = permissions, with_role
        return True

    def set_role(self, actor: int, permissions: frozenset[str]) -> bool:
        holders = frozenset[str]().union(*(self.may(user) for user, has in self.has_role.items() if has))
        if not permissions | self.role | holders <= self.may(actor):
            return False
        self.role = permissions
        return True

    def manage(self, actor: int, user: int) -> bool:
        return self.may(user) <= self.may(actor)


SETS = st.frozensets(st.sampled_from(VOCABULARY))
PEOPLE = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("access"), PEOPLE, PEOPLE, SETS, st.booleans()),
        st.tuples(st.just("role"), PEOPLE, SETS),
        st.tuples(st.just("sign out"), PEOPLE, PEOPLE),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=st.tuples(SETS, SETS, SETS), role=SETS, holders=st.tuples(*[st.booleans()] * 3), steps=STEPS)
async def test_granting_agrees_with_the_model(
    database_url: str,
    begin: tuple[frozenset[str], ...],
    role: frozenset[str],
    holders: tuple[bool, ...],
    steps: list[Any],
) -> None:
    async with AsyncSession(engine(), expire_on_commit=False) as session, session.begin() as whole:
        made = Role(name="Model role", description="x", kind=UserKind.STAFF)
        users = [User(kind=UserKind.STAFF, email=f"{n}@model.test", full_name="x") for n in range(3)]
        session.add_all([made, *users])
        await session.flush()
        session.add_all(RolePermission(role_id=made.id, permission=name) for name in role)
        for user, direct, has in zip(users, begin, holders, strict=True):
            session.add_all(UserPermission(user_id=user.id, permission=name) for name in direct)
            session.add_all([UserRole(user_id=user.id, role_id=made.id)] if has else [])
        await session.flush()
        model = Model(dict(enumerate(begin)), dict(enumerate(holders)), role)
        ids = [user.id for user in users]
        ever = frozenset[str]().union(*(model.may(user) for user in range(3)))
        for step in steps:
            actor = Principal(kind="staff", permissions=ALL, user_id=ids[step[1]])
            # A savepoint that was rolled back has left them stale.
            for row in (made, *users):
                await session.refresh(row)
            done = await _tried(session, _step(session, actor, users, made, step))
            assert done == _in_model(model, step), step
            for number, key in enumerate(ids):
                assert (await permissions_of(session, key))[1] == model.may(number)
                assert model.may(number) <= ever, "nobody has what nobody had"
        await whole.rollback()


def _step(
    session: AsyncSession, actor: Principal, users: list[User], role: Role, step: Any
) -> Coroutine[Any, Any, Any]:
    match step:
        case ("access", _, user, permissions, with_role):
            return access.update_access(
                session,
                actor,
                user_id=users[user].id,
                version=users[user].version,
                role_ids=[role.id] if with_role else [],
                permissions=list(permissions),
            )
        case ("role", _, permissions):
            return access.update_role(
                session, actor, role_id=role.id, version=role.version, values={"permissions": list(permissions)}
            )
        case (_, _, user):
            return access.sign_out_user(session, actor, user_id=users[user].id)
    raise AssertionError(step)


def _in_model(model: Model, step: Any) -> bool:
    match step:
        case ("access", actor, user, permissions, with_role):
            return model.set_access(actor, user, permissions, with_role)
        case ("role", actor, permissions):
            return model.set_role(actor, permissions)
        case (_, actor, user):
            return model.manage(actor, user)
    raise AssertionError(step)


async def _tried(session: AsyncSession, doing: Coroutine[Any, Any, Any]) -> bool:
    """Whether it was allowed; what was refused is undone, as the transaction of a mutation does."""
    point = await session.begin_nested()
    try:
        await doing
    except BeyondOwnPermissions:
        await point.rollback()
        return False
    await point.commit()
    return True


async def test_of_two_superadmins_who_demote_or_block_each_other_one_stays(owner: Connection) -> None:
    async with transaction() as session:
        users = [
            await access.create_superadmin(session, SYSTEM, email=f"{name}@demo.test", name=name, password=PASSWORD)
            for name in ("a", "b")
        ]
    actors = [Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",), user_id=user.id) for user in users]

    async def demote(actor: Principal, user_id: int) -> str:
        try:
            async with transaction(actor) as session:
                version = await session.get_one(User, user_id)
                await access.update_access(
                    session, actor, user_id=user_id, version=version.version, role_ids=[], permissions=[]
                )
        except UserError as error:
            return error.code
        return "done"

    async def block(actor: Principal, user_id: int) -> str:
        try:
            async with transaction(actor) as session:
                await access.block_user(session, actor, user_id=user_id)
        except UserError as error:
            return error.code
        return "done"

    left = "SELECT count(*) FROM users JOIN user_roles ON user_id = users.id WHERE status = 'ACTIVE'"
    for act in (demote, block):
        told = await asyncio.gather(act(actors[0], users[1].id), act(actors[1], users[0].id))
        assert sorted(told) == ["BEYOND_OWN_PERMISSIONS", "done"], told
        assert await owner.fetchval(left) == 1
        await owner.execute("UPDATE users SET status = 'ACTIVE'")
        await owner.execute(
            "INSERT INTO user_roles (user_id, role_id) SELECT users.id, roles.id FROM users, roles "
            "WHERE roles.name = 'SUPERADMIN' ON CONFLICT DO NOTHING"
        )


@pytest.mark.parametrize("kind", ["staff", "partner"])
async def test_who_lost_a_permission_a_moment_ago_grants_it_no_more(owner: Connection, kind: str) -> None:
    """The principal of a call may be two seconds old; the transaction asks again."""
    async with transaction() as session:
        user = await access.create_superadmin(session, SYSTEM, email="a@demo.test", name="A", password=PASSWORD)
        other = await access.create_superadmin(session, SYSTEM, email="b@demo.test", name="B", password=PASSWORD)
    stale = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",), user_id=user.id)
    if kind == "staff":
        await owner.execute("DELETE FROM user_roles WHERE user_id = $1", user.id)
    else:
        await owner.execute("UPDATE users SET status = 'BLOCKED' WHERE id = $1", user.id)
    with pytest.raises(BeyondOwnPermissions):
        async with transaction(stale) as session:
            await access.sign_out_user(session, stale, user_id=other.id)
