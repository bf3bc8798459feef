"""The usage API: charges, holds and balances by project token (WAL-4, ACC-7)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.ids import encode_id
from ledger.verify import verify
from tests.api import payload
from tests.factories.world import a_partner, a_product, an_install
from tests.wallets.conftest import Backend, events, run_messages

ROTATE = """
mutation($input: ProductRotateProjectTokenInput!) { productRotateProjectToken(input: $input) {
  projectToken userErrors { code } } }
"""
REPLAY = """
mutation($input: DeadLetterReplayInput!) { deadLetterReplay(input: $input) { deadLetter { status } userErrors { code } } }
"""


async def violations() -> list[str]:
    async with transaction() as session:
        return await verify(session)


async def test_a_charge_and_its_repeat(backend: Backend, owner: asyncpg.Connection) -> None:
    first = await backend.charge("12.5", "call-1")
    assert first.status_code == 201
    assert first.json() == {
        "transactionId": first.json()["transactionId"],
        "balance": "987.500",
        "repeated": False,
    }
    again = await backend.charge("12.5", "call-1")
    assert (again.status_code, again.json()) == (200, {**first.json(), "repeated": True})
    other = await backend.charge("13", "call-1")
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await backend.balance() == Decimal("987.5")
    assert await violations() == []


async def test_five_hundred_at_once_on_three_hundred_coins(backend: Backend, owner: asyncpg.Connection) -> None:
    assert (await backend.charge("700", "first")).status_code == 201
    answers = await asyncio.gather(*(backend.charge("1", f"call-{number}", record=False) for number in range(500)))
    assert Counter(answer.status_code for answer in answers) == {201: 300, 402: 200}
    assert await backend.balance() == 0
    assert await violations() == []
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'usage.charge'") == 0


async def test_what_cannot_be_applied_waits_for_a_person(backend: Backend, owner: asyncpg.Connection) -> None:
    for _ in range(2):
        refused = await backend.charge("1000.5", "big")
        assert refused.status_code == 402
        assert refused.json()["error"]["recorded"] is True
        assert refused.json()["error"]["code"] == "INSUFFICIENT_COINS"
        assert "1000.000" in refused.json()["error"]["message"]
    assert await run_messages(owner, "usage.charge") == 1
    letter = await owner.fetchrow("SELECT id, error FROM dead_letters")
    assert letter is not None
    assert "INSUFFICIENT_COINS" in letter["error"]
    assert len(await events(owner, "wallet.charge_failed")) == 1
    grant = await payload(
        "mutation($i: WalletGrantBonusInput!) { walletGrantBonus(input: $i) { wallet { balance } userErrors { code } } }",
        i={"id": backend.wallet_id, "amount": "1", "reason": "For the call", "idempotencyKey": "g"},
    )
    assert grant["wallet"]["balance"] == "1001.000"
    replayed = await payload(REPLAY, input={"id": encode_id("DeadLetter", letter["id"])})
    assert replayed["deadLetter"]["status"] == "REPLAYED"
    assert await run_messages(owner, "usage.charge") == 1
    assert await backend.balance() == Decimal("0.5")
    assert (await backend.charge("1000.5", "big")).status_code == 200
    assert await violations() == []


async def test_a_batch_tells_each_result_in_the_order_asked(backend: Backend) -> None:
    def item(amount: str, key: str, install: int = backend.install) -> dict[str, Any]:
        return {"installId": install, "amount": amount, "idempotencyKey": key, "description": "x"}

    answer = await backend.post(
        "charges/batch",
        {"charges": [item("900", "a"), item("200", "b"), item("1", "c", 999), item("100", "d"), item("900", "a")]},
    )
    results = answer.json()["results"]
    assert [result.get("balance") or result["error"]["code"] for result in results] == [
        "100.000",
        "INSUFFICIENT_COINS",
        "NOT_FOUND",
        "0.000",
        "100.000",
    ]
    assert results[4]["repeated"] is True
    assert results[4]["transactionId"] == results[0]["transactionId"]


async def test_refused_charges_of_a_batch_wait_for_a_person_once_each(
    backend: Backend, owner: asyncpg.Connection
) -> None:
    def item(amount: str, key: str, install: int = backend.install) -> dict[str, Any]:
        return {"installId": install, "amount": amount, "idempotencyKey": key, "description": "x"}

    async def send(*charges: dict[str, Any], **more: Any) -> list[Any]:
        results = (await backend.post("charges/batch", {"charges": charges, **more})).json()["results"]
        return [result.get("error", {}).get("recorded") for result in results]

    asked = [
        item("900", "a"),
        item("200", "b"),
        item("1", "c", 999),
        item("200", "b"),
        item("300", "d"),
        item("900", "b"),
    ]
    assert await send(*asked, record=False) == [None, False, False, False, False, False]
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'usage.charge'") == 0
    # The same reference with another amount is another charge, and only the first can be kept.
    for _ in range(2):
        assert await send(item("200", "b"), item("1", "c", 999), item("300", "d"), item("201", "b")) == [
            True,
            False,
            True,
            False,
        ]
    assert await run_messages(owner, "usage.charge") == 2
    letters = await owner.fetch(
        "SELECT payload->>'reference' AS told, partner_id, install_id FROM dead_letters ORDER BY id"
    )
    assert [letter["told"] for letter in letters] == ["usage:b", "usage:d"]
    assert {letter["install_id"] for letter in letters} == {backend.install}
    assert all(letter["partner_id"] is not None for letter in letters)
    assert len(await events(owner, "wallet.charge_failed")) == 2
    assert await violations() == []


async def test_holds_are_captured_in_part_or_given_back(backend: Backend, owner: asyncpg.Connection) -> None:
    held = await backend.hold("400", "job")
    assert held.status_code == 201
    assert (await backend.hold("400", "job")).json() == held.json()
    assert await backend.balance() == 600
    path = f"holds/{held.json()['holdId']}"
    part = await backend.post(f"{path}/capture", {"amount": "150.5"})
    assert (part.json()["status"], part.json()["capturedAmount"]) == ("CAPTURED", "150.500")
    assert (await backend.post(f"{path}/capture", {"amount": "150.5"})).json() == part.json()
    assert (await backend.post(f"{path}/release", {})).json()["error"]["code"] == "HOLD_NOT_OPEN"
    assert await backend.balance() == Decimal("849.5")
    second = (await backend.hold("49.5", "job 2", expiresInSeconds=60)).json()
    await backend.post(f"holds/{second['holdId']}/release", {})
    assert await backend.balance() == Decimal("849.5")
    third = (await backend.hold("849.5", "job 3", expiresInSeconds=60)).json()
    clock.travel(clock.now() + timedelta(minutes=2))
    late = await backend.post(f"holds/{third['holdId']}/capture", {})
    assert late.status_code == 409
    from services import wallets

    async with transaction() as session:
        assert await wallets.expire_holds(session, 10) == 1
    assert await backend.balance() == Decimal("849.5")
    assert await violations() == []


async def test_only_the_products_own_installs(backend: Backend) -> None:
    other = await a_product()
    foreign = await an_install((await a_partner()).id, other.product.id)
    body = {"installId": foreign.id, "amount": "1", "description": "x"}
    assert (await backend.post("charges", body, "k")).status_code == 404
    assert (await backend.post("holds", body, "k")).status_code == 404
    held = (await backend.hold("1", "mine")).json()["holdId"]
    assert (await backend.post(f"holds/{held}/release", {}, token=other.project_token)).status_code == 404
    mine = {"installId": backend.install, "amount": "1", "description": "x"}
    assert (await backend.post("charges", mine, "k", token=other.project_token)).status_code == 404
    assert await backend.balance() == 999


@pytest.mark.parametrize("token", ["", "kpt_wrong", "x" * 5_000])
async def test_without_a_right_token_nothing_is_told(backend: Backend, token: str) -> None:
    answer = await backend.http.get(
        f"/api/v1/usage/installs/{backend.install}/balance", headers={"X-Project-Token": token} if token else {}
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHENTICATED"


async def test_a_rotated_token_works_on_for_its_overlap(backend: Backend) -> None:
    asked = {"id": encode_id("Product", backend.product), "overlapHours": 2}
    fresh = (await payload(ROTATE, input=asked))["projectToken"]
    for token in (backend.token, fresh):
        assert (await backend.post("charges/batch", {}, token=token)).status_code == 400
    clock.travel(clock.now() + timedelta(hours=2, minutes=1))
    assert (await backend.post("charges/batch", {}, token=backend.token)).status_code == 401
    assert (await backend.post("charges/batch", {}, token=fresh)).status_code == 400
    leaked = (await payload(ROTATE, input={**asked, "overlapHours": 0}))["projectToken"]
    assert (await backend.post("charges/batch", {}, token=fresh)).status_code == 401
    assert (await backend.post("charges/batch", {}, token=leaked)).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"amount": "0"}, 422, "amount"),
        ({"amount": "-1"}, 422, "amount"),
        ({"amount": 1.5}, 400, "amount"),
        ({"amount": "NaN"}, 400, "amount"),
        ({"amount": "1e400"}, 422, None),
        ({"amount": True}, 400, "amount"),
        ({"installId": "x"}, 400, "installId"),
        ({"installId": -1}, 400, "installId"),
        ({"description": ""}, 400, "description"),
        ({"description": "a\x00b"}, 400, "description"),
        ({"ammount": "1"}, 400, "ammount"),
        ({"record": "yes"}, 400, "record"),
    ],
)
async def test_wrong_bodies_name_their_field(
    backend: Backend, body: dict[str, Any], status: int, field: str | None
) -> None:
    asked = {"installId": backend.install, "amount": "1", "description": "x", **body}
    answer = await backend.post("charges", asked, "k")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].get("field") == field
    assert await backend.balance() == 1000


async def test_bodies_that_are_no_objects(backend: Backend) -> None:
    headers = {"X-Project-Token": backend.token, "Idempotency-Key": "k", "Content-Type": "application/json"}
    for content in (b"", b"null", b"[1]", b"\xff", b"{", b'"x"'):
        answer = await backend.http.post("/api/v1/usage/charges", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MALFORMED"), content
    without_key = await backend.http.post("/api/v1/usage/charges", json={}, headers={"X-Project-Token": backend.token})
    assert without_key.status_code == 400
