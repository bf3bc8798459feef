"""The back end of a widget: takes signed events, drops repeats, and asks how installs stand before it serves them.

    KONTORA_PROJECT_TOKEN=kpt_… KONTORA_EVENT_SECRET=whsec_… PORT=8100 python client-examples/widget_backend.py

Both secrets are shown by `productCreate`; give the product this address for its three event endpoints. Only httpx is
needed. A real back end keeps `seen` and `installs` in a database, in one transaction with what the event changes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("KONTORA_PROJECT_TOKEN", "")
SECRET = os.environ.get("KONTORA_EVENT_SECRET", "")
OLDEST_SECONDS = 300
LARGEST_BYTES = 1_000_000


class NotGenuine(Exception):
    """An event that Kontora did not send, or that is too old to be trusted."""


class Backend:
    """What the back end knows: which installs it serves, from events and from asking."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._lock = Lock()
        self.seen: set[str] = set()
        self.installs: dict[str, dict[str, Any]] = {}

    def take(self, headers: dict[str, str], body: bytes) -> str:
        """An event as it came; gives one line about it.

        Raises:
            NotGenuine: answer 401 and do nothing.
            httpx.HTTPError: Kontora cannot be asked; answer 500, and the event comes again.
        """
        verify(headers, body)
        event = json.loads(body)
        with self._lock:
            if event["id"] in self.seen:
                return f"{event['type']} again: dropped"
            # Events say that something happened; how the install stands now is asked, so that late ones do no harm.
            state = self.state(event["installId"])
            self.installs[event["installId"]] = state
            self.seen.add(event["id"])
        seats = (state["subscription"] or {}).get("seats", 0)
        return f"{event['type']}: active {state['active']}, seats {seats}, coins {state['balance']}"

    def state(self, install: str) -> dict[str, Any]:
        """How an install stands now."""
        answer = self._http.get(f"/api/v1/usage/installs/{install}")
        answer.raise_for_status()
        state: dict[str, Any] = answer.json()
        return state


def verify(headers: dict[str, str], body: bytes) -> None:
    """Check an event by standardwebhooks.com: a signature over id, time and body.

    Raises:
        NotGenuine: it is not.
    """
    number, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > OLDEST_SECONDS:
        raise NotGenuine("sent too long ago")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    told = hmac.new(key, f"{number}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(told).decode()
    # While a secret is being replaced, an event carries a signature by each.
    signatures = headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(signature.encode(), wanted.encode()) for signature in signatures):
        raise NotGenuine("the signature is wrong")


def door(backend: Backend) -> type[BaseHTTPRequestHandler]:
    """The endpoint of events."""

    class Door(BaseHTTPRequestHandler):
        """Takes every POST as an event."""

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(min(size, LARGEST_BYTES))
            try:
                told = backend.take({name.lower(): value for name, value in self.headers.items()}, body)
                status = 204
            except NotGenuine as error:
                told, status = f"refused: {error}", 401
            except httpx.HTTPError as error:
                told, status = f"not now: {error}", 500
            print(told, flush=True)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Events are told; requests are not."""

    return Door


def main() -> None:
    """Serve until stopped."""
    if not TOKEN or not SECRET:
        sys.exit("set KONTORA_PROJECT_TOKEN and KONTORA_EVENT_SECRET")
    with httpx.Client(base_url=URL, headers={"X-Project-Token": TOKEN}, timeout=10) as http:
        address = ("127.0.0.1", int(os.environ.get("PORT", "8100")))
        server = ThreadingHTTPServer(address, door(Backend(http)))
        print(f"events are taken at http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
