"""Documents of partners from announcement to erasure, through the API and its doors (PAR-3)."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import uvicorn

from core import clock
from core.database import transaction
from core.ids import decode_id, encode_id
from core.principal import Principal
from core.settings import get_settings
from gateways.clamav.client import ScannerUnanswered
from gateways.clamav.emulator import EICAR, clamav
from gateways.storage.emulator import S3Emulator
from policies.roles import ROLES
from services import partner_documents
from services.partner_documents.recognise import is_of_type
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner
from web.app import build
from workers import partner_documents as workers
from workers.outbox import Message

PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"
CREATE = """mutation($input: PartnerDocumentCreateInput!) { partnerDocumentCreate(input: $input) {
    document { id status title fileName url version contract { number } replaces { id } }
    upload { method url headers { name value } expiresAt } userErrors { code field message } } }"""
COMPLETE = """mutation($input: PartnerDocumentCompleteInput!) { partnerDocumentComplete(input: $input) {
    document { id status rejection availableAt version } userErrors { code field } } }"""
UPDATE = """mutation($input: PartnerDocumentUpdateInput!) { partnerDocumentUpdate(input: $input) {
    document { title kind visibleToPartner version } userErrors { code field } } }"""
DELETE = """mutation($input: PartnerDocumentDeleteInput!) { partnerDocumentDelete(input: $input) {
    document { status deletedAt } userErrors { code field } } }"""
CONTRACT = (
    """mutation($input: PartnerContractCreateInput!) { partnerContractCreate(input: $input) { contract { id } } }"""
)
LINK = "query($id: ID!) { partnerDocumentLink(id: $id) { url expiresAt } }"
LIST = "{ partnerDocuments { totalCount nodes { title status } } }"


@pytest.fixture
async def http(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, with a folder of files for this test alone."""
    monkeypatch.setenv("KONTORA_STORAGE_DIR", str(tmp_path / "files"))
    monkeypatch.setenv("KONTORA_PUBLIC_URL", "http://kontora.test")
    get_settings.cache_clear()
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as client:
        yield client


def offer(content: bytes = PDF, name: str = "Договор.pdf", content_type: str = "application/pdf") -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"name": name, "contentType": content_type, "sizeBytes": len(content), "sha256": sha256}


async def announced(partner: int, content: bytes = PDF, **values: Any) -> dict[str, Any]:
    asked = {"partnerId": encode_id("Partner", partner), "kind": "CONTRACT", "file": offer(content), **values}
    made = await payload(CREATE, input=asked)
    assert made["userErrors"] == []
    return made


async def sent(http: httpx.AsyncClient, made: dict[str, Any], content: bytes = PDF) -> dict[str, Any]:
    upload = made["upload"]
    headers = {item["name"]: item["value"] for item in upload["headers"]}
    answer = await http.request(upload["method"], upload["url"], content=content, headers=headers)
    assert answer.status_code in (200, 204), answer.text
    done: dict[str, Any] = (await payload(COMPLETE, input={"id": made["document"]["id"]}))["document"]
    return done


def tenant(partner: int, role: str = "PARTNER_OWNER") -> Principal:
    return Principal(kind="partner", permissions=ROLES[role][1], user_id=None, partner_id=partner)


