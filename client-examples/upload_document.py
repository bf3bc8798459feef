"""Upload a document of a partner to Kontora and tell what becomes of it.

    KONTORA_API_TOKEN=kat_… python client-examples/upload_document.py PARTNER_ID contract.pdf [CONTRACT]

The token needs `partner_document:write` and `partner_document:read`. Only httpx is needed.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("KONTORA_API_TOKEN", "")
DOCUMENT = "{ id status rejection } userErrors { code message field }"
CREATE = f"""mutation Create($input: PartnerDocumentCreateInput!) {{ partnerDocumentCreate(input: $input) {{
    document {DOCUMENT} upload {{ method url headers {{ name value }} }} }} }}"""
COMPLETE = f"""mutation Complete($input: PartnerDocumentCompleteInput!) {{ partnerDocumentComplete(input: $input) {{
    document {DOCUMENT} }} }}"""
STATE = "query State($id: ID!) { partnerDocument(id: $id) { id status rejection } }"
CHUNK_BYTES = 64 * 1024


def ask(source: str, **variables: Any) -> Any:
    """The one field of an operation; user errors end the script."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{URL}/graphql", json={"query": source, "variables": variables}, headers=headers, timeout=60)
    told = answer.json()
    if told.get("errors"):
        sys.exit(told["errors"][0]["message"])
    (value,) = told["data"].values()
    for error in value.get("userErrors", ()):
        sys.exit(f"{error['code']}: {error['message']} ({'.'.join(error['field'] or [])})")
    return value


def chunks(file: Path) -> Iterator[bytes]:
    """The file, a piece at a time."""
    with file.open("rb") as opened:
        while piece := opened.read(CHUNK_BYTES):
            yield piece


def main(partner_id: str, file: Path, kind: str) -> None:
    """Announce, send, complete, and wait for the verdict."""
    digest = hashlib.sha256()
    for piece in chunks(file):
        digest.update(piece)
    said = {
        "name": file.name,
        "contentType": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
        "sizeBytes": file.stat().st_size,
        "sha256": digest.hexdigest(),
    }
    # The key makes a second run with the same file an answer, not a second document.
    key = f"upload-{partner_id}-{said['sha256'][:32]}"
    made = ask(CREATE, input={"partnerId": partner_id, "kind": kind, "file": said, "idempotencyKey": key})
    upload = made["upload"]
    headers = {item["name"]: item["value"] for item in upload["headers"]} | {"Content-Length": str(said["sizeBytes"])}
    httpx.request(
        upload["method"], upload["url"], content=chunks(file), headers=headers, timeout=300
    ).raise_for_status()
    document = ask(COMPLETE, input={"id": made["document"]["id"]})["document"]
    while document["status"] == "SCANNING":
        time.sleep(2)
        document = ask(STATE, id=document["id"])
    print(f"{file.name}: {document['status']} {document['rejection'] or ''}".strip())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "CONTRACT")
