"""Customers: each has an install, orders, pays, is given money back, and spends coins; what it was told is kept."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

from tests.soak.callers import Caller, Data, Person

ERRORS = "userErrors { code message }"
PARTNER = f"mutation($input: PartnerCreateInput!) {{ partnerCreate(input: $input) {{ partner {{ id }} {ERRORS} }} }}"
INSTALL = f"""mutation($input: InstallCreateInput!) {{ installCreate(input: $input) {{
    install {{ id databaseId }} {ERRORS} }} }}"""
ACTIVATE = f"""mutation($input: InstallActivateInput!) {{ installActivate(input: $input) {{
    install {{ wallet {{ id }} }} {ERRORS} }} }}"""
ORDER = f"""mutation($input: SubscriptionCreateInput!) {{ subscriptionCreate(input: $input) {{
    invoice {{ id }} {ERRORS} }} }}"""
BUY = f"mutation($input: CoinPurchaseCreateInput!) {{ coinPurchaseCreate(input: $input) {{ invoice {{ id }} {ERRORS} }} }}"
SEATS = f"""mutation($input: SubscriptionAddSeatsInput!) {{ subscriptionAddSeats(input: $input) {{
    invoice {{ id }} {ERRORS} }} }}"""
CANCEL = f"mutation($input: SubscriptionCancelInput!) {{ subscriptionCancel(input: $input) {{ {ERRORS} }} }}"
REFUND = f"mutation($input: PaymentRefundInput!) {{ paymentRefund(input: $input) {{ {ERRORS} }} }}"
ADJUST = f"mutation($input: WalletAdjustInput!) {{ walletAdjust(input: $input) {{ transaction {{ id }} {ERRORS} }} }}"
RENAME = f"mutation($input: PartnerUpdateInput!) {{ partnerUpdate(input: $input) {{ {ERRORS} }} }}"
BILL = "query($id: ID!) { invoice(id: $id) { status paymentLink payments { nodes { id status } } } }"
CARD = """query($id: ID!) { install(id: $id) { subscription { id version status seats }
    partner { id version timeline(first: 20) { nodes { id } } }
    invoices(first: 20) { nodes { id status payments { nodes { id status } } } } } }"""
LOOKS = 40


@dataclass
class Shop:
    """What there is to buy."""

    product: str
    token: str
    plan: str
    package: str


@dataclass
class Told:
    """What the house has answered, and must still hold at the end.

    Parameters:
        charged: coins by the keys of charges that were taken.
        refused: keys of charges that were not.
        adjusted: numbers of adjustments, and coins.
    """

    charged: dict[str, Decimal] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    adjusted: dict[str, Decimal] = field(default_factory=dict)


class Customer:
    """One install, what its people and its product's back end do, all at once and in any order."""

    def __init__(self, number: int, staff: Person, backend: Caller, shop: Shop) -> None:
        self.chosen = random.Random(number)
        self.number = number
        self.staff = staff
        self.backend = backend
        self.shop = shop
        self.told = Told()
        self.install = self.key = self.wallet = ""

    async def move_in(self) -> None:
        """Become a partner with an active install."""
        partner = (await self.staff.change(PARTNER, name=f"Soak {self.number}"))["partner"]["id"]
        made = (await self.staff.change(INSTALL, partnerId=partner, productId=self.shop.product))["install"]
        self.install, self.key = made["id"], made["databaseId"]
        self.wallet = (await self.staff.change(ACTIVATE, id=self.install))["install"]["wallet"]["id"]

    async def live(self, until: asyncio.Event) -> None:
        """Do one thing after another, three at a time."""
        acts: list[Callable[[], Awaitable[None]]] = [
            *([self.charge] * 6), *([self.hold] * 2), self.order, self.buy, self.seats, self.cancel, self.refund,
            self.adjust, *([self.look] * 2),
        ]  # fmt: skip

        async def hand() -> None:
            while not until.is_set():
                act = self.chosen.choice(acts)
                await act()
                self.staff.seen[f"did {act.__name__}"] += 1

        await asyncio.gather(hand(), hand(), hand())

    async def charge(self) -> None:
        """Take coins, and send the same again now and then."""
        key, amount = str(uuid.uuid4()), Decimal(self.chosen.randint(1, 3_000)) / 1000
        body = {"installId": self.key, "amount": str(amount), "description": "soak", "record": False}
        for _ in range(self.chosen.choice((1, 1, 2))):
            answer = await self.backend.send(
                "POST", "/api/v1/usage/charges", json=body, headers={"Idempotency-Key": key}
            )
            if answer.status_code in (200, 201):
                self.told.charged[key] = amount
                assert key not in self.told.refused, "refused once, then taken"
            elif answer.status_code == 402:
                self.told.refused.add(key)
                return
            else:
                raise AssertionError(answer.text)

    async def hold(self) -> None:
        """Set coins aside; spend some of them, or none."""
        amount = self.chosen.randint(2, 9)
        body = {"installId": self.key, "amount": str(amount), "description": "soak", "expiresInSeconds": 300}
        made = await self.backend.send(
            "POST", "/api/v1/usage/holds", json=body, headers={"Idempotency-Key": str(uuid.uuid4())}
        )
        if made.status_code == 402:
            return
        path = f"/api/v1/usage/holds/{made.json()['holdId']}"
        if self.chosen.random() < 0.5:
            await self.backend.send("POST", f"{path}/capture", json={"amount": str(self.chosen.randint(1, amount))})
        else:
            await self.backend.send("POST", f"{path}/release")

    async def order(self) -> None:
        """Order a period in place of what waits, and pay it, mostly."""
        given = {"installId": self.install, "planId": self.shop.plan, "term": "MONTH", "seats": 5, "replace": True}
        await self._pay(await self.staff.change(ORDER, **given))

    async def buy(self) -> None:
        """Buy coins."""
        await self._pay(await self.staff.change(BUY, walletId=self.wallet, packageId=self.shop.package))

    async def seats(self) -> None:
        """Ask for more seats, up to a bound."""
        now = (await self._card())["subscription"]
        if now is not None and now["status"] == "ACTIVE" and now["seats"] < 50:
            given = {"id": now["id"], "version": now["version"], "seats": now["seats"] + 1}
            await self._pay(await self.staff.change(SEATS, **given))

    async def cancel(self) -> None:
        """End the subscription, now and then at once."""
        now = (await self._card())["subscription"]
        if now is not None:
            when = self.chosen.choice(("PERIOD_END", "NOW"))
            await self.staff.change(CANCEL, id=now["id"], version=now["version"], when=when)

    async def refund(self) -> None:
        """Have a part of some payment given back."""
        paid = [
            payment["id"]
            for invoice in (await self._card())["invoices"]["nodes"]
            for payment in invoice["payments"]["nodes"]
            if payment["status"] in ("CONFIRMED", "PARTIALLY_REFUNDED")
        ]
        if paid:
            amount = f"{self.chosen.randint(100, 20_000) / 100:.2f}"
            await self.staff.change(REFUND, paymentId=self.chosen.choice(paid), amount=amount, reason="soak")

    async def adjust(self) -> None:
        """Be given coins by a person."""
        amount = Decimal(self.chosen.randint(1, 50_000)) / 1000
        made = await self.staff.change(ADJUST, id=self.wallet, amount=str(amount), reason="soak")
        self.told.adjusted[made["transaction"]["id"]] = amount

    async def look(self) -> None:
        """Look, and rename the partner."""
        partner = (await self._card())["partner"]
        name = f"Soak {self.number} {self.chosen.random()}"
        await self.staff.change(RENAME, id=partner["id"], version=partner["version"], name=name)

    async def _card(self) -> Data:
        found: Data = (await self.staff.ask(CARD, id=self.install))["install"]
        return found

    async def _pay(self, payload: Data) -> None:
        if payload["invoice"] is None or self.chosen.random() < 0.1:
            return
        for _ in range(LOOKS):
            bill = (await self.staff.ask(BILL, id=payload["invoice"]["id"]))["invoice"]
            if bill["status"] not in ("PENDING", "ACTION_REQUIRED", "FAILED"):
                return
            if bill["paymentLink"]:
                action = self.chosen.choice(("pay", "pay", "pay", "decline", "pay-lost"))
                for _ in range(self.chosen.choice((1, 2))):
                    await self.backend.send("POST", bill["paymentLink"], data={"action": action})
            await asyncio.sleep(0.25)
