"""Export all partners into a file, watching how far it is over WebSocket.

    KONTORA_DEMO_PASSWORD=… python client-examples/export_partners.py partners.xlsx

Signs in as superadmin@demo.test; KONTORA_API_TOKEN with `partner:read`, `bulk_operation:read` and
`bulk_operation:write` serves as well. Only httpx and websockets are needed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect
from websockets.typing import Subprotocol

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { message } } }"
EXPORT = """mutation($input: ExportCreateInput!) {
    exportCreate(input: $input) { bulkOperation { id } userErrors { message } } }"""
PROGRESS = "subscription($id: ID!) { bulkOperationProgress(id: $id) { status doneCount rowCount errorMessage } }"
LINK = "query($id: ID!) { bulkOperationLink(id: $id) { url } }"


def main(file: Path) -> None:
    """Ask, watch, download."""
    token = os.environ.get("KONTORA_API_TOKEN") or sign_in()
    format = file.suffix.lstrip(".").upper()
    operation = ask(EXPORT, token, input={"kind": "PARTNER_EXPORT", "format": format})["bulkOperation"]["id"]
    last = None
    for last in watch(operation, token):
        print(f"{last['status']}: {last['doneCount']} of {last['rowCount'] or '?'} partners")
    if last is None or last["status"] != "COMPLETED":
        sys.exit(f"no file: {last and last['errorMessage']}")
    content = httpx.get(ask(LINK, token, id=operation)["url"]).raise_for_status().content
    file.write_bytes(content)
    print(f"{file.name} has {len(content)} bytes")


def watch(operation: str, token: str) -> Iterator[dict[str, Any]]:
    """The operation now, and whenever it has come further, until its end."""
    with connect(
        URL.replace("http", "ws", 1) + "/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]
    ) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        query = {"query": PROGRESS, "variables": {"id": operation}}
        for text in socket:
            message = json.loads(text)
            if message["type"] == "connection_ack":
                socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
            elif message["type"] == "next":
                yield message["payload"]["data"]["bulkOperationProgress"]
            elif message["type"] == "error":
                sys.exit(message["payload"][0]["message"])
            elif message["type"] == "complete":
                return


def sign_in() -> str:
    """An access token of the demo world's superadmin."""
    password = os.environ.get("KONTORA_DEMO_PASSWORD") or sys.exit(__doc__)
    answer = ask(SIGN_IN, None, input={"email": "superadmin@demo.test", "password": password})
    return str(answer["accessToken"])


def ask(query: str, token: str | None, **variables: Any) -> Any:
    """The one root value of an answer; ends the program where something is refused."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx.post(f"{URL}/graphql", json={"query": query, "variables": variables}, headers=headers).json()
    if answer.get("errors"):
        sys.exit(answer["errors"][0]["message"])
    (value,) = answer["data"].values()
    if value.get("userErrors"):
        sys.exit(value["userErrors"][0]["message"])
    return value


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).suffix not in (".csv", ".xlsx"):
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
