"""Installations that begin at our side, and everything of the emulator that is done by hand (INS-2)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx
import pytest

from core import clock
from tests.amocrm.conftest import DOMAIN, Crm
from tests.amocrm.test_widget import get


@pytest.fixture
async def desk(crm: Crm) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at the emulator's desk."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(crm.emulator.app), base_url="http://amo.test"
    ) as browser:
        yield browser


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


async def consent(crm: Crm, desk: httpx.AsyncClient, answer: str = "yes") -> dict[str, str]:
    """The query of the redirect after a person was sent to the page of consent."""
    sent = await crm.http.get("/amocrm/connect", params={"client_id": crm.client_uuid})
    assert sent.status_code == 303
    asked = query_of(sent.headers["location"])
    assert urlsplit(sent.headers["location"]).path == "/oauth"
    assert "Allow access?" in (await desk.get("/oauth", params=asked)).text
    allowed = await desk.post("/allow", data={**asked, "domain": DOMAIN, "answer": answer})
    return query_of(allowed.headers["location"])


async def test_a_consent_that_we_asked_for_installs(
    crm: Crm, desk: httpx.AsyncClient, owner: asyncpg.Connection
) -> None:
    query = await consent(crm, desk)
    assert "from_widget" not in query
    assert (await crm.http.get("/amocrm/oauth", params=query)).status_code == 200
    assert await owner.fetchval("SELECT status FROM installs") == "INSTALLED"
    denied = await consent(crm, desk, "no")
    assert denied["error"] == "access_denied"
    assert (await crm.http.get("/amocrm/oauth", params=denied)).status_code == 400
    assert (await crm.http.get("/amocrm/connect", params={"client_id": "nonsense"})).status_code == 404
    elsewhere = {"client_id": crm.client_uuid, "at": "evil"}
    assert (await crm.http.get("/amocrm/connect", params=elsewhere)).status_code == 404


@pytest.mark.parametrize("change", ["none", "other", "altered", "nonsense", "late"])
async def test_a_consent_that_we_did_not_ask_for_is_refused(
    crm: Crm, desk: httpx.AsyncClient, owner: asyncpg.Connection, change: str
) -> None:
    query = await consent(crm, desk)
    state = query["state"]
    number, ends, signature = state.split(".")
    if change == "late":
        clock.travel(clock.now() + timedelta(minutes=31))
    query["state"] = {
        "none": "",
        "other": state[1:] + "x",
        "altered": f"{number}.{int(ends) + 9999}.{signature}",
        "nonsense": "..",
    }.get(change, state)
    calls = len(crm.emulator.calls)
    assert (await crm.http.get("/amocrm/oauth", params=query)).status_code == 400
    assert len(crm.emulator.calls) == calls, "the code was not used"
    assert await owner.fetchval("SELECT count(*) FROM installs") == 0


async def test_everything_by_hand(crm: Crm, desk: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    which = {"client_id": crm.client_uuid, "domain": DOMAIN}
    installing = await desk.post("/install", data=which)
    assert (await crm.http.get(installing.headers["location"])).status_code == 200
    shown = (await desk.post("/token", data=which)).text
    token = re.search(r"X-Auth-Token: ([\w.-]+)<", shown)
    assert token is not None
    shown_to = await get(crm, token[1])
    assert shown_to.status_code == 200, shown_to.text
    assert "no such integration" in (await desk.post("/token", data={"client_id": "x", "domain": DOMAIN})).text
    leaving = await desk.post("/uninstall", data=which)
    assert leaving.headers["location"].startswith("http://kontora.test/amocrm/disabled?")
    assert (await crm.http.get(leaving.headers["location"])).text == "OK"
    assert await owner.fetchval("SELECT status FROM installs") == "DISABLED"
    assert "withdrawn" in (await desk.get("/")).text
    evil = {"client_id": '"><script>', "domain": "<b>"}
    await desk.post("/install", data=evil)
    for page in ((await desk.get("/", params=evil)).text, (await desk.get("/oauth", params=evil)).text):
        assert "<script" not in page
        assert "<b>" not in page


async def test_trouble_by_hand(crm: Crm, desk: httpx.AsyncClient) -> None:
    for wanted in ("lost_answer", "500", "429", "403", "slow", "strict"):
        assert "So be it" in (await desk.post("/trouble", data={"trouble": wanted})).text
    emulator = crm.emulator
    assert (emulator.lost_answers, emulator.next_statuses) == (1, [500, 429, 429, 429, 403])
    assert (emulator.slow_seconds > 0, emulator.spares_work) == (True, False)
    await desk.post("/trouble", data={"trouble": "none"})
    assert (emulator.lost_answers, emulator.next_statuses, emulator.slow_seconds) == (0, [], 0)
