"""People of an account are contacts of its partner (INS-2)."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest

from domain.catalog import ProductKind
from tests.amocrm.conftest import DOMAIN, SECRET, Crm
from tests.factories.world import a_product


def person(number: int, name: str, email: str | None) -> dict[str, object]:
    return {"id": number, "name": name, "email": email, "lang": "ru"}


async def contacts(owner: asyncpg.Connection) -> list[tuple[object, ...]]:
    rows = await owner.fetch(
        "SELECT amocrm_user_id, full_name, email, is_primary FROM contacts ORDER BY amocrm_user_id, id"
    )
    return [tuple(row) for row in rows]


async def test_everybody_is_kept_and_followed(crm: Crm, owner: asyncpg.Connection) -> None:
    users = crm.emulator.account(DOMAIN).users
    admin = users[0]
    users[:] = [
        {**admin, "id": 3},
        person(5, " Анна\t", "Anna@Example.ru"),
        person(7, "\0", "not an address"),
        person(9, "x" * 300, None),
    ]
    assert (await crm.install()).status_code == 200
    expected = [
        (3, admin["name"], admin["email"], True),
        (5, "Анна", "anna@example.ru", False),
        (7, "?", None, False),
        (9, "x" * 200, None, False),
    ]
    assert await contacts(owner) == expected
    manager = "SELECT amocrm_user_id FROM contacts JOIN oauth_tokens ON manager_contact_id = contacts.id WHERE active"
    assert await owner.fetchval(manager) == 3
    # Again: nothing new, and nothing in the trail.
    trail = "SELECT count(*) FROM audit_events WHERE action = 'partner.store_people'"
    await crm.install()
    assert (await contacts(owner), await owner.fetchval(trail)) == (expected, 1)
    # Anna marries, somebody leaves, somebody comes.
    users[1:3] = [person(5, "Анна Б.", "b@example.ru"), person(11, "Новый", None)]
    await crm.install()
    assert [row[:3] for row in await contacts(owner)] == [
        (3, admin["name"], admin["email"]),
        (5, "Анна Б.", "b@example.ru"),
        (7, "?", None),
        (9, "x" * 200, None),
        (11, "Новый", None),
    ]


async def test_people_we_knew_before_are_known_again(crm: Crm, owner: asyncpg.Connection) -> None:
    account = crm.emulator.account(DOMAIN)
    partner = await owner.fetchval(
        "INSERT INTO partners (name, amocrm_account_id) VALUES ('Known', $1) RETURNING id", account.id
    )
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, email, is_primary) VALUES ($1, 'Our name', $2, false), ($1, 'X', NULL, true)",
        partner,
        account.users[0]["email"],
    )
    account.users.append(person(5, "X", None))
    await crm.install()
    assert [row[1:] for row in await contacts(owner)] == [
        ("X", None, True),
        ("Our name", account.users[0]["email"], False),
    ]


async def test_a_large_account_comes_in_pages(crm: Crm, owner: asyncpg.Connection) -> None:
    users = crm.emulator.account(DOMAIN).users
    users += [person(number, f"Person {number}", f"p{number}@example.ru") for number in range(1, 600)]
    await crm.install()
    assert await owner.fetchval("SELECT count(*) FROM contacts") == 600
    assert crm.emulator.calls.count("users") == 3


async def test_who_may_not_list_people_installs_without(crm: Crm, owner: asyncpg.Connection) -> None:
    code = crm.emulator.install(DOMAIN, crm.client_uuid)
    crm.emulator.refused_paths.add("users")
    answer = await crm.http.get("/amocrm/oauth", params=crm.emulator.redirect(DOMAIN, crm.client_uuid, code))
    assert answer.status_code == 200
    assert await owner.fetchval("SELECT count(*) FROM contacts") == 0
    assert await owner.fetchval("SELECT count(*) FROM oauth_tokens WHERE active AND manager_contact_id IS NULL") == 1


@pytest.mark.parametrize("same_widget", [True, False])
async def test_redirects_at_once_lose_no_tokens(crm: Crm, owner: asyncpg.Connection, same_widget: bool) -> None:
    """The first installation of an account comes twice at the same moment, of one widget or of two."""
    other = str(uuid.uuid4())
    crm.secrets[other] = SECRET
    await a_product(kind=ProductKind.WIDGET, client_uuid=uuid.UUID(other), client_secret=SECRET)

    async def install(client: str) -> int:
        code = crm.emulator.install(DOMAIN, client)
        query = crm.emulator.redirect(DOMAIN, client, code)
        return (await crm.http.get("/amocrm/oauth", params=query)).status_code

    clients = [crm.client_uuid, crm.client_uuid if same_widget else other]
    assert await asyncio.gather(*map(install, clients)) == [200, 200]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 1
    assert await owner.fetchval("SELECT count(*) FROM contacts") == 1
    assert await owner.fetchval("SELECT count(*) FROM oauth_tokens WHERE active") == len(set(clients))
