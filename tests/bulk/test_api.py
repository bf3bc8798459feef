"""Imports and exports as callers meet them: in the background, all or none, within permissions (PAR-5, API-4)."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from core.crypto import hash_password
from core.database import transaction
from core.ids import encode_id
from core.principal import SYSTEM, Principal
from domain.bulk import BulkOperationKind
from policies.roles import ROLES
from services import access, bulk
from services.bulk import runner
from services.bulk.exports import export_of, rows_of
from services.bulk.tables import read_table
from tests.bulk.conftest import LINK, READ, Work, ask, export
from tests.factories.world import a_partner
from tests.web.conftest import PASSWORD
from workers.outbox import Outcome

APPLY = "mutation($input: ImportApplyInput!) { importApply(input: $input) { bulkOperation { id } userErrors { code field } } }"
CANCEL = "mutation($input: BulkOperationCancelInput!) { bulkOperationCancel(input: $input) { bulkOperation { status } userErrors { code field } } }"


async def send(staff: httpx.AsyncClient, content: str | bytes, *, dry_run: bool = False) -> str:
    data = content.encode() if isinstance(content, str) else content
    answer = await staff.post(f"/api/v1/import/partners?dryRun={str(dry_run).lower()}", content=data)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["bulkOperation"]["id"])


async def imported(staff: httpx.AsyncClient, work: Work, content: str | bytes, *, dry_run: bool = False) -> Any:
    operation = await send(staff, content, dry_run=dry_run)
    assert await work(operation) is Outcome.DONE
    return await ask(staff, READ, id=operation)


@pytest.mark.parametrize("query", ["dryRun=1", "dryRun=True", "dry_run=true", "dryRun=true&dryRun=false", "dryRun="])
@pytest.mark.parametrize("door", ["/api/v1/import/partners", "/api/external/bank-statements"])
async def test_what_may_be_meant_as_a_dry_run_is_never_taken_for_good(
    staff: httpx.AsyncClient, owner: asyncpg.Connection, door: str, query: str
) -> None:
    answer = await staff.post(f"{door}?{query}", content=b"name\nOrion\n")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MALFORMED")
    assert await owner.fetchval("SELECT count(*) FROM bulk_operations") == 0


async def download(staff: httpx.AsyncClient, operation: str) -> httpx.Response:
    return await staff.get((await ask(staff, LINK, id=operation))["url"])


async def test_a_dry_run_writes_nothing_and_is_then_applied(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    told = await imported(staff, work, "name,inn\nOrion,7707083893\nVega,\n", dry_run=True)
    assert (told["status"], told["createdCount"], told["doneCount"], told["progressPercent"]) == (
        "COMPLETED",
        2,
        2,
        100,
    )
    assert await owner.fetchval("SELECT count(*) FROM partners") == 0
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'partner.create'") == 0
    applied = (await ask(staff, APPLY, input={"id": told["id"]}))["bulkOperation"]["id"]
    assert await work(applied) is Outcome.DONE
    assert await work(applied) is Outcome.NOT_DUE
    await bulk.run(int(await owner.fetchval("SELECT max(id) FROM bulk_operations")))
    assert await owner.fetchval("SELECT count(*) FROM partners") == 2, "its effect happens once"
    again = await ask(staff, APPLY, input={"id": applied})
    assert again["userErrors"] == [{"code": "NOT_A_DRY_RUN", "field": ["input", "id"]}]


async def test_one_bad_row_writes_nothing_and_each_is_told(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    rows = "name,inn,kpp,deployment,connectedAt,id\nOrion,7707083894\nVega,,1\n,\nA,,,x\nB,,,,soon\nC,,,,,77\nD\nE,7707083893\nF,7707083893\n"
    told = await imported(staff, work, rows)
    assert (told["status"], told["errorCode"], told["createdCount"], told["rowCount"]) == (
        "FAILED",
        "ROWS_REFUSED",
        0,
        8,
    )
    assert [(p["rowNumber"], p["columnName"], p["code"]) for p in told["problems"]["nodes"]] == [
        (2, "inn", "INVALID_INN"),
        (3, "kpp", "INVALID_KPP"),
        (5, "deployment", "INVALID_VALUE"),
        (6, "connectedAt", "INVALID_VALUE"),
        (7, "id", "NOT_FOUND"),
        (9, "inn", "REPEATED"),
        (10, "inn", "REPEATED"),
    ]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 0


async def test_an_export_is_changed_and_comes_back(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    partner = await a_partner(name="=Orion", segment="small", connected_at=None)
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, phone, is_primary) VALUES ($1, 'A', '+79', true)", partner.id
    )
    for format in ("XLSX", "CSV"):
        operation = (await export(staff, "PARTNER_EXPORT", format))["bulkOperation"]
        refused = await staff.post("/graphql", json={"query": LINK, "variables": {"id": operation["id"]}})
        assert refused.json()["errors"][0]["extensions"]["code"] == "NO_FILE"
        assert await work(operation["id"]) is Outcome.DONE
        answer = await download(staff, operation["id"])
        assert answer.status_code == 200
        header, row = read_table(answer.content)
        told = dict(zip(header, row, strict=False))
        assert (told["name"], told["contactPhone"], told["segment"]) == ("=Orion", "+79", "small")
    looked = await owner.fetchrow("SELECT * FROM access_log_entries WHERE operation_name = 'PARTNER_EXPORT'")
    assert looked["partner_ids"] == [partner.id]
    back = await imported(staff, work, answer.text.replace("small", "big"))
    assert (back["status"], back["updatedCount"], back["createdCount"]) == ("COMPLETED", 1, 0)
    assert await owner.fetchval("SELECT name || segment FROM partners") == "=Orionbig"
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action LIKE 'contact.%'") == 0
    for kind in ("LICENSE_EXPORT", "PAYMENT_EXPORT"):
        operation = (await export(staff, kind, "CSV"))["bulkOperation"]
        assert await work(operation["id"]) is Outcome.DONE
        assert (await ask(staff, READ, id=operation["id"]))["status"] == "COMPLETED"
    assert (await export(staff, "PARTNER_IMPORT", "CSV"))["userErrors"][0]["code"] == "INVALID_VALUE"


async def test_contacts_come_with_their_partners(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    header = "id,name,branchCount,contactName,contactEmail,contactPhone\n"
    wrong = header + ",A,x,,,\n,B,,,b@b.test,\n,C,,Carl,nobody,\n,D,,Dora,,call me\n,E,,,,\n"
    told = await imported(staff, work, wrong)
    assert [(p["rowNumber"], p["columnName"], p["code"]) for p in told["problems"]["nodes"]] == [
        (2, "branchCount", "INVALID_VALUE"),
        (3, "contactName", "INVALID_VALUE"),
        (4, "contactEmail", "INVALID_VALUE"),
        (5, "contactPhone", "INVALID_VALUE"),
    ]
    assert await owner.fetchval("SELECT count(*) FROM contacts") == 0
    made = await imported(staff, work, f"{header},Orion,7,Anna,ANNA@orion.test,+7 495 000-00-00\n,Vega,,,,\n")
    assert (made["status"], made["createdCount"]) == ("COMPLETED", 2)
    orion, vega = [row["id"] for row in await owner.fetch("SELECT id FROM partners ORDER BY id")]
    again = f"{header}{orion},Orion,7,Anna,Anna@orion.test,+7 495 000-00-00\n{vega},Vega,,Vera,,\n{orion},Orion,8,,,\n"
    assert (await imported(staff, work, again))["updatedCount"] == 3
    known = "SELECT full_name, email, phone, is_primary, version, partner_id FROM contacts ORDER BY id"
    assert [tuple(row) for row in await owner.fetch(known)] == [
        ("Anna", "anna@orion.test", "+7 495 000-00-00", True, 1, orion),
        ("Vera", None, None, True, 1, vega),
    ]
    assert await owner.fetchval("SELECT branch_count FROM partners WHERE id = $1", orion) == 8
    await imported(staff, work, f"{header}{orion},Orion,8,Anna B.,,\n")
    assert next(tuple(row) for row in await owner.fetch(known)) == ("Anna B.", None, None, True, 2, orion)


async def test_a_link_is_for_one_file_and_ends_with_it(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    operation = (await export(staff, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    await work(operation)
    url = (await ask(staff, LINK, id=operation))["url"]
    assert (await staff.get(url)).status_code == 200
    assert (await staff.get(url.replace("signature=", "signature=x"))).status_code == 403
    await owner.execute("UPDATE bulk_operations SET expires_at = now() - interval '1 day'")
    async with transaction() as session:
        assert await bulk.expire_files(session) == 1
    assert (await staff.get(url)).status_code == 403
    assert await owner.fetchval("SELECT count(*) FROM bulk_operation_chunks") == 0


async def test_columns_follow_permissions_as_they_were_and_are(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    await a_partner(name="Orion")
    operation = (await export(staff, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    await owner.execute("DELETE FROM user_roles")
    await owner.execute(
        "INSERT INTO user_permissions (user_id, permission) SELECT id, unnest(ARRAY['partner:read', "
        "'partner:all_rows', 'bulk_operation:read', 'bulk_operation:write']) FROM users"
    )
    await work(operation)
    header = read_table((await download(staff, operation)).content)[0]
    assert "status" in header
    assert not [name for name in header if name.startswith("contact")]
    # Who may read less than the file has does not get it any more, and may ask for another one.
    await owner.execute("INSERT INTO user_permissions (user_id, permission) SELECT id, 'partner:pii' FROM users")
    full = (await export(staff, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    await work(full)
    assert (await download(staff, full)).status_code == 200
    await owner.execute("DELETE FROM user_permissions WHERE permission = 'partner:pii'")
    held_back = await staff.post("/graphql", json={"query": LINK, "variables": {"id": full}})
    assert held_back.json()["errors"][0]["extensions"]["code"] == "NO_FILE"
    assert (await download(staff, operation)).status_code == 200
    refused = await staff.post(
        "/graphql",
        json={"query": "mutation { exportCreate(input: {kind: PAYMENT_EXPORT, format: CSV}) { userErrors { code } } }"},
    )
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await staff.post("/api/v1/import/partners", content=b"name\nx\n")).status_code == 403
    del staff.headers["Authorization"]
    assert (await staff.post("/api/v1/import/partners", content=b"name\nx\n")).status_code == 401
    assert await owner.fetchval("SELECT count(*) FROM bulk_operations") == 2, "nothing was begun"


async def test_unknown_columns_end_the_import(staff: httpx.AsyncClient, work: Work) -> None:
    for text in ("name,colour\nx,y\n", "inn\n1\n", "", "name,name\nx,y\n"):
        told = await imported(staff, work, text)
        assert (told["status"], told["errorCode"]) == ("FAILED", "UNREADABLE_TABLE")


async def test_a_cancelled_import_changes_nothing(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0.0)
    waiting = await send(staff, "name\nA\n")
    assert (await ask(staff, CANCEL, input={"id": waiting}))["bulkOperation"]["status"] == "CANCELED"
    assert await work(waiting) is Outcome.DONE
    begun_now = await send(staff, "name\n" + "".join(f"P{n}\n" for n in range(400)))
    task = asyncio.create_task(work(begun_now))
    async with asyncio.timeout(60):
        while not (await ask(staff, READ, id=begun_now))["doneCount"]:  # noqa: ASYNC110 - the work goes on meanwhile
            await asyncio.sleep(0)
    assert (await ask(staff, CANCEL, input={"id": begun_now}))["bulkOperation"]["status"] == "CANCELED"
    await task
    over = await ask(staff, CANCEL, input={"id": begun_now})
    assert over["userErrors"] == [{"code": "BULK_OPERATION_OVER", "field": ["input", "id"]}]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 0


async def test_a_worker_that_was_overtaken_writes_nothing(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    operation = await send(staff, "name\nA\n")
    key = await owner.fetchval("SELECT id FROM bulk_operations")
    begun = await runner._begin(key)
    assert begun is not None
    assert await work(operation) is Outcome.DONE, "as after the first worker's death"
    with pytest.raises(runner.Overtaken):
        await runner._import(begun)
    assert await owner.fetchval("SELECT count(*) FROM partners") == 1


async def test_what_fails_for_good_is_told_without_our_reasons(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a reason of ours")

    operation = await send(staff, "name\nA\n")
    monkeypatch.setattr(runner, "_import", broken)
    await owner.execute("UPDATE outbox_messages SET attempts = 2 WHERE kind = 'bulk_operation.run'")
    assert await work(operation) is Outcome.DEAD
    told = await ask(staff, READ, id=operation)
    assert (told["status"], told["errorCode"]) == ("FAILED", "INTERNAL")
    assert "reason" not in told["errorMessage"]
    waiting = await send(staff, "name\nB\n")
    await owner.execute("UPDATE users SET status = 'BLOCKED'")
    assert await work(waiting) is Outcome.DONE
    trail = await owner.fetch(
        "SELECT after->>'status' AS status FROM audit_events WHERE action = 'bulk_operation.finish' ORDER BY id"
    )
    assert [row["status"] for row in trail] == ["FAILED", "CANCELED"], "whoever asked was blocked meanwhile"


async def test_partners_export_their_own_rows(owner: asyncpg.Connection, work: Work, http: httpx.AsyncClient) -> None:
    mine, other = await a_partner(name="Mine"), await a_partner(name="Other")
    hashed = await hash_password(PASSWORD)
    for partner, email in ((mine, "a@x.test"), (other, "b@x.test")):
        user = await owner.fetchval(
            "INSERT INTO users (kind, partner_id, email, full_name, password_hash) "
            "VALUES ('PARTNER', $1, $2, 'A', $3) RETURNING id",
            partner.id,
            email,
            hashed,
        )
        await owner.execute("INSERT INTO user_roles SELECT $1, id FROM roles WHERE name = 'PARTNER_OWNER'", user)
    tokens = []
    for email in ("a@x.test", "b@x.test"):
        async with transaction(SYSTEM) as session:
            found = await access.sign_in(session, email=email, password=PASSWORD)
        assert isinstance(found, access.SignedIn)
        tokens.append(found.access_token)
    http.headers["Authorization"] = f"Bearer {tokens[0]}"
    operation = (await export(http, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    await work(operation)
    assert [row[1] for row in read_table((await download(http, operation)).content)[1:]] == ["Mine"]
    tenant = Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], partner_id=mine.id)
    async with transaction(SYSTEM) as session:
        found_rows = [rows async for rows in rows_of(session, export_of(tenant, BulkOperationKind.PARTNER_EXPORT))]
    assert [[row[0] for row in rows] for rows in found_rows] == [[mine.id]], "the statement holds without the database"
    http.headers["Authorization"] = f"Bearer {tokens[1]}"
    assert await ask(http, READ, id=operation) is None
    refused = await http.post("/graphql", json={"query": LINK, "variables": {"id": operation}})
    missing = await http.post("/graphql", json={"query": LINK, "variables": {"id": encode_id("BulkOperation", 999)}})
    assert refused.json()["errors"][0]["extensions"] == missing.json()["errors"][0]["extensions"]
