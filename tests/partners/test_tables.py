"""Files of partners: what is written is read back, formulas stay harmless, one bad row writes nothing (PAR-5)."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from domain.tables import FORMULA_STARTS, as_typed, harmless
from services.partner_tables import MOST_ROWS, TableFormat, UnreadableTable, read_table, write_table
from tests.factories.world import a_partner
from tests.web.conftest import http, token
from web import auth

__all__ = ["http", "token"]
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).map(str.strip)
FORMULAS = st.sampled_from(["=1+1", "+7 912", "-5", "@SUM(A1)", "'=x", "''", "=cmd|' /C calc'!A0"])


@given(st.one_of(CELLS, FORMULAS))
def test_a_cell_comes_back_and_is_no_formula(cell: str) -> None:
    assert as_typed(harmless(cell)) == cell
    assert not harmless(cell).startswith(FORMULA_STARTS[:-1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(CELLS.map(lambda cell: f"a{cell}b"), st.one_of(CELLS, FORMULAS)), max_size=5))
@pytest.mark.parametrize("format", list(TableFormat))
def test_what_is_written_is_read_back(format: TableFormat, rows: list[tuple[str, str]]) -> None:
    read = read_table(write_table(format, ["name", "inn"], rows))
    assert [[*row, ""][:2] for row in read] == [["name", "inn"], *(list(row) for row in rows)]


def test_a_workbook_holds_text_never_formulas() -> None:
    content = write_table(TableFormat.XLSX, ["name"], [["=1+1"], ["http://x.test"]])
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    assert [(cell.value, cell.data_type) for (cell,) in sheet.iter_rows(min_row=2)] == [
        ("'=1+1", "s"),
        ("http://x.test", "s"),
    ]


def zipped(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zipped(bomb=b"0" * 120_000_000),
        zipped(entities=b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        zipped(nothing=b"x"),
        b"PK\x03\x04 broken",
        b"name\n" + b"x\n" * (MOST_ROWS + 1),
        b"name\n" + b"x" * 20_000,
        b"a\0b",
        b'name\n"x',
        b",".join([b"x"] * 60),
    ],
)
def test_files_that_are_no_tables_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadableTable):
        read_table(content)


def test_windows_encoding_and_semicolons_are_read() -> None:
    assert read_table("name;inn\nОрион;1\n".encode("cp1251")) == [["name", "inn"], ["Орион", "1"]]


@pytest.fixture
async def staff(http: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    # Two tests in one second have the same token, whose permissions are trusted for two.
    monkeypatch.setattr("web.auth.TRUSTED_SECONDS", -1.0)
    auth._recent.forget(token)
    http.headers["Authorization"] = f"Bearer {token}"
    return http


async def send(staff: httpx.AsyncClient, text: str, *, dry_run: bool = False) -> tuple[int, Any]:
    answer = await staff.post(f"/api/v1/import/partners?dryRun={str(dry_run).lower()}", content=text.encode())
    return answer.status_code, answer.json()


async def test_a_dry_run_reports_and_writes_nothing(staff: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    status, told = await send(staff, "name,inn\nOrion,7707083893\nVega,\n", dry_run=True)
    assert (status, told["created"], told["written"], told["problems"]) == (200, 2, False, [])
    assert await owner.fetchval("SELECT count(*) FROM partners") == 0
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'partner.create'") == 0


async def test_one_bad_row_writes_nothing_and_each_is_told(staff: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    rows = "name,inn,kpp,deployment,connectedAt,id\nOrion,7707083894\nVega,,1\n,\nA,,,x\nB,,,,soon\nC,,,,,77\nD\nE,7707083893\nF,7707083893\n"
    status, told = await send(staff, rows)
    assert (status, told["written"], told["created"], told["rows"]) == (422, False, 0, 8)
    assert [(problem["row"], problem["column"], problem["code"]) for problem in told["problems"]] == [
        (2, "inn", "INVALID_INN"),
        (3, "kpp", "INVALID_KPP"),
        (5, "deployment", "INVALID_VALUE"),
        (6, "connectedAt", "INVALID_VALUE"),
        (7, "id", "NOT_FOUND"),
        (9, "inn", "REPEATED"),
        (10, "inn", "REPEATED"),
    ]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 0


async def test_an_export_is_changed_and_comes_back(staff: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    partner = await a_partner(name="=Orion", segment="small", connected_at=None)
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, phone, is_primary) VALUES ($1, 'A', '+79', true)", partner.id
    )
    for ending in ("csv", "xlsx"):
        answer = await staff.get(f"/api/v1/export/partners.{ending}")
        assert answer.status_code == 200
        header, row = read_table(answer.content)
        told = dict(zip(header, row, strict=False))
        assert (told["name"], told["contactPhone"], told["segment"]) == ("=Orion", "+79", "small")
    looked = await owner.fetchrow("SELECT * FROM access_log_entries")
    assert looked["partner_ids"] == [partner.id]
    text = (await staff.get("/api/v1/export/partners.csv")).text.replace("small", "big")
    status, report = await send(staff, text)
    assert (status, report["updated"], report["created"]) == (200, 1, 0)
    assert await owner.fetchval("SELECT name || segment FROM partners") == "=Orionbig"
    for name in ("licences", "payments"):
        assert (await staff.get(f"/api/v1/export/{name}.csv")).status_code == 200
    assert (await staff.get("/api/v1/export/users.csv")).status_code == 404


async def test_columns_follow_permissions(staff: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    await a_partner(name="Orion")
    await owner.execute("DELETE FROM user_roles")
    await owner.execute("INSERT INTO user_permissions (user_id, permission) SELECT id, 'partner:read' FROM users")
    header = read_table((await staff.get("/api/v1/export/partners.csv")).content)[0]
    assert "status" in header
    assert not [name for name in header if name.startswith("contact")]
    assert (await staff.get("/api/v1/export/payments.csv")).status_code == 403
    assert (await send(staff, "name\nx\n"))[0] == 403
    del staff.headers["Authorization"]
    assert (await staff.get("/api/v1/export/partners.csv")).status_code == 401


async def test_unknown_columns_are_refused(staff: httpx.AsyncClient) -> None:
    for text in ("name,colour\nx,y\n", "inn\n1\n", "", "name,name\nx,y\n"):
        status, told = await send(staff, text)
        assert (status, told["error"]["code"]) == (422, "UNREADABLE_TABLE")
