"""The back end of a product that charges coins: charge, repeat, hold, capture, batch, and what happens without coins.

    KONTORA_PROJECT_TOKEN=kpt_… KONTORA_INSTALL=1 python client-examples/usage_backend.py

The token is shown by `productCreate` and `productRotateProjectToken`; the install's number is in every event. Only
httpx is needed.
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("KONTORA_PROJECT_TOKEN", "")
INSTALL = os.environ.get("KONTORA_INSTALL", "")


class Usage:
    """The usage API, for one install."""

    def __init__(self, http: httpx.Client, install: str) -> None:
        self._http = http
        self._install = install

    def charge(self, amount: str, description: str, key: str, *, record: bool = True) -> httpx.Response:
        """Take coins. Send the same key again after a time-out: coins are taken once."""
        body = {"installId": self._install, "amount": amount, "description": description, "record": record}
        return self._http.post("/api/v1/usage/charges", json=body, headers={"Idempotency-Key": key})

    def charge_many(self, charges: list[dict[str, Any]], *, record: bool = True) -> list[dict[str, Any]]:
        """Take coins many times in one request; what finds too few is kept for a person unless told otherwise."""
        body = {"charges": [{"installId": self._install, **charge} for charge in charges], "record": record}
        found: list[dict[str, Any]] = _good(self._http.post("/api/v1/usage/charges/batch", json=body))["results"]
        return found

    def hold(self, amount: str, description: str, key: str) -> dict[str, Any]:
        """Set coins aside before work begins."""
        body = {"installId": self._install, "amount": amount, "description": description, "expiresInSeconds": 600}
        return _good(self._http.post("/api/v1/usage/holds", json=body, headers={"Idempotency-Key": key}))

    def capture(self, hold_id: str, amount: str) -> dict[str, Any]:
        """Spend what the work has cost; the rest goes back."""
        return _good(self._http.post(f"/api/v1/usage/holds/{hold_id}/capture", json={"amount": amount}))

    def balance(self) -> dict[str, Any]:
        """What may be spent."""
        return _good(self._http.get(f"/api/v1/usage/installs/{self._install}/balance"))


def main() -> None:
    """Tell the story."""
    if not TOKEN or not INSTALL:
        sys.exit("set KONTORA_PROJECT_TOKEN and KONTORA_INSTALL")
    with httpx.Client(base_url=URL, headers={"X-Project-Token": TOKEN}, timeout=10) as http:
        usage = Usage(http, INSTALL)
        before = usage.balance()["balance"]
        print(f"1. the wallet holds {before} coins")
        call = str(uuid.uuid4())
        first = _good(usage.charge("2.5", "Transcription of a call", call))
        again = _good(usage.charge("2.5", "Transcription of a call", call))
        assert again["repeated"]
        assert again["transactionId"] == first["transactionId"]
        print(f"2. charged 2.5 for a call, twice sent and once taken: {first['balance']} left")
        held = usage.hold("10", "A long recording", str(uuid.uuid4()))
        done = usage.capture(held["holdId"], "6.25")
        print(f"3. held {held['amount']} for a recording, captured {done['capturedAmount']}")
        results = usage.charge_many(
            [{"amount": "1", "description": f"Message {n}", "idempotencyKey": str(uuid.uuid4())} for n in range(3)]
        )
        print(f"4. charged three messages in one request: {results[-1]['balance']} left")
        refused = usage.charge("999999", "Far too much", str(uuid.uuid4()), record=False)
        print(f"5. without coins: {refused.status_code} {refused.json()['error']['code']}")
        print(f"6. the wallet holds {usage.balance()['balance']} coins")


def _good(response: httpx.Response) -> dict[str, Any]:
    """The answer; ends the script with the error if it is one."""
    body: dict[str, Any] = response.json()
    if response.is_error:
        sys.exit(f"refused: {response.status_code} {body['error']}")
    return body


if __name__ == "__main__":
    main()
