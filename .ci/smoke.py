"""Starts the product on a free port with an empty data folder, asks one query and one mutation, and stops it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

START_SECONDS = 60
STOP_SECONDS = 60
PASSWORD = "smoke-test-password"  # noqa: S105 - of a demo world that lives for seconds
SIGN_IN = """
mutation SignIn($input: SignInInput!) {
  signIn(input: $input) { accessToken viewer { email roles } userErrors { code message } }
}
"""
PARTNERS = "query Partners { partners(first: 5) { totalCount nodes { id name } } }"


def main() -> None:
    """Run the smoke test; the first surprise ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="kontora-smoke-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KONTORA_")}
        environment |= {
            "KONTORA_PORT": str(port),
            "KONTORA_DATA_DIR": folder,
            "KONTORA_DEMO_PASSWORD": PASSWORD,
        }
        began = time.monotonic()
        product = subprocess.Popen([str(Path(sys.executable).parent / "kontora"), "up"], env=environment)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(product, f"{url}/health/ready")
            print(f"smoke: ready after {time.monotonic() - began:.1f} s")
            signed_in = ask(url, SIGN_IN, {"input": {"email": "superadmin@demo.test", "password": PASSWORD}})["signIn"]
            assert not signed_in["userErrors"], signed_in
            assert signed_in["viewer"]["roles"] == ["SUPERADMIN"], signed_in
            partners = ask(url, PARTNERS, {}, signed_in["accessToken"])["partners"]
            assert partners["nodes"], partners
            print(f"smoke: signed in and read {len(partners['nodes'])} of {partners['totalCount']} partners")
        finally:
            product.send_signal(signal.SIGTERM)
            code = product.wait(STOP_SECONDS)
        assert code == 0, f"stopped with code {code}"
        print("smoke: stopped cleanly")


def wait_until_ready(product: subprocess.Popen[bytes], url: str) -> None:
    """Wait until the product says that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert product.poll() is None, f"ended with code {product.returncode}"
        assert time.monotonic() < deadline, "not ready in time"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)


def ask(url: str, document: str, variables: dict[str, Any], token: str = "") -> Any:
    """Run one operation; its data, if there are no errors."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = json.dumps({"query": document, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own address
        answer = json.load(response)
    assert "errors" not in answer, answer
    return answer["data"]


if __name__ == "__main__":
    main()