async def test_a_file_goes_in_and_comes_out(owner: asyncpg.Connection, http: httpx.AsyncClient) -> None:
    partner = (await a_partner()).id
    contract = await payload(CONTRACT, input={"partnerId": encode_id("Partner", partner), "number": "12/3"})
    made = await announced(partner, file=offer(name="../Договор\u202e 5.pdf"), contractId=contract["contract"]["id"])
    assert made["document"]["fileName"] == made["document"]["title"] == "Договор 5.pdf"
    assert (made["document"]["status"], made["document"]["contract"]) == ("PENDING", {"number": "12/3"})
    waiting = await run(LINK, id=made["document"]["id"])
    assert waiting["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_READY"
    assert (await sent(http, made))["status"] == "AVAILABLE"
    assert (await sent(http, made))["status"] == "AVAILABLE", "sending and telling twice changes nothing"
    url = (
        await payload(
            LINK, Principal(kind="staff", permissions=STAFF.permissions, user_id=7), id=made["document"]["id"]
        )
    )["url"]
    answer = await http.get(url)
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(len(PDF))
    assert answer.headers["content-disposition"].startswith("attachment; filename=\"5.pdf\"; filename*=UTF-8''%D0%94")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert await owner.fetchval(
        "SELECT partner_ids FROM access_log_entries WHERE user_id = 7 AND operation_name = 'PartnerDocumentDownload'"
    ) == [partner]
    assert (await http.get(url.replace("reader=7", "reader=8"))).status_code == 403
    actions = [
        row["action"]
        for row in await owner.fetch(
            "SELECT action FROM audit_events WHERE entity_type = 'PartnerDocument' ORDER BY id"
        )
    ]
    assert actions == [f"partner_document.{verb}" for verb in ("create", "upload", "make_available")]


async def test_the_door_takes_the_announced_file_and_no_other(http: httpx.AsyncClient, tmp_path: Path) -> None:
    upload = (await announced((await a_partner()).id))["upload"]
    pdf = {"Content-Type": "application/pdf"}
    refused = [
        await http.put(upload["url"], content=PDF[:-1] + b"x", headers=pdf),
        await http.put(upload["url"], content=PDF + b"x", headers=pdf),
        await http.put(upload["url"], content=PDF[:-1], headers=pdf),
        await http.put(upload["url"], content=PDF, headers={"Content-Type": "text/html"}),
    ]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in refused] == [(422, "FILE_DIFFERS")] * 4
    altered = [
        upload["url"].replace("size=", "size=1"),
        upload["url"].replace("sha256=", "sha256=0"),
        upload["url"].replace("/partner-documents/", "/partner-documents/../"),
        urlsplit(upload["url"]).path,
    ]
    assert {(await http.put(url, content=PDF, headers=pdf)).status_code for url in altered} == {403}
    with pytest.MonkeyPatch.context() as patch:
        late = clock.now() + timedelta(minutes=16)
        patch.setattr(clock, "now", lambda: late)
        assert (await http.put(upload["url"], content=PDF, headers=pdf)).status_code == 403
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"file": offer(name="a.exe")}, "FILE_TYPE_REFUSED", ["input", "file", "name"]),
        ({"file": offer(name="a.pdf.exe")}, "FILE_TYPE_REFUSED", ["input", "file", "name"]),
        (
            {"file": offer(content_type="text/html", name="a.html")},
            "FILE_TYPE_REFUSED",
            ["input", "file", "contentType"],
        ),
        ({"file": {**offer(), "sizeBytes": 20_000_001}}, "FILE_TOO_LARGE", ["input", "file", "sizeBytes"]),
        ({"file": {**offer(), "sizeBytes": 0}}, "FILE_TOO_LARGE", ["input", "file", "sizeBytes"]),
        ({"file": {**offer(), "sha256": "x"}}, "INVALID_VALUE", ["input", "file", "sha256"]),
        ({"file": None}, "INVALID_VALUE", ["input", "file"]),
        ({"url": "https://x.test"}, "INVALID_VALUE", ["input", "file"]),
        ({"file": None, "url": "javascript:alert(1)"}, "INVALID_VALUE", ["input", "url"]),
        ({"title": " "}, "INVALID_VALUE", ["input", "title"]),
        ({"contractId": encode_id("PartnerContract", 77)}, "NOT_FOUND", ["input", "contractId"]),
        ({"replacesId": encode_id("PartnerDocument", 77)}, "NOT_FOUND", ["input", "replacesId"]),
        ({"partnerId": encode_id("Partner", 77)}, "NOT_FOUND", ["input", "partnerId"]),
    ],
)
async def test_bad_announcements_name_their_field(
    owner: asyncpg.Connection, values: dict[str, Any], code: str, field: list[str]
) -> None:
    asked = {"partnerId": encode_id("Partner", (await a_partner()).id), "kind": "ACT", "file": offer(), **values}
    refused = await payload(CREATE, input=asked)
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [(code, field)]
    assert (refused["document"], refused["upload"]) == (None, None)
    assert await owner.fetchval("SELECT count(*) FROM partner_documents") == 0


async def test_contracts_and_versions_of_other_partners_are_out_of_reach(http: httpx.AsyncClient) -> None:
    one, other = (await a_partner()).id, (await a_partner()).id
    contract = await payload(CONTRACT, input={"partnerId": encode_id("Partner", other), "number": "1"})
    document = await payload(
        CREATE, input={"partnerId": encode_id("Partner", other), "kind": "ACT", "url": "https://x.test/1"}
    )
    for name, value in (("contractId", contract["contract"]["id"]), ("replacesId", document["document"]["id"])):
        asked = {"partnerId": encode_id("Partner", one), "kind": "ACT", "file": offer(), name: value}
        assert (await payload(CREATE, input=asked))["userErrors"][0]["code"] == "NOT_FOUND"


async def test_what_is_not_what_it_says_is_refused_and_erased(
    owner: asyncpg.Connection, http: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = (await a_partner()).id
    script = b"<html><script>alert(1)</script></html>"
    made = await announced(partner, script)
    assert await sent(http, made, script) | {"id": 0} == {
        "id": 0, "status": "REJECTED", "rejection": "WRONG_TYPE", "availableAt": None, "version": 1,
    }  # fmt: skip
    never = (await announced(partner))["document"]["id"]
    assert (await payload(COMPLETE, input={"id": never}))["document"]["rejection"] == "NEVER_UPLOADED"
    late = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: late)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    await workers.sweep(Message(1, "partner_documents.sweep", {}, None, None, None, 1))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert await owner.fetchval("SELECT count(*) FROM partner_documents WHERE purged_at IS NULL") == 0


