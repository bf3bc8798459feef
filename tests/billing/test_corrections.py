"""What people set right by hand: subscriptions, what installs live on, and bills of renewals (SUB-1, SUB-4, INS-1)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import clock, crypto
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.catalog import Term
from gateways.sandbox.client import GOOD_CARD
from models import Subscription
from policies.roles import ROLES
from services import billing
from services.billing.verify import verify_billing
from tests.api import payload, run
from tests.billing.conftest import STAFF
from tests.billing.renewing import night
from tests.billing.subscribed import STARTED, Subscribed, a_plan, actions, change, pay, row, subscribe

CORRECT = """
mutation($input: SubscriptionCorrectInput!) { subscriptionCorrect(input: $input) {
  subscription { status term seats unitPrice { amount currency } perMonth endsAt autoRenew hasCard version plan { name }
    install { subscriptionKind subscribedUntil } changes(first: 1) { nodes { action after } } }
  userErrors { code field message } } }
"""
UPDATE = """
mutation($input: InstallUpdateInput!) { installUpdate(input: $input) {
  install { subscriptionKind subscribedUntil subscription { status seats plan { name } } }
  userErrors { code field } } }
"""
BILL = """
mutation($input: SubscriptionBillRenewalInput!) { subscriptionBillRenewal(input: $input) {
  subscription { version } invoice { id kind status months total { amount } periodEnd nextChargeAt } payment { paymentLink }
  userErrors { code message } } }
