"""The eight typical scenarios over HTTP, each by the role that would do it, with what was asked and answered.

    make up                                              # in one terminal
    KONTORA_DEMO_PASSWORD=… python client-examples/scenarios.py

The password is the one that `make up` prints. The documents are those of docs/guide/scenarios.md; customers install by
the sandbox's amoCRM and pay by the sandbox's gateway. Only httpx is needed.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
PASSWORD = os.environ.get("KONTORA_DEMO_PASSWORD", "")
PAGE = Path(__file__).parents[1] / "docs" / "guide" / "scenarios.md"
WAIT_SECONDS = 60
LONGEST_LINE = 200
UNTOLD = frozenset({"id", "projectToken", "eventSecret", "userErrors"})
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code message } } }"

Data = dict[str, Any]


def documents() -> dict[str, str]:
    """The operations of the page by their names."""
    blocks = re.findall(r"```graphql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return {re.findall(r"(?:query|mutation) (\w+)", block)[0]: block for block in blocks}


class Person:
    """Somebody of one role, signed in."""

    def __init__(self, http: httpx.Client, role: str) -> None:
        self._http = http
        self._role = role
        self._documents = documents()
        signed_in = self._post(SIGN_IN, {"input": {"email": f"{role.lower()}@demo.test", "password": PASSWORD}})
        self._token: str = signed_in["signIn"]["accessToken"] or sys.exit(f"{role} cannot sign in")

    def ask(self, name: str, *, quietly: bool = False, **variables: Any) -> Data:
        """What an operation of the page answers; ends the script where it is refused."""
        (found, *_), refused = self._run(name, variables)
        if refused:
            sys.exit(f"{self._role}: {name} was refused: {refused}")
        if not quietly:
            print(f"   {self._role:<14} {name}: {told(found)}")
        return found

    def ask_all(self, name: str, **variables: Any) -> list[Data]:
        """What each field of a query answers."""
        fields, _ = self._run(name, variables)
        print(f"   {self._role:<14} {name}: {', '.join(told(field) for field in fields)}")
        return fields

    def refused(self, name: str, code: str | None = None, **variables: Any) -> None:
        """Have an operation refused, with this code; ends the script where it is not."""
        _, errors = self._run(name, variables)
        if not errors or code not in (None, errors[0]["code"]):
            sys.exit(f"{self._role}: {name} should have been refused with {code}, not {errors}")
        print(f"   {self._role:<14} {name}: refused, {errors[0]['code']}: {errors[0]['message']}")

    def _run(self, name: str, variables: Data) -> tuple[list[Data], list[Data]]:
        fields = list(self._post(self._documents[name], variables, self._token).values())
        return fields, fields[0].get("userErrors", [])

    def _post(self, document: str, variables: Data, token: str | None = None) -> Data:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self._http.post("/graphql", json={"query": document, "variables": variables}, headers=headers).json()
        if answer.get("errors"):
            sys.exit(f"{self._role}: {answer['errors'][0]['message']}")
        data: Data = answer["data"]
        return data


class Customer:
    """An account of amoCRM that installs the widget, and pays."""

    def __init__(self, http: httpx.Client, domain: str) -> None:
        self._http = http
        self.domain = domain

    def install(self, client: str) -> None:
        """Press "Install" in amoCRM."""
        sent = self._http.post("/sandbox/amocrm/install", data={"client_id": client, "domain": self.domain})
        self._http.get(sent.headers["location"]).raise_for_status()
        print(f"   {self.domain} installs the widget")

    def withdraw(self, client: str) -> None:
        """End the tokens in amoCRM; its hook, a redirect of this answer, is lost on the way."""
        self._http.post("/sandbox/amocrm/uninstall", data={"client_id": client, "domain": self.domain})
        print(f"   {self.domain} withdraws its leave, and nobody tells us")

    def pay(self, link: str) -> None:
        """Press "Pay" on the page behind a link."""
        assert self._http.post(link, data={"action": "pay"}).status_code == 303
        print(f"   {self.domain} pays at {link}")


class Story:
    """The scenarios, one after another; each leaves behind what the next ones need."""

    def __init__(self, http: httpx.Client) -> None:
        self.run = secrets.token_hex(4)
        self.http = http
        self.superadmin = Person(http, "SUPERADMIN")
        self.implementation = Person(http, "IMPLEMENTATION")
        self.billing = Person(http, "BILLING")
        self.customer = Customer(http, f"client-{self.run}.amocrm.ru")
        self.client = str(uuid.uuid4())
        self.name = f"Call transcripts {self.run}"
        self.install = self.plan = self.wallet = self.waiting = ""

    def key(self, what: str) -> str:
        """An idempotency key: a repeated call under it changes nothing twice."""
        return f"scenarios-{self.run}-{what}"

    def register_a_widget(self) -> None:
        """1."""
        widget = {
            "name": self.name,
            "code": f"call-transcripts-{self.run}",
            "kind": "WIDGET",
            "clientUuid": self.client,
            "clientSecret": "the secret of the integration",
            "installBonus": "100",
            "installEndpoint": "https://widget.example/install",
            "activateEndpoint": "https://widget.example/activate",
            "disableEndpoint": "https://widget.example/disable",
        }
        self.superadmin.refused(
            "RegisterWidget", "INVALID_ENDPOINT", input={**widget, "installEndpoint": "ftp://widget.example/"}
        )
        made = self.superadmin.ask("RegisterWidget", input=widget)
        prices = [
            {"term": term, "unitPrice": price} for term, price in (("MONTH", 495), ("HALF_YEAR", 450), ("YEAR", 400))
        ]
        plan = {"productId": made["product"]["id"], "name": "Basic", "minSeats": 2, "prices": prices}
        self.plan = self.superadmin.ask("CreatePlan", input=plan)["plan"]["id"]
        heard = self.http.get("/api/v1/events", headers={"X-Project-Token": made["projectToken"]})
        assert heard.status_code == 200
        print("   the back end's developers try the project token: it is taken")

    def activate_for_a_customer(self) -> None:
        """2."""
        self.customer.install(self.client)
        self.customer.withdraw(self.client)
        self.install = self.find_install()["id"]
        self.implementation.ask("Refresh", input={"installId": self.install})
        wait(lambda: self.token()["invalidBecause"], "amoCRM's refusal")
        self.implementation.ask("InstallCard", id=self.install)
        self.implementation.refused("Activate", "REINSTALL_NEEDED", input={"id": self.install})
        self.customer.install(self.client)
        found = self.find_install()
        assert (found["id"], found["status"]) == (self.install, "INSTALLED"), "installing again makes no second install"
        active = self.implementation.ask("Activate", input={"id": self.install})["install"]
        assert (active["status"], active["subscription"]["status"]) == ("ACTIVATED", "TRIAL")
        assert active["wallet"]["balance"] == "100.000"
        assert active["events"]["nodes"][0]["type"] == "install.activated"
        self.wallet = active["wallet"]["id"]

    def bill_a_subscription(self) -> None:
        """3."""
        choice = [one["id"] for one in self.billing.ask("InstallsToBill")["nodes"]]
        assert self.install in choice
        order = {"planId": self.plan, "term": "HALF_YEAR", "seats": 5}
        quote = self.billing.ask("Preview", input=order)
        own = {**order, "installId": self.install, "unitPrice": "440", "idempotencyKey": self.key("order")}
        made = self.billing.ask("Order", input=own)
        assert (quote["total"]["amount"], made["invoice"]["total"]["amount"]) == ("13500.00", "13200.00")
        again = self.billing.ask("Order", input=own)
        assert again["invoice"]["number"] == made["invoice"]["number"], "one key, one order"
        self.customer.pay(made["payment"]["paymentLink"])
        card = self.paid(made["invoice"]["id"])
        assert (card["install"]["subscription"]["status"], card["install"]["subscription"]["seats"]) == ("ACTIVE", 5)
        assert self.install not in [one["id"] for one in self.billing.ask("InstallsToBill")["nodes"]]
        self.billing.refused("Order", input={**own, "idempotencyKey": self.key("order again")})

    def bill_coins(self) -> None:
        """4."""
        package = {"name": f"1000 FC {self.run}", "coins": "1000", "price": "900"}
        sold = self.billing.ask("SellPackage", input=package)["coinPackage"]["id"]
        found, packages = self.billing.ask_all("FindWallet", install=self.install)
        assert (found["nodes"][0]["id"], found["nodes"][0]["bought"]) == (self.wallet, "0.000")
        assert sold in [one["id"] for one in packages["nodes"]]
        asked = {"walletId": self.wallet, "packageId": sold}
        made = self.billing.ask("BillCoins", input={**asked, "idempotencyKey": self.key("coins")})
        self.customer.pay(made["payment"]["paymentLink"])
        assert self.paid(made["invoice"]["id"])["install"]["wallet"]["balance"] == "1100.000"
        self.waiting = self.billing.ask("BillCoins", input={**asked, "idempotencyKey": self.key("more coins")})[
            "invoice"
        ]["id"]

    def give_a_bonus(self) -> None:
        """5."""
        bonus = {"id": self.wallet, "amount": "0.001", "reason": "Compensation", "idempotencyKey": self.key("bonus")}
        assert self.billing.ask("Bonus", input=bonus)["wallet"]["balance"] == "1100.001"
        debit = {"id": self.wallet, "amount": "-1100.002", "reason": "Too much", "idempotencyKey": self.key("debit")}
        self.billing.refused("Adjust", "INSUFFICIENT_COINS", input=debit)

    def extend_by_hand(self) -> None:
        """6."""
        (found,) = self.billing.ask("FindSubscription", install=self.install)["nodes"]
        until = datetime.fromisoformat(found["endsAt"]) + timedelta(days=30)
        asked = {
            "id": found["id"],
            "version": found["version"],
            "until": until.isoformat(),
            "paidAmount": "2250",
            "note": "Bank transfer 77",
            "idempotencyKey": self.key("extend"),
        }
        made = self.billing.ask("Extend", input=asked)["subscription"]
        assert (datetime.fromisoformat(made["endsAt"]), made["status"]) == (until, "ACTIVE")
        assert made["changes"]["nodes"][0]["after"]
        renewal = {"id": made["id"], "version": made["version"], "autoRenew": not found["autoRenew"]}
        assert self.billing.ask("AutoRenew", input=renewal)["subscription"]["autoRenew"] is not found["autoRenew"]

    def connect_again(self) -> None:
        """7."""
        card = self.implementation.ask("InstallCard", id=self.install)
        assert (card["status"], card["subscriptionKind"]) == ("ACTIVATED", "PAID")
        assert self.token()["refreshedAt"] is None
        self.implementation.ask("Refresh", input={"installId": self.install})
        wait(lambda: self.token()["refreshedAt"], "fresh tokens")
        self.customer.withdraw(self.client)
        self.implementation.ask("Refresh", input={"installId": self.install})
        wait(lambda: self.token()["invalidBecause"], "amoCRM's refusal")
        self.implementation.ask("InstallCard", id=self.install)
        self.customer.install(self.client)
        assert self.token()["invalidBecause"] is None
        assert self.implementation.ask("InstallCard", id=self.install)["status"] == "ACTIVATED"

    def watch_unpaid_invoices(self) -> None:
        """8."""
        figures, listed = self.billing.ask_all("Unpaid")
        owed = sum(Decimal(one["amount"]) for one in figures["owed"])
        assert self.waiting in [one["id"] for one in listed["nodes"]]
        assert owed >= sum(Decimal(one["total"]["amount"]) for one in listed["nodes"])
        assert self.billing.ask("InvoiceCard", id=self.waiting)["status"] == "PENDING"
        link = self.billing.ask("FreshLink", input={"id": self.waiting})["payment"]["paymentLink"]
        self.customer.pay(link)
        self.paid(self.waiting)
        after, _ = self.billing.ask_all("Unpaid")
        assert after["unpaid"] == figures["unpaid"] - 1

    def find_install(self) -> Data:
        """The customer's install, by the account's domain."""
        (partner,) = self.implementation.ask("FindCustomer", query=self.customer.domain)["partners"]
        found: Data = partner["installs"]["nodes"][0]
        return found

    def token(self) -> Data:
        """The state of the pair of tokens that is in use."""
        card = self.implementation.ask("InstallCard", quietly=True, id=self.install)
        found: Data = card["oauthTokens"]["nodes"][0]
        return found

    def paid(self, invoice: str) -> Data:
        """The card of an invoice, once a worker has applied what the gateway told."""

        def is_paid() -> bool:
            return bool(self.billing.ask("InvoiceCard", quietly=True, id=invoice)["status"] == "PAID")

        wait(is_paid, "payment")
        return self.billing.ask("InvoiceCard", id=invoice)


def told(found: Any) -> str:
    """An answer in one line, without ids and what is told once and secret."""
    if isinstance(found, list):
        return "; ".join(told(one) for one in found)
    if not isinstance(found, dict):
        return str(found)
    shown = ((name, value) for name, value in found.items() if value is not None and name not in UNTOLD)
    line = ", ".join(f"{'' if name == 'nodes' else f'{name} '}{told(value)}" for name, value in shown)
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def wait(condition: Callable[[], Any], what: str) -> None:
    """Go on once the condition holds; ends the script where it does not in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"no {what} within {WAIT_SECONDS} seconds")
        time.sleep(0.1)


def main() -> None:
    """Tell the eight scenarios."""
    if not PASSWORD:
        sys.exit("set KONTORA_DEMO_PASSWORD to the password that `make up` prints")
    with httpx.Client(base_url=URL, timeout=30) as http:
        story = Story(http)
        for number, (title, scenario) in enumerate(
            (
                ("A new widget is registered", story.register_a_widget),
                ("A widget is activated for a customer who cannot", story.activate_for_a_customer),
                ("A subscription is billed", story.bill_a_subscription),
                ("Coins are billed", story.bill_coins),
                ("Bonus coins are given", story.give_a_bonus),
                ("A subscription is extended after a bank transfer", story.extend_by_hand),
                ("A widget asks to be connected again", story.connect_again),
                ("Unpaid invoices are watched", story.watch_unpaid_invoices),
            ),
            start=1,
        ):
            print(f"{number}. {title}")
            scenario()
    print("done")


if __name__ == "__main__":
    main()