async def test_malware_is_refused_and_no_verdict_is_asked_for_again(
    owner: asyncpg.Connection, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = (await a_partner()).id
    monkeypatch.setenv("KONTORA_CLAMAV", "tcp://127.0.0.1:1")
    get_settings.cache_clear()
    virus = PDF + EICAR
    made = await announced(partner, virus)
    assert (await sent(http, made, virus))["status"] == "SCANNING"
    key = decode_id(made["document"]["id"])[1]
    message = Message(1, partner_documents.INSPECT, {"documentId": key}, None, None, None, 1)
    with pytest.raises(ScannerUnanswered):
        await workers.inspect(message)
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM outbox_messages WHERE kind = $1 AND status = 'PENDING'", partner_documents.INSPECT
        )
        == 1
    )
    async with clamav() as address:
        monkeypatch.setenv("KONTORA_CLAMAV", address)
        get_settings.cache_clear()
        await asyncio.gather(workers.inspect(message), workers.inspect(message))
        assert (await sent(http, await announced(partner)))["status"] == "AVAILABLE"
    row = await owner.fetchrow("SELECT status, rejection FROM partner_documents WHERE id = $1", key)
    assert tuple(row) == ("REJECTED", "MALWARE")
    told = await owner.fetch("SELECT after FROM audit_events WHERE action = 'partner_document.reject'")
    assert len(told) == 1
    assert "Eicar" in told[0]["after"]


