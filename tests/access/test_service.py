"""Signing in, refresh tokens, API tokens and blocking, against the real database (ACC-1, ACC-7)."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import asyncpg
import pytest
from argon2 import PasswordHasher

from core import clock, crypto
from core.database import transaction
from core.errors import Conflict, Unauthenticated, UserError
from core.principal import SYSTEM, Principal
from domain.access import CALLER_RULE
from models import User
from services import access
from tests.factories.world import STAFF

PASSWORD = "correct horse battery"


@pytest.fixture
async def user(database_url: str) -> User:
    async with transaction() as session:
        return await access.create_superadmin(session, SYSTEM, email="Anna@Demo.test", name="Anna", password=PASSWORD)


async def attempt(email: str, password: str) -> access.SignedIn | access.Refused:
    async with transaction() as session:
        return await access.sign_in(session, email=email, password=password)


async def signed_in() -> access.SignedIn:
    found = await attempt("anna@demo.test", PASSWORD)
    assert isinstance(found, access.SignedIn)
    return found


async def refreshed(token: str) -> access.SignedIn | None:
    async with transaction() as session:
        return await access.refresh_session(session, refresh_token=token)


async def test_sign_in_gives_the_permissions_of_the_roles(user: User) -> None:
    found = await signed_in()
    principal, _ = await access.principal_of_access_token(found.access_token)
    assert principal.user_id == user.id
    assert principal.roles == ("SUPERADMIN",)
    assert "invoice:settle" in principal.permissions
    assert principal.session_id == found.session.id


async def test_unknown_and_wrong_answer_alike(user: User) -> None:
    wrong = await attempt("anna@demo.test", "wrong")
    unknown = await attempt("nobody@demo.test", "wrong")
    assert wrong == unknown
    assert isinstance(wrong, access.Refused)
    assert wrong.code == "INVALID_CREDENTIALS"


async def test_failures_lock_for_longer_and_longer(user: User) -> None:
    for _ in range(CALLER_RULE.free_attempts):
        await attempt("anna@demo.test", "wrong")
    locked = await attempt("anna@demo.test", PASSWORD)
    assert isinstance(locked, access.Refused)
    assert locked.code == "LOCKED"
    clock.travel(clock.now() + timedelta(seconds=31))
    await attempt("anna@demo.test", "wrong")
    clock.travel(clock.now() + timedelta(seconds=31))
    assert isinstance(await attempt("anna@demo.test", PASSWORD), access.Refused)
    clock.travel(clock.now() + timedelta(seconds=61))
    assert isinstance(await attempt("anna@demo.test", PASSWORD), access.SignedIn)


async def test_a_hash_of_other_parameters_is_made_anew(user: User, owner: asyncpg.Connection) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8_192).hash(PASSWORD)
    await owner.execute("UPDATE users SET password_hash = $1", old)
    await attempt("anna@demo.test", "wrong")
    assert await owner.fetchval("SELECT password_hash FROM users") == old
    await signed_in()
    made = await owner.fetchval("SELECT password_hash FROM users")
    assert made != old
    await signed_in()
    assert await owner.fetchval("SELECT password_hash FROM users") == made


async def test_a_password_that_is_replaced_meanwhile_lets_nobody_in(
    user: User, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await crypto.hash_password("another password")

    async def slowly(stored: str, password: str) -> bool:
        right = await crypto.verify_password(stored, password)
        await owner.execute("UPDATE users SET password_hash = $1", other)
        return right

    monkeypatch.setattr(sys.modules[access.sign_in.__module__], "verify_password", slowly)
    assert isinstance(await attempt("anna@demo.test", PASSWORD), access.Refused)
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 0


async def test_refresh_token_works_once_and_its_reuse_ends_the_session(user: User) -> None:
    first = await signed_in()
    second = await refreshed(first.refresh_token)
    assert second is not None
    assert await refreshed(first.refresh_token) is None
    assert await refreshed(second.refresh_token) is None
    with pytest.raises(Unauthenticated):
        await access.principal_of_access_token(second.access_token)


async def test_two_refreshes_at_once_give_one_session(user: User) -> None:
    first = await signed_in()
    answers = await asyncio.gather(*(refreshed(first.refresh_token) for _ in range(5)))
    assert sum(answer is not None for answer in answers) == 1


async def test_access_token_ends(user: User) -> None:
    found = await signed_in()
    clock.travel(clock.now() + timedelta(minutes=16))
    with pytest.raises(Unauthenticated):
        await access.principal_of_access_token(found.access_token)


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzaWQiOjEsImV4cCI6OTk5OTk5OTk5OX0.", "é" * 50]
)
async def test_garbage_is_not_a_credential(user: User, token: str) -> None:
    for look_up in (access.principal_of_access_token, access.principal_of_api_token, access.principal_of_cookie):
        with pytest.raises(Unauthenticated):
            await look_up(token)


async def test_sign_out_ends_the_session(user: User) -> None:
    found = await signed_in()
    principal, _ = await access.principal_of_access_token(found.access_token)
    async with transaction(principal) as session:
        await access.sign_out(session, principal)
    with pytest.raises(Unauthenticated):
        await access.principal_of_access_token(found.access_token)


async def test_api_token_has_at_most_its_scopes(user: User) -> None:
    principal, _ = await access.principal_of_access_token((await signed_in()).access_token)
    until = clock.now() + timedelta(days=1)
    async with transaction(principal) as session:
        token, text = await access.create_api_token(
            session, principal, name="script", permissions=["invoice:read"], expires_at=until
        )
    found = await access.principal_of_api_token(text)
    assert found.permissions == {"invoice:read", "partner:all_rows"}, "rows in reach are the owner's"
    assert found.api_token_id == token.id
    for permissions, expires_at, error in (
        (["no:such"], until, UserError),
        ([], until, UserError),
        (["invoice:read"], clock.now() - timedelta(1), UserError),
        (["invoice:read"], until, Conflict),
    ):
        with pytest.raises(error):
            async with transaction(principal) as session:
                await access.create_api_token(
                    session, principal, name="script", permissions=permissions, expires_at=expires_at
                )
    async with transaction(principal) as session:
        await access.revoke_api_token(session, principal, api_token_id=token.id)
    with pytest.raises(Unauthenticated):
        await access.principal_of_api_token(text)


async def test_nobody_gives_a_token_more_than_one_has(user: User) -> None:
    poor = Principal(kind="staff", permissions=frozenset({"invoice:read"}), user_id=user.id)
    with pytest.raises(UserError, match="payment:read"):
        async with transaction() as session:
            await access.create_api_token(
                session, poor, name="x", permissions=["payment:read"], expires_at=clock.now() + timedelta(1)
            )


async def test_blocking_ends_everything_and_the_last_superadmin_stays(user: User, owner: asyncpg.Connection) -> None:
    async with transaction() as session:
        other = await access.create_superadmin(session, SYSTEM, email="b@demo.test", name="B", password=PASSWORD)
    found = await attempt("b@demo.test", PASSWORD)
    assert isinstance(found, access.SignedIn)
    async with transaction() as session:
        await access.block_user(session, STAFF, user_id=other.id)
    with pytest.raises(Unauthenticated):
        await access.principal_of_access_token(found.access_token)
    assert await refreshed(found.refresh_token) is None
    assert isinstance(await attempt("b@demo.test", PASSWORD), access.Refused)
    with pytest.raises(Conflict, match="nobody else"):
        async with transaction() as session:
            await access.block_user(session, STAFF, user_id=user.id)
    actions = [row["action"] for row in await owner.fetch("SELECT action FROM audit_events ORDER BY id")]
    assert actions.count("user.block") == 1


async def test_secrets_are_kept_as_hashes(user: User, owner: asyncpg.Connection) -> None:
    found = await signed_in()
    dump = str(
        [
            tuple(row)
            for table in ("users", "sessions", "refresh_tokens", "audit_events")
            for row in await owner.fetch(f"SELECT * FROM {table}")
        ]
    )
    for secret in (PASSWORD, found.access_token, found.refresh_token):
        assert secret not in dump
