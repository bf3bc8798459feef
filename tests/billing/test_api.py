"""Billing through its doors: GraphQL, the pay page and the notification's address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from core.settings import get_settings
from ledger.post import open_wallet
from planner.write import dumps
from resolvers.mutation import run_mutation
from resolvers.root import planner
from tests.billing.conftest import World
from tests.billing.subscribed import subscribe
from tests.factories.world import a_product
from web.app import app
from workers.outbox import Outcome, process

ORDER = """
mutation Order($input: SubscriptionCreateInput!) {
  subscriptionCreate(input: $input) {
    invoice { id number status total { amount currency } lines { quantity amount { amount } } }
    payment { status paymentLink }
    userErrors { code field message }
  }
}
"""


@pytest.fixture
async def http(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser or a gateway before the application."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=get_settings().base_url) as client:
        yield client


async def run(source: str, principal: Principal, **variables: Any) -> Any:
    answer = await planner.execute(source, None, variables, principal, allow_mutation=True, run_mutation=run_mutation)
    return orjson.loads(dumps({"data": answer.data, "errors": answer.errors}))


def order_input(world: Any, **changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": "order-1",
        "installId": encode_id("Install", world.install),
        "planId": encode_id("Plan", world.plan),
        "term": "HALF_YEAR",
        "seats": 3,
        **changes,
    }


async def order(world: Any, staff: Principal, **changes: Any) -> Any:
    answer = await run(ORDER, staff, input=order_input(world, **changes))
    assert not answer["errors"], answer["errors"]
    return answer["data"]["subscriptionCreate"]


async def test_an_order_answers_with_a_link_that_pays_it(http: Any, world: Any, staff: Principal, owner: Any) -> None:
    made = await order(world, staff)
    assert made["userErrors"] == []
    assert made["invoice"]["total"] == {"amount": "1800.00", "currency": "RUB"}
    assert made["payment"]["status"] == "PENDING"
    link = made["payment"]["paymentLink"]
    shown = await http.get(link)
    assert shown.status_code == 200
    assert "1\u202f800.00" in shown.text
    assert "script-src 'self'" in shown.headers["content-security-policy"]
    pressed = await http.post(link, data={"action": "pay"})
    assert pressed.status_code == 303
    waiting = await http.get(pressed.headers["location"])
    assert "refresh" in waiting.headers
    message = await owner.fetchval("SELECT id FROM outbox_messages WHERE kind = 'payment.notification'")
    assert await process(message) is Outcome.DONE
    assert "arrived" in (await http.get(pressed.headers["location"])).text
    read = await run(
        "query($id: ID!) { invoice(id: $id) { status subscription { status seats } } }", staff, id=made["invoice"]["id"]
    )
    assert read["data"]["invoice"] == {"status": "PAID", "subscription": {"status": "ACTIVE", "seats": 3}}


async def test_the_same_key_orders_once_and_another_input_under_it_is_refused(
    world: Any, staff: Principal, owner: Any
) -> None:
    first, second = await order(world, staff), await order(world, staff)
    assert first["invoice"]["id"] == second["invoice"]["id"]
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1
    other = await order(world, staff, seats=4)
    assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]


async def test_a_dry_run_answers_and_leaves_nothing(world: Any, staff: Principal, owner: Any) -> None:
    made = await order(world, staff, dryRun=True)
    assert made["invoice"]["total"]["amount"] == "1800.00"
    for table in ("invoices", "payments", "outbox_messages", "audit_events", "idempotency_records"):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"seats": 1}, "INVALID_SEATS", ["input", "seats"]),
        ({"seats": -1}, "INVALID_SEATS", ["input", "seats"]),
        ({"installId": encode_id("Install", 999)}, "NOT_FOUND", ["input", "installId"]),
        ({"planId": encode_id("Invoice", 1)}, "INVALID_ID", ["input", "planId"]),
        ({"planId": "garbage"}, "INVALID_ID", ["input", "planId"]),
        ({"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", ["input", "idempotencyKey"]),
    ],
)
async def test_bad_orders_name_their_field(
    world: Any, staff: Principal, owner: Any, changes: Any, code: str, field: list[str]
) -> None:
    made = await order(world, staff, **changes)
    assert [(error["code"], error["field"]) for error in made["userErrors"]] == [(code, field)]
    assert made["invoice"] is None
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 0


async def test_a_preview_saves_nothing(world: Any, staff: Principal, owner: Any) -> None:
    answer = await run(
        "query($input: SubscriptionPreviewInput!) { subscriptionPreview(input: $input) "
        "{ months seats perMonth { amount } total { amount currency } } }",
        staff,
        input={"planId": encode_id("Plan", world.plan), "term": "YEAR"},
    )
    assert answer["data"]["subscriptionPreview"] == {
        "months": 12,
        "seats": 5,
        "perMonth": {"amount": "500.00"},
        "total": {"amount": "6000.00", "currency": "RUB"},
    }
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 0


async def test_a_reader_is_refused_before_anything_runs(world: Any, owner: Any) -> None:
    reader = Principal(kind="staff", permissions=frozenset({"invoice:read", "payment:read", "partner:all_rows"}))
    answer = await run(ORDER, reader, input=order_input(world))
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "subscription:write" in answer["errors"][0]["message"]
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 0


async def test_a_wallet_is_adjusted_once_under_its_key(world: Any, staff: Principal, owner: Any) -> None:
    async with transaction() as session:
        wallet = await open_wallet(session, partner_id=world.partner, install_id=world.install)
    adjust = """
        mutation($input: WalletAdjustInput!) { walletAdjust(input: $input) {
          wallet { balance } transaction { amount kind entries { amount } } userErrors { code field message } } }
    """
    asked = {"id": encode_id("Wallet", wallet.id), "amount": "2.5", "reason": "gift", "idempotencyKey": "a"}
    for _ in range(2):
        answer = (await run(adjust, staff, input=asked))["data"]["walletAdjust"]
        assert answer["wallet"] == {"balance": "2.500"}
        assert sorted(entry["amount"] for entry in answer["transaction"]["entries"]) == ["-2.500", "2.500"]
    refused = (await run(adjust, staff, input={**asked, "amount": "-9", "idempotencyKey": "b"}))["data"]["walletAdjust"]
    assert refused["userErrors"][0]["code"] == "INSUFFICIENT_COINS"
    assert await owner.fetchval("SELECT balance FROM wallets") == 2.5


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/webhooks/sandbox", b"", 400),
        ("/webhooks/sandbox", b"null", 400),
        ("/webhooks/sandbox", b"\xff\xfe", 400),
        ("/webhooks/sandbox", b"[" * 50_000, 400),
        ("/webhooks/sandbox", b"x" * 200_000, 413),
        ("/webhooks/sandbox", b'{"orderId":"x","paymentId":"x","status":"y","amount":"1","currency":"z","rebillId":"","signature":"s"}', 403),
        ("/webhooks/nobody", b"{}", 404),
        ("/sandbox/pay/unknown", b"action=pay", 404),
    ],
)  # fmt: skip
async def test_garbage_is_refused_and_leaves_nothing(
    http: Any, world: Any, owner: Any, path: str, body: bytes, status: int
) -> None:
    answer = await http.post(path, content=body)
    assert answer.status_code == status
    assert await owner.fetchval("SELECT count(*) FROM gateway_notifications") == 0


async def test_declining_keeps_the_link_usable(http: Any, world: Any, staff: Principal, owner: Any) -> None:
    link = (await order(world, staff))["payment"]["paymentLink"]
    await http.post(link, data={"action": "later"})
    await http.post(link, data={"action": "decline"})
    message = await owner.fetchval("SELECT id FROM outbox_messages WHERE kind = 'payment.notification'")
    assert await process(message) is Outcome.DONE
    assert await owner.fetchval("SELECT status FROM payments") == "REJECTED"
    assert (await http.get(link)).status_code == 200
    assert (await http.post(link, data={"action": "nonsense"})).status_code == 400


async def test_the_schedule_is_told(world: Any, staff: Principal) -> None:
    from workers.schedule import JOBS, sync_jobs

    async with transaction() as session:
        await sync_jobs(session)
    answer = await run("{ scheduledJobs { name cron enabled nextDueAt lastFiredAt } }", staff)
    assert [job["name"] for job in answer["data"]["scheduledJobs"]] == sorted(JOBS)


async def test_subscriptions_of_a_product_are_listed_by_an_index(
    world: World, owner: asyncpg.Connection, staff: Principal
) -> None:
    made = await subscribe(world)
    other = await a_product()
    listed = """query($product: ID!) { subscriptions(filter: {productId: $product}, orderBy: {field: ENDS_AT}) {
        totalCount nodes { databaseId product { databaseId } } } }"""
    found = await run(listed, staff, product=encode_id("Product", world.product))
    assert found["data"]["subscriptions"] == {
        "totalCount": 1,
        "nodes": [{"databaseId": str(made.subscription), "product": {"databaseId": str(world.product)}}],
    }
    none = await run(listed, staff, product=encode_id("Product", other.product.id))
    assert none["data"]["subscriptions"] == {"totalCount": 0, "nodes": []}
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await owner.execute("UPDATE subscriptions SET product_id = $1", other.product.id)
    await owner.execute("SET enable_seqscan = off")
    for order, index in (
        ("id DESC", "ix_subscriptions_product_recent"),
        ("ends_at, id", "ix_subscriptions_product_ends"),
    ):
        plan = str(
            await owner.fetch(f"EXPLAIN SELECT id FROM subscriptions WHERE product_id = 1 ORDER BY {order} LIMIT 20")
        )
        assert index in plan
        assert "Sort" not in plan


async def test_a_subscription_that_costs_nothing_begins_at_once(
    world: World, owner: asyncpg.Connection, staff: Principal
) -> None:
    made = await order(world, staff, unitPrice="0")
    assert made["userErrors"] == []
    assert (made["invoice"]["status"], made["payment"]) == ("PAID", None)
    assert await owner.fetchval("SELECT status FROM subscriptions") == "ACTIVE"
    assert await owner.fetchval("SELECT count(*) FROM payments") == 0