async def test_a_new_version_takes_the_place_of_the_old(owner: asyncpg.Connection, http: httpx.AsyncClient) -> None:
    partner = (await a_partner()).id
    old = await announced(partner)
    await sent(http, old)
    new = await announced(partner, replacesId=old["document"]["id"])
    again = await payload(
        CREATE,
        input={
            "partnerId": encode_id("Partner", partner),
            "kind": "ACT",
            "file": offer(),
            "replacesId": old["document"]["id"],
        },
    )
    assert [(error["code"], error["field"]) for error in again["userErrors"]] == [("TAKEN", ["input", "replacesId"])]
    assert await owner.fetchval("SELECT count(*) FROM partner_documents WHERE status = 'AVAILABLE'") == 1
    await sent(http, new)
    rows = await owner.fetch(
        "SELECT status, purge_at > now() + interval '29 days' AS kept FROM partner_documents ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [("DELETED", True), ("AVAILABLE", None)]
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'partner_document.replace'") == 1
    late = await payload(
        CREATE,
        input={
            "partnerId": encode_id("Partner", partner),
            "kind": "ACT",
            "file": offer(),
            "replacesId": old["document"]["id"],
        },
    )
    assert late["userErrors"][0]["code"] == "CONFLICT"


async def test_documents_are_changed_and_taken_away(
    owner: asyncpg.Connection, http: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await announced((await a_partner()).id)
    key = made["document"]["id"]
    await sent(http, made)
    url = (await payload(LINK, id=key))["url"]
    done = await payload(
        UPDATE, input={"id": key, "version": 1, "title": "Act", "kind": "ACT", "visibleToPartner": True}
    )
    assert done["document"] == {"title": "Act", "kind": "ACT", "visibleToPartner": True, "version": 2}
    stale = await payload(DELETE, input={"id": key, "version": 1})
    assert stale["userErrors"] == [{"code": "VERSION_CONFLICT", "field": ["input", "version"]}]
    assert (await payload(DELETE, input={"id": key, "version": 2}))["document"]["status"] == "DELETED"
    assert (await payload(DELETE, input={"id": key, "version": 3}))["userErrors"][0]["code"] == "DOCUMENT_NOT_READY"
    assert (await http.get(url)).status_code == 403
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    later = clock.now() + timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert (await partner_documents.purge(), await partner_documents.purge()) == (1, 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_abandoned_announcements_are_given_up(owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    await announced((await a_partner()).id)
    for wait, given_up in ((timedelta(minutes=30), 0), (timedelta(hours=2), 1), (timedelta(hours=2), 0)):
        at = clock.now() + wait
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock, "now", lambda at=at: at)
            async with transaction() as session:
                assert await partner_documents.abandon(session) == given_up
    assert await owner.fetchval("SELECT rejection FROM partner_documents") == "NEVER_UPLOADED"


async def test_partners_read_what_is_meant_for_them(owner: asyncpg.Connection, http: httpx.AsyncClient) -> None:
    one, other = (await a_partner()).id, (await a_partner()).id
    for partner in (one, other):
        await sent(http, await announced(partner, title=f"shown {partner}", visibleToPartner=True))
        await sent(http, await announced(partner, title=f"hidden {partner}"))
        await announced(partner, title=f"coming {partner}", visibleToPartner=True)
    ids = {
        row["title"]: encode_id("PartnerDocument", row["id"])
        for row in await owner.fetch("SELECT id, title FROM partner_documents")
    }
    seen = await payload(LIST, tenant(one))
    assert seen == {"totalCount": 1, "nodes": [{"title": f"shown {one}", "status": "AVAILABLE"}]}
    nested = await payload("{ partners { nodes { documents { totalCount } } } }", tenant(one))
    assert nested == {"nodes": [{"documents": {"totalCount": 1}}]}
    url = (await payload(LINK, tenant(one), id=ids[f"shown {one}"]))["url"]
    assert (await http.get(url)).content == PDF
    for title in (f"hidden {one}", f"coming {one}", f"shown {other}", f"hidden {other}"):
        assert (await run(LINK, tenant(one), id=ids[title]))["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert (await run("query($id: ID!) { partnerDocument(id: $id) { title } }", tenant(one), id=ids[title]))[
            "data"
        ] == {"partnerDocument": None}
    await owner.execute("UPDATE partner_documents SET visible_to_partner = false")
    assert (await http.get(url)).status_code == 403
    assert (await run(LIST, tenant(one, "PARTNER_MEMBER")))["errors"]
    assert (
        await run(CREATE, tenant(one), input={"partnerId": encode_id("Partner", one), "kind": "ACT", "file": offer()})
    )["errors"]


async def test_a_link_is_there_at_once(database_url: str) -> None:
    asked = {
        "partnerId": encode_id("Partner", (await a_partner()).id),
        "kind": "OTHER",
        "url": "https://docs.test/1",
        "idempotencyKey": "k",
    }
    made = await payload(CREATE, input=asked)
    assert (made["document"]["status"], made["document"]["url"], made["upload"]) == (
        "AVAILABLE",
        "https://docs.test/1",
        None,
    )
    assert await payload(CREATE, input=asked) == made
    assert (await run(LINK, id=made["document"]["id"]))["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_READY"
    assert (await payload(COMPLETE, input={"id": made["document"]["id"]}))["userErrors"][0][
        "code"
    ] == "DOCUMENT_NOT_READY"


async def test_files_go_straight_to_s3_and_back(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = S3Emulator("id", "secret")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(emulator.app, log_level="warning", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server._serve([listener]))
    told = {
        "STORAGE": "s3",
        "S3_BUCKET_URL": f"http://127.0.0.1:{listener.getsockname()[1]}/files",
        "S3_ACCESS_KEY_ID": "id",
        "S3_SECRET_ACCESS_KEY": "secret",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"KONTORA_{name}", value)
    get_settings.cache_clear()
    made = await announced((await a_partner()).id)
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        assert (await sent(browser, made))["status"] == "AVAILABLE"
        answer = await http.get((await payload(LINK, id=made["document"]["id"]))["url"])
        assert answer.status_code == 302
        got = await browser.get(answer.headers["location"])
    assert (got.content, got.headers["content-disposition"][:10]) == (PDF, "attachment")
    assert (await http.put("/storage/partner-documents/x", content=b"x")).status_code == 404
    server.should_exit = True
    await serving


def archive(*names: str, mimetype: str | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        if mimetype is not None:
            file.writestr("mimetype", mimetype)
        for name in names:
            file.writestr(name, "x")
    return made.getvalue()


DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
WORD = archive("[Content_Types].xml", "word/document.xml")


@pytest.mark.parametrize(
    ("content", "content_type", "fits"),
    [
        (PDF, "application/pdf", True),
        (b"MZ" + PDF, "application/pdf", False),
        (PDF, "image/png", False),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "image/png", True),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(30), "image/jpeg", True),
        (b"II*\x00" + bytes(30), "image/tiff", True),
        (b"<svg/>", "image/png", False),
        (b"x", "application/pdf", False),
        (WORD, DOCX, True),
        (WORD, XLSX, False),
        (b"MZ" + WORD, DOCX, False),
        (WORD[:-10], DOCX, False),
        (archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), DOCX, False),
        (archive("[Content_Types].xml", "xl/workbook.xml"), XLSX, True),
        (archive("content.xml", mimetype=ODT), ODT, True),
        (archive("content.xml", mimetype="application/zip"), ODT, False),
        (archive("content.xml"), ODT, False),
    ],
)
def test_types_are_told_by_content(content: bytes, content_type: str, fits: bool) -> None:
    assert is_of_type(io.BytesIO(content), content_type) is fits