"""
_keys = itertools.count(1)
LATER = "2027-12-15T10:00:00Z"


async def correct(made: Subscribed, who: Principal = STAFF, **values: Any) -> dict[str, Any]:
    key = str(next(_keys))
    async with transaction() as session:
        version = (await session.get_one(Subscription, made.subscription)).version
    given = {"id": encode_id("Subscription", made.subscription), "version": version, "reason": "Agreed by phone"}
    return await payload(CORRECT, who, input={"idempotencyKey": key, **given, **values})


async def update(world: Any, kind: str, until: str | None = LATER, **more: Any) -> dict[str, Any]:
    given = {"id": encode_id("Install", world.install), "subscriptionKind": kind, "subscribedUntil": until}
    return await payload(UPDATE, input={**given, "reason": "Agreed", "idempotencyKey": str(next(_keys)), **more})


async def violations() -> list[str]:
    async with transaction() as session:
        return await verify_billing(session)


async def test_every_value_is_set_at_once_and_logged(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    pro = await a_plan(world, "Pro", "300")
    dry = await correct(made, seats=9, dryRun=True)
    assert (dry["subscription"]["seats"], (await row(owner))["seats"]) == (9, 5)
    told = await correct(
        made, planId=encode_id("Plan", pro), term="MONTH", seats=4, unitPrice="250.5", endsAt=LATER, startsAt="2027-01-01T00:00:00Z",
        autoRenew=False, rebillId="card-1",
    )  # fmt: skip
    assert told["userErrors"] == []
    found = told["subscription"]
    assert (found["plan"], found["term"], found["seats"], found["perMonth"]) == ({"name": "Pro"}, "MONTH", 4, "1002.00")
    assert (found["autoRenew"], found["hasCard"], found["version"]) == (False, True, 2)
    assert found["install"] == {"subscriptionKind": "PAID", "subscribedUntil": LATER}
    (line,) = found["changes"]["nodes"]
    assert line["action"] == "correct"
    assert (line["after"]["reason"], line["after"]["card"], line["after"]["seats"]) == (
        "Agreed by phone",
        "stored",
        "4",
    )
    kept = await row(owner)
    assert crypto.decrypt(kept["rebill_id_encrypted"], f"subscriptions.rebill_id:{kept['id']}") == "card-1"
    assert kept["anchor_day"] == 15
    whole = " ".join(str(line["after"]) for line in await owner.fetch("SELECT after FROM audit_events"))
    assert "card-1" not in whole, "the key of a card is nowhere in the trail"
    gone = await correct(made, rebillId=None)
    assert gone["subscription"]["hasCard"] is False
    assert await violations() == []


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"seats": 1}, "INVALID_SEATS", "seats"),
        ({"unitPrice": "1.234"}, "INVALID_AMOUNT", "unitPrice"),
        ({"endsAt": "2026-01-01T00:00:00Z"}, "INVALID_VALUE", "endsAt"),
        ({"startsAt": "2030-01-01T00:00:00Z"}, "INVALID_VALUE", "endsAt"),
        ({"endsAt": "2090-01-01T00:00:00Z"}, "INVALID_VALUE", "endsAt"),
        ({"status": "TRIAL"}, "NOT_ALLOWED_NOW", "status"),
        ({"status": "PAST_DUE"}, "INVALID_VALUE", "endsAt"),
        ({"reason": " "}, "INVALID_VALUE", "reason"),
        ({"seats": None}, "INVALID_VALUE", "seats"),
        ({"seats": 5}, "NOTHING_TO_CHANGE", "id"),
        ({"planId": encode_id("Plan", 999)}, "NOT_FOUND", "planId"),
    ],
)
async def test_what_cannot_be_is_refused(world: Any, owner: Any, values: Any, code: str, field: str) -> None:
    made = await subscribe(world)
    before = dict(await row(owner))
    told = await correct(made, **values)
    assert [(error["code"], error["field"]) for error in told["userErrors"]] == [(code, ["input", field])]
    assert dict(await row(owner)) == before


async def test_states_are_set_and_access_follows(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    clock.travel(STARTED + timedelta(days=40))
    told = await correct(made, status="PAST_DUE", endsAt="2027-03-01T09:00:00Z")
    assert told["subscription"]["install"]["subscriptionKind"] == "PAID"
    assert told["subscription"]["install"]["subscribedUntil"].startswith("2027-03-15"), "three days of grace from now"
    for status, kind in (("EXPIRED", "NONE"), ("CANCELED", "NONE"), ("ACTIVE", "PAID")):
        told = await correct(made, status=status, **({"endsAt": LATER} if status == "ACTIVE" else {}))
        assert (told["subscription"]["status"], told["userErrors"]) == (status, [])
        assert told["subscription"]["install"]["subscriptionKind"] == kind
        assert await violations() == []
    found = await row(owner)
    assert (found["worth"], found["canceled_at"]) == (Decimal("0.00"), None), "what ended is no credit"
    told_events = [line["type"] for line in await owner.fetch("SELECT type FROM product_events ORDER BY id")]
    assert told_events[1:] == [f"subscription.{word}" for word in ("past_due", "expired", "canceled", "changed")]


async def test_a_correction_bills_the_renewal_anew_and_charges_as_it_says(world: Any, owner: Any) -> None:
    made = await subscribe(world, term=Term.MONTH)
    end = (await row(owner))["ends_at"]
    await night(owner, end - timedelta(days=3))
    first = await row(owner, "invoices")
    assert (first["kind"], first["next_charge_at"]) == ("RENEWAL", None)
    await correct(made, rebillId=GOOD_CARD)
    assert (await row(owner, "invoices"))["next_charge_at"] == end, "a card that came later is charged too"
    await correct(made, seats=7)
    assert await owner.fetchval("SELECT status FROM invoices WHERE id = $1", first["id"]) == "CANCELED"
    await night(owner, end - timedelta(days=2))
    await night(owner, end + timedelta(minutes=1))
    paid = await row(owner, "invoices")
    assert (paid["status"], paid["seats"], paid["total"]) == ("PAID", 7, Decimal("700.00"))
    assert await violations() == []


async def test_only_those_who_may_adjust(world: Any) -> None:
    made = await subscribe(world)
    who = Principal(kind="partner", partner_id=world.partner, permissions=ROLES["PARTNER_OWNER"][1])
    given = {"id": encode_id("Subscription", made.subscription), "version": 1, "reason": "x", "idempotencyKey": "k"}
    assert (await run(CORRECT, who, input=given))["errors"]
    paused = await change(billing.pause_subscription, made)
    assert paused.paused_at
    told = await correct(made, seats=9)
    assert [error["code"] for error in told["userErrors"]] == ["NOT_ALLOWED_NOW"]


async def test_an_install_lives_on_what_people_say(world: Any, owner: Any) -> None:
    clock.travel(STARTED)
    trial = await update(world, "TRIAL")
    assert trial["install"] == {
        "subscriptionKind": "TRIAL", "subscribedUntil": LATER, "subscription": {"status": "TRIAL", "seats": 5, "plan": None},
    }  # fmt: skip
    assert (await update(world, "TRIAL", "2027-12-20T00:00:00Z"))["install"][
        "subscribedUntil"
    ] == "2027-12-20T00:00:00Z"
    unknown = await update(world, "PAID")
    assert [(error["code"], error["field"][1]) for error in unknown["userErrors"]] == [("INVALID_VALUE", "planId")]
    paid = await update(world, "PAID", planId=encode_id("Plan", world.plan), seats=6)
    assert paid["install"]["subscription"] == {"status": "ACTIVE", "seats": 6, "plan": {"name": "Basic"}}
    refused = await update(world, "TRIAL", "2027-12-21T00:00:00Z")
    assert [error["code"] for error in refused["userErrors"]] == ["NOT_ALLOWED_NOW"]
    nothing = await update(world, "NONE", None)
    assert nothing["install"] == {"subscriptionKind": "NONE", "subscribedUntil": None, "subscription": None}
    again = await update(world, "PAID", "2027-12-22T00:00:00Z")
    assert again["install"]["subscription"]["seats"] == 6, "the newest one with a plan goes on"
    for kind, until, field in (("PAID", "2020-01-01T00:00:00Z", "subscribedUntil"), ("NONE", LATER, "subscribedUntil")):
        told = await update(world, kind, until)
        assert [(error["code"], error["field"][1]) for error in told["userErrors"]] == [("INVALID_VALUE", field)]
    assert await violations() == []
    assert await actions(owner) == ["trial_started", "correct", "correct", "cancel", "correct"]


async def test_a_renewal_is_billed_ahead_and_again(world: Any, owner: Any) -> None:
    made = await subscribe(world, term=Term.MONTH)

    async def bill(version: int) -> dict[str, Any]:
        given = {"id": encode_id("Subscription", made.subscription), "version": version}
        return await payload(BILL, input={**given, "idempotencyKey": str(version)})

    ahead = await bill(1)
    assert ahead["userErrors"] == []
    assert (ahead["invoice"]["kind"], ahead["invoice"]["months"], ahead["payment"]["paymentLink"][:4]) == (
        "RENEWAL",
        1,
        "http",
    )
    assert ahead["invoice"]["periodEnd"].startswith("2027-03-31")
    waits = await bill(2)
    assert [error["code"] for error in waits["userErrors"]] == ["NOT_ALLOWED_NOW"]
    async with transaction() as session:
        await billing.cancel_invoice(session, STAFF, invoice_id=(await row(owner, "invoices"))["id"])
    await night(owner, datetime(2027, 2, 27, 9, tzinfo=UTC))
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 2, "what a person withdrew is not billed by itself"
    again = await bill(2)
    await night(owner, datetime(2027, 2, 27, 10, tzinfo=UTC))
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 3
    assert again["userErrors"] == []
    await pay((await row(owner, "invoices"))["id"])
    assert (await row(owner))["ends_at"].date().isoformat() == "2027-03-31"
    assert await violations() == []


async def test_renewals_charged_by_themselves_again_are_charged(world: Any, owner: Any) -> None:
    made = await subscribe(world, term=Term.MONTH)
    await correct(made, rebillId=GOOD_CARD, autoRenew=False)
    end = (await row(owner))["ends_at"]
    await night(owner, end - timedelta(days=3))
    assert (await row(owner, "invoices"))["next_charge_at"] is None
    await change(billing.set_auto_renew, made, auto_renew=True)
    await night(owner, end + timedelta(minutes=1))
    assert (await row(owner, "invoices"))["status"] == "PAID"
