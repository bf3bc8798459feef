"""Changes of subscriptions through GraphQL: dry runs, keys, partners, many at once (SUB-5, SUB-6, CAT-2, INV-1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core import clock
from core.database import transaction
from core.ids import decode_id, encode_id
from core.principal import Principal
from domain.catalog import Term
from models import Install, Partner, Plan, PlanPrice
from policies.roles import ROLES
from services import billing
from tests.api import payload, run
from tests.billing.conftest import STAFF
from tests.billing.subscribed import STARTED, Subscribed, a_plan, row, subscribe

ADD_SEATS = """
mutation($input: SubscriptionAddSeatsInput!) { subscriptionAddSeats(input: $input) {
  subscription { seats version } invoice { id kind total { amount } seats periodEnd }
  payment { paymentLink amount { amount } } userErrors { code field message } } }
"""
CHANGE_PLAN = """
mutation($input: SubscriptionChangePlanInput!) { subscriptionChangePlan(input: $input) {
  subscription { term plan { name } pendingTerm pendingPlan { name } pendingUnitPrice { amount } worth { amount } }
  invoice { status total { amount } lines { description amount { amount } } } userErrors { code field message } } }
"""


def owner_of(made: Subscribed) -> Principal:
    return Principal(kind="partner", partner_id=made.world.partner, permissions=ROLES["PARTNER_OWNER"][1])


def input_of(made: Subscribed, version: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": encode_id("Subscription", made.subscription), "version": version, **more}


async def test_a_partner_owner_buys_seats(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    who = owner_of(made)
    preview = await payload(
        "query($input: SubscriptionPreviewSeatsInput!) { subscriptionPreviewSeats(input: $input) "
        "{ added months unitPrice { amount } total { amount currency } } }",
        who,
        input={"id": encode_id("Subscription", made.subscription), "seats": 7},
    )
    assert preview == {
        "added": 2,
        "months": 5,
        "unitPrice": {"amount": "100.00"},
        "total": {"amount": "1000.00", "currency": "RUB"},
    }
    asked = input_of(made, seats=7, idempotencyKey="a")
    before = await owner.fetchval("SELECT count(*) FROM outbox_messages")
    dry = await payload(ADD_SEATS, who, input={**asked, "dryRun": True})
    assert dry["invoice"]["total"] == {"amount": "1000.00"}
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages") == before
    first, second = await payload(ADD_SEATS, who, input=asked), await payload(ADD_SEATS, who, input=asked)
    assert first["userErrors"] == []
    assert first["invoice"]["id"] == second["invoice"]["id"]
    assert first["payment"]["paymentLink"].startswith("http")
    assert first["subscription"] == {"seats": 5, "version": 2}
    stale = await payload(ADD_SEATS, who, input={**asked, "idempotencyKey": "b"})
    assert [(error["code"], error["field"]) for error in stale["userErrors"]] == [
        ("VERSION_CONFLICT", ["input", "version"])
    ]
    blocked = await payload(ADD_SEATS, who, input={**asked, "version": 2, "idempotencyKey": "b"})
    assert blocked["userErrors"][0]["code"] == "NOT_ALLOWED_NOW"


async def test_a_partner_owner_orders_and_orders_better(world: Any, owner: Any) -> None:
    source = """mutation($input: SubscriptionCreateInput!) { subscriptionCreate(input: $input) {
        invoice { seats status } payment { paymentLink } userErrors { code } } }"""
    who = Principal(kind="partner", partner_id=world.partner, permissions=ROLES["PARTNER_OWNER"][1])
    asked = {"installId": encode_id("Install", world.install), "planId": encode_id("Plan", world.plan), "term": "YEAR"}
    first = await payload(source, who, input={**asked, "seats": 3, "idempotencyKey": "a"})
    assert first["payment"]["paymentLink"]
    second = await payload(source, who, input={**asked, "seats": 4, "idempotencyKey": "b"})
    assert [error["code"] for error in second["userErrors"]] == ["ALREADY_SUBSCRIBED"]
    third = await payload(source, who, input={**asked, "seats": 4, "replace": True, "idempotencyKey": "c"})
    assert third["invoice"] == {"seats": 4, "status": "PENDING"}
    found = await owner.fetch("SELECT seats, status FROM invoices ORDER BY id")
    assert [tuple(line) for line in found] == [(3, "CANCELED"), (4, "PENDING")]
    dear = await run(source, who, input={**asked, "unitPrice": "1", "replace": True, "idempotencyKey": "d"})
    assert dear["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    async with transaction() as session:
        session.add(other := Partner(name="Other"))
        await session.flush()
    stranger = Principal(kind="partner", partner_id=other.id, permissions=ROLES["PARTNER_OWNER"][1])
    foreign = await payload(source, stranger, input={**asked, "idempotencyKey": "e"})
    assert [error["code"] for error in foreign["userErrors"]] == ["NOT_FOUND"]


async def test_another_partner_and_a_member_cannot(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    async with transaction() as session:
        other = Partner(name="Other")
        session.add(other)
        await session.flush()
        stranger = Principal(kind="partner", partner_id=other.id, permissions=ROLES["PARTNER_OWNER"][1])
    answer = await payload(ADD_SEATS, stranger, input=input_of(made, seats=7, idempotencyKey="a"))
    assert [error["code"] for error in answer["userErrors"]] == ["NOT_FOUND"]
    member = Principal(kind="partner", partner_id=world.partner, permissions=ROLES["PARTNER_MEMBER"][1])
    refused = await run(ADD_SEATS, member, input=input_of(made, seats=7, idempotencyKey="a"))
    assert refused["errors"]
    pause = "mutation($input: SubscriptionPauseInput!) { subscriptionPause(input: $input) { userErrors { code } } }"
    assert (await run(pause, owner_of(made), input=input_of(made)))["errors"]
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1


async def test_the_preview_of_a_plan_change_is_what_is_charged(world: Any) -> None:
    made = await subscribe(world)
    big = await a_plan(world, "Big", "200")
    who = owner_of(made)
    asked = {"when": "NOW", "planId": encode_id("Plan", big), "term": "YEAR", "seats": 6}
    preview = await payload(
        "query($input: SubscriptionPreviewChangeInput!) { subscriptionPreviewChange(input: $input) "
        "{ seats price { amount } credit { amount } due { amount } endsAt } }",
        who,
        input={"id": encode_id("Subscription", made.subscription), **asked},
    )
    made_order = await payload(CHANGE_PLAN, who, input={**input_of(made, idempotencyKey="a"), **asked})
    assert made_order["userErrors"] == []
    total = Decimal(made_order["invoice"]["total"]["amount"])
    assert preview["price"] == {"amount": "14400.00"}
    assert abs(total - Decimal(preview["due"]["amount"])) <= Decimal("0.05")
    lines = [Decimal(line["amount"]["amount"]) for line in made_order["invoice"]["lines"]]
    assert sum(lines) == total


async def test_a_change_at_the_renewal_shows_what_waits(world: Any) -> None:
    made = await subscribe(world)
    big = await a_plan(world, "Big", "200")
    asked = input_of(made, idempotencyKey="a", when="RENEWAL", planId=encode_id("Plan", big), term="YEAR")
    answer = await payload(CHANGE_PLAN, STAFF, input=asked)
    assert answer["invoice"] is None
    assert answer["subscription"]["pendingPlan"] == {"name": "Big"}
    assert answer["subscription"]["pendingUnitPrice"] == {"amount": "200.00"}
    asking = "query($id: ID!) { subscription(id: $id) { allowedActions { action enabled } } }"
    found = await run(asking, STAFF, id=encode_id("Subscription", made.subscription))
    enabled = {one["action"] for one in found["data"]["subscription"]["allowedActions"] if one["enabled"]}
    assert "UNDO_CHANGE" in enabled
    assert "RESUME" not in enabled


@pytest.mark.parametrize(
    ("mutation", "kind", "more"),
    [
        ("subscriptionCancel", "SubscriptionCancelInput", {"when": "NOW", "reason": "x"}),
        ("subscriptionCancel", "SubscriptionCancelInput", {}),
        ("subscriptionPause", "SubscriptionPauseInput", {}),
        ("subscriptionRemoveSeats", "SubscriptionRemoveSeatsInput", {"seats": 3}),
        ("subscriptionSetPrice", "SubscriptionSetPriceInput", {"unitPrice": "9.99", "idempotencyKey": "k"}),
        ("subscriptionSetAutoRenew", "SubscriptionSetAutoRenewInput", {"autoRenew": False}),
        ("subscriptionExtend", "SubscriptionExtendInput", {"months": 2, "note": "x", "paidAmount": "5", "idempotencyKey": "k"}),
        ("subscriptionAddSeats", "SubscriptionAddSeatsInput", {"seats": 9, "idempotencyKey": "k"}),
        ("subscriptionChangePlan", "SubscriptionChangePlanInput", {"when": "NOW", "term": "MONTH", "seats": 4, "idempotencyKey": "k"}),
    ],
)  # fmt: skip
async def test_a_dry_run_changes_nothing(world: Any, owner: Any, mutation: str, kind: str, more: Any) -> None:
    made = await subscribe(world)
    tables = ("subscriptions", "subscription_changes", "invoices", "payments", "product_events", "audit_events", "outbox_messages")  # fmt: skip
    before = [await owner.fetch(f"SELECT * FROM {table} ORDER BY id") for table in tables]
    source = f"mutation($input: {kind}!) {{ {mutation}(input: $input) {{ subscription {{ version }} userErrors {{ code message }} }} }}"
    dry = await payload(source, STAFF, input=input_of(made, dryRun=True, **more))
    assert dry == {"subscription": {"version": 2}, "userErrors": []}
    assert [await owner.fetch(f"SELECT * FROM {table} ORDER BY id") for table in tables] == before
    wet = await payload(source, STAFF, input=input_of(made, **more))
    assert wet == dry


async def test_an_invoice_that_people_write(world: Any, owner: Any) -> None:
    source = """mutation($input: InvoiceCreateInput!) { invoiceCreate(input: $input) {
        invoice { kind number total { amount } lines { amount { amount } } } payment { paymentLink }
        userErrors { code field } } }"""
    asked = {
        "partnerId": encode_id("Partner", world.partner),
        "lines": [
            {"description": "Training", "quantity": "1.5", "unitPrice": "1999.99"},
            {"description": "Travel", "unitPrice": "100"},
        ],
        "idempotencyKey": "a",
    }
    for _ in range(2):
        answer = await payload(source, STAFF, input=asked)
        assert answer["userErrors"] == []
        assert answer["invoice"]["kind"] == "ONE_OFF"
        assert answer["invoice"]["total"] == {"amount": "3099.99"}
        assert answer["invoice"]["lines"][0]["amount"] == {"amount": "2999.99"}
        assert answer["payment"]["paymentLink"]
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1
    line = {"description": "x", "unitPrice": "1"}
    for changes, code, field in (
        ({"lines": []}, "INVALID_VALUE", "lines"),
        ({"lines": [line] * 101}, "INVALID_VALUE", "lines"),
        ({"lines": [{**line, "quantity": "0"}]}, "INVALID_AMOUNT", "lines"),
        ({"lines": [{**line, "quantity": "0.0001"}]}, "INVALID_AMOUNT", "lines"),
        ({"lines": [{**line, "unitPrice": "-1"}]}, "INVALID_AMOUNT", "lines"),
        ({"lines": [{**line, "unitPrice": "0"}]}, "INVALID_AMOUNT", "lines"),
        ({"lines": [{**line, "description": " "}]}, "INVALID_VALUE", "lines"),
        ({"currency": "rub"}, "INVALID_VALUE", "currency"),
        ({"dueDays": -1}, "INVALID_VALUE", "dueDays"),
        ({"partnerId": encode_id("Partner", 999)}, "NOT_FOUND", "partnerId"),
        ({"installId": encode_id("Install", 999)}, "NOT_FOUND", "installId"),
    ):
        answer = await payload(source, STAFF, input={**asked, "idempotencyKey": "b", **changes})
        assert [(error["code"], error["field"]) for error in answer["userErrors"]] == [(code, ["input", field])]
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1


async def test_a_tariffs_subscriptions_move_to_its_newest_version(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    clock.travel(STARTED)
    async with transaction() as session:
        for number in range(3):
            partner = Partner(name=f"Partner {number}")
            session.add(partner)
            await session.flush()
            install = Install(partner_id=partner.id, product_id=world.product)
            session.add(install)
            await session.flush()
            invoice, _ = await billing.create_subscription(
                session, STAFF, install_id=install.id, plan_id=world.plan, term=Term.YEAR, seats=3,
                unit_price=Decimal(70) if number == 0 else None,
            )  # fmt: skip
            await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
        newest = Plan(product_id=world.product, name="Basic", min_seats=2, version=2)
        old = await session.get_one(Plan, world.plan)
        old.active = False
        session.add(newest)
        await session.flush()
        for term in Term:
            session.add(PlanPrice(plan_id=newest.id, term=term, unit_price=Decimal(120), currency="RUB"))
        newest_id = newest.id
    await owner.execute("UPDATE subscriptions SET paused_at = now() WHERE id = 4")
    source = """mutation($input: SubscriptionsMoveToNewestPlanInput!) { subscriptionsMoveToNewestPlan(input: $input) {
        results { subscriptionId moved code message } movedCount hasMore userErrors { code } } }"""
    asked = {"planId": encode_id("Plan", world.plan)}
    dry = await payload(source, STAFF, input={**asked, "dryRun": True})
    answer = await payload(source, STAFF, input=asked)
    assert dry == answer
    assert answer["movedCount"] == 3
    assert answer["hasMore"] is False
    told = {decode_id(one["subscriptionId"], "Subscription")[1]: one["code"] for one in answer["results"]}
    assert told == {made.subscription: None, 2: None, 3: None, 4: "NOT_ALLOWED_NOW"}
    rows = await owner.fetch("SELECT pending_plan_id, pending_term, pending_unit_price FROM subscriptions ORDER BY id")
    assert [tuple(line) for line in rows] == [
        (newest_id, "HALF_YEAR", 120),
        (newest_id, "YEAR", 70),
        (newest_id, "YEAR", 120),
        (None, None, None),
    ]
    again = await payload(source, STAFF, input=asked)
    assert [one["code"] for one in again["results"]] == ["NOT_ALLOWED_NOW"]
    after = await payload(source, STAFF, input={**asked, "after": encode_id("Subscription", 4)})
    assert after["results"] == []


async def test_one_subscription_moves_to_the_newest_version(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    source = """mutation($input: SubscriptionChangeInput!) { subscriptionMoveToNewestPlan(input: $input) {
        subscription { pendingPlan { version } } userErrors { code } } }"""
    same = await payload(source, owner_of(made), input=input_of(made))
    assert [error["code"] for error in same["userErrors"]] == ["NOTHING_TO_CHANGE"]
    await owner.execute("UPDATE plans SET active = false")
    none = await payload(source, owner_of(made), input=input_of(made))
    assert [error["code"] for error in none["userErrors"]] == ["PLAN_NOT_OFFERED"]
    async with transaction() as session:
        session.add(newest := Plan(product_id=world.product, name="Basic", version=2))
        await session.flush()
        session.add(PlanPrice(plan_id=newest.id, term=Term.HALF_YEAR, unit_price=Decimal(1), currency="RUB"))
    moved = await payload(source, owner_of(made), input=input_of(made))
    assert moved == {"subscription": {"pendingPlan": {"version": 2}}, "userErrors": []}
    assert (await row(owner))["pending_unit_price"] == 1
