"""The whole story over HTTP: a product, a partner, a trial, a bill, a payment, and the event that tells of it.

    make up                                              # in one terminal
    KONTORA_DEMO_PASSWORD=… python client-examples/quickstart.py

The password is the one that `make up` prints. Only httpx is needed; with standardwebhooks installed, and
KONTORA_ALLOW_PRIVATE_ENDPOINTS=true in the first terminal, the script also receives and checks the product's events.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
PASSWORD = os.environ.get("KONTORA_DEMO_PASSWORD", "")
WAIT_SECONDS = 30


class Api:
    """A signed-in caller of the one GraphQL endpoint."""

    def __init__(self, http: httpx.Client, email: str) -> None:
        self._http = http
        self._token: str | None = None
        signed_in = self.mutate(
            "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code message } } }",
            email=email,
            password=PASSWORD,
        )
        self._token = signed_in["accessToken"]

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation; ends the script with the errors if there are any."""
        answer = self.answer(document, **variables)
        if answer.get("errors"):
            sys.exit(f"refused: {json.dumps(answer['errors'], indent=2, ensure_ascii=False)}")
        data: dict[str, Any] = answer["data"]
        return data

    def answer(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, errors and all."""
        headers = {"Accept": "application/graphql-response+json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        response = self._http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
        answer: dict[str, Any] = response.json()
        return answer

    def mutate(self, document: str, **values: Any) -> dict[str, Any]:
        """The payload of a mutation; ends the script with its user errors if there are any."""
        (payload,) = self.ask(document, input=values).values()
        if payload["userErrors"]:
            sys.exit(f"refused: {json.dumps(payload['userErrors'], indent=2, ensure_ascii=False)}")
        found: dict[str, Any] = payload
        return found


class Receiver:
    """The product's back end: an endpoint that keeps the events it is sent."""

    def __init__(self) -> None:
        events: queue.Queue[tuple[dict[str, str], str]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            """Takes every POST."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                events.put((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """The story is told on the terminal; requests are not."""

        self.events = events
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, type_: str, secret: str) -> dict[str, Any]:
        """The next event of a type, its signature checked."""
        from standardwebhooks import Webhook

        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            headers, body = self.events.get(timeout=max(0.1, deadline - time.monotonic()))
            event: dict[str, Any] = Webhook(secret).verify(
                body, {name.lower(): value for name, value in headers.items()}
            )
            if event["type"] == type_:
                return event


PRODUCT = """
mutation($input: ProductCreateInput!) { productCreate(input: $input) {
  product { id name } projectToken eventSecret userErrors { code message field } } }
"""
PLAN = """
mutation($input: PlanCreateInput!) { planCreate(input: $input) {
  plan { id name prices { term unitPrice { amount currency } } } userErrors { code message field } } }
"""
PARTNER = """
mutation($input: PartnerCreateInput!) { partnerCreate(input: $input) {
  partner { id name } userErrors { code message field } } }
"""
INSTALL = """
mutation($input: InstallCreateInput!) { installCreate(input: $input) {
  install { id status } userErrors { code message field } } }
"""
ACTIVATE = """
mutation($input: InstallActivateInput!) { installActivate(input: $input) {
  install { status subscription { status endsAt } wallet { balance } } userErrors { code message field } } }
"""
PREVIEW = """
query($input: SubscriptionPreviewInput!) { subscriptionPreview(input: $input) {
  months seats perMonth { amount currency } total { amount currency } } }
"""
SUBSCRIBE = """
mutation($input: SubscriptionCreateInput!) { subscriptionCreate(input: $input) {
  invoice { id number status total { amount currency } paymentLink }
  userErrors { code message field } } }
"""
INVOICE = """
query($id: ID!) { invoice(id: $id) { number status paidAt paymentLink
  install { subscriptionKind subscribedUntil subscription { status seats term startsAt endsAt } wallet { balance } } } }
"""


def main() -> None:
    """Tell the story, one printed line a step."""
    if not PASSWORD:
        sys.exit("set KONTORA_DEMO_PASSWORD to the password that `make up` prints")
    run = secrets.token_hex(4)
    with httpx.Client(base_url=URL, timeout=30) as http:
        api = Api(http, "superadmin@demo.test")
        print("1. signed in as superadmin@demo.test")
        receiver, product = register_product(api, run)
        product_id = product["product"]["id"]
        plan = api.mutate(
            PLAN,
            productId=product_id,
            name="Advanced",
            minSeats=5,
            prices=[{"term": "MONTH", "unitPrice": "499.00"}, {"term": "YEAR", "unitPrice": "399.00"}],
        )["plan"]
        print(
            f"3. plan {plan['name']}: " + ", ".join(f"{p['term']} {p['unitPrice']['amount']}" for p in plan["prices"])
        )
        partner = api.mutate(PARTNER, name=f"Quickstart {run}", inn="7707083893")["partner"]
        install = api.mutate(INSTALL, partnerId=partner["id"], productId=product_id)["install"]
        print(f"4. partner {partner['name']} installed the product: {install['status']}")
        active = api.mutate(ACTIVATE, id=install["id"])["install"]
        print(
            f"5. activated: {active['subscription']['status']} until {active['subscription']['endsAt']}, "
            f"{active['wallet']['balance']} coins in the wallet"
        )
        order = {"planId": plan["id"], "term": "YEAR", "seats": 10}
        preview = api.ask(PREVIEW, input=order)["subscriptionPreview"]
        print(f"6. a year for 10 seats would cost {preview['total']['amount']} {preview['total']['currency']}")
        order |= {"installId": install["id"], "idempotencyKey": f"quickstart-{run}"}
        made = api.mutate(SUBSCRIBE, **order)
        again = api.mutate(SUBSCRIBE, **order)
        assert again["invoice"]["number"] == made["invoice"]["number"], "one key, one order"
        invoice = made["invoice"]
        print(f"7. invoice {invoice['number']} of {invoice['total']['amount']}; the repeated call made no second one")
        link = invoice["paymentLink"] or wait_for_link(api, invoice["id"])
        http.post(link, data={"action": "pay"}, follow_redirects=False)
        print(f"8. paid at {link}")
        paid = wait_until_paid(api, invoice["id"])
        subscription = paid["install"]["subscription"]
        print(f"9. invoice {paid['status']}; subscription {subscription['status']} until {subscription['endsAt']}")
        if receiver is not None:
            event = receiver.wait_for("subscription.activated", product["eventSecret"])
            print(f"10. the product was told: {event['type']}, number {event['sequence']}, signature right")
        look_as_partner(http)
    print("done")


def register_product(api: Api, run: str) -> tuple[Receiver | None, dict[str, Any]]:
    """A product whose events come to this script where the server may call private addresses."""
    values = {"name": f"Quickstart {run}", "code": f"quickstart-{run}", "kind": "SAAS"}
    receiver = Receiver()
    tried = api.answer(PRODUCT, input={**values, "activateEndpoint": receiver.url})["data"]["productCreate"]
    if tried["userErrors"]:
        receiver.server.shutdown()
        product = api.mutate(PRODUCT, **values)
        print(f"2. product {product['product']['name']}; events are skipped: {tried['userErrors'][0]['message']}")
        return None, product
    print(f"2. product {tried['product']['name']}, events to {receiver.url}")
    return receiver, tried


def wait_for_link(api: Api, invoice_id: str) -> str:
    """The payment link; the gateway may take a moment."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        link = api.ask(INVOICE, id=invoice_id)["invoice"]["paymentLink"]
        if link:
            return str(link)
        time.sleep(0.2)
    sys.exit("the gateway gave no link")


def wait_until_paid(api: Api, invoice_id: str) -> dict[str, Any]:
    """The invoice once the worker has applied the gateway's notification."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        invoice: dict[str, Any] = api.ask(INVOICE, id=invoice_id)["invoice"]
        if invoice["status"] == "PAID":
            return invoice
        time.sleep(0.2)
    sys.exit("the payment was not applied in time")


def look_as_partner(http: httpx.Client) -> None:
    """What a partner's owner sees: one partner, and nothing that the role may not."""
    owner = Api(http, "partner-owner@demo.test")
    seen = owner.ask("{ partners { totalCount nodes { name } } }")["partners"]
    print(f"11. partner-owner@demo.test sees {seen['totalCount']} partner: {seen['nodes'][0]['name']}")
    refused = owner.answer("{ auditEvents { totalCount } }")["errors"][0]["message"]
    print(f"12. and is refused the audit trail: {refused}")


if __name__ == "__main__":
    main()
