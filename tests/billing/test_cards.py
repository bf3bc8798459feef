"""A stored card is charged through the merchant account that stored it, and through no other (SUB-4)."""

from __future__ import annotations

from typing import Any

import pytest

from core.database import transaction
from core.principal import Principal
from core.settings import get_settings
from gateways.registry import merchant_accounts
from gateways.sandbox.client import SandboxGateway
from models import Install
from services.billing.cards import Card, CardGatewayGone, check_card, keep_card
from services.billing.locks import live_subscription
from tests.billing.renewing import A_MINUTE, DAY, END, events, night, run_messages, state, subscribe


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets a terminal of the bank beside the sandbox gateway, and takes it for new payments."""

    def set_terminal(terminal: str) -> None:
        monkeypatch.setenv("KONTORA_GATEWAY", "tbank")
        monkeypatch.setenv("KONTORA_TBANK_TERMINAL_KEY", terminal)
        monkeypatch.setenv("KONTORA_TBANK_PASSWORD", "secret")
        get_settings.cache_clear()

    yield set_terminal
    get_settings.cache_clear()


async def stored_at(world: Any, account: str) -> None:
    async with transaction() as session:
        live = await live_subscription(session, world.install)
        assert live is not None
        keep_card(live, Card("key", account))


async def test_new_payments_go_elsewhere_and_the_card_stays_where_it_is(
    owner: Any, world: Any, staff: Principal, bank: Any
) -> None:
    await subscribe(owner, world, staff)
    assert await owner.fetchval("SELECT card_account FROM subscriptions") == "sandbox"
    bank("NEW")
    assert merchant_accounts() == ["sandbox", "tbank", "tbank:NEW"]
    await night(owner, END - DAY)
    await night(owner, END + A_MINUTE)
    assert await state(owner) == ("ACTIVE", "PAID")
    assert await owner.fetchval("SELECT gateway FROM payments WHERE method = 'RECURRING'") == "sandbox"


async def test_a_card_of_a_terminal_that_is_gone_is_not_charged(
    owner: Any, world: Any, staff: Principal, bank: Any
) -> None:
    await subscribe(owner, world, staff)
    bank("OLD")
    await stored_at(world, "tbank:OLD")
    await night(owner, END - DAY)
    assert await owner.fetchval("SELECT next_charge_at FROM invoices WHERE kind = 'RENEWAL'") == END
    bank("NEW")
    await night(owner, END + A_MINUTE)
    assert await state(owner) == ("PAST_DUE", "PENDING"), "it waits for money by its link"
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'") == 0
    assert await owner.fetchval("SELECT card_account FROM subscriptions") == "tbank:OLD", "the terminal may come back"
    assert (await events(owner))[-2:] == ["invoice.payment_failed", "subscription.past_due"]
    trail = await owner.fetchval("SELECT after->>'code' FROM audit_events WHERE action = 'invoice.card_not_charged'")
    assert trail == CardGatewayGone.code
    async with transaction() as session:
        install = await session.get_one(Install, world.install)
        with pytest.raises(CardGatewayGone, match="tbank:OLD"):
            await check_card(session, install)


async def test_a_renewal_is_not_announced_as_charged_to_a_card_that_is_out_of_reach(
    owner: Any, world: Any, staff: Principal, bank: Any
) -> None:
    await subscribe(owner, world, staff)
    await stored_at(world, "tbank:OLD")
    bank("NEW")
    await night(owner, END - DAY)
    assert await owner.fetchval("SELECT next_charge_at FROM invoices WHERE kind = 'RENEWAL'") is None
    ending = "SELECT payload->'data'->>'renewal' FROM product_events WHERE type = 'subscription.ending'"
    assert await owner.fetchval(ending) == "INVOICE"


async def test_an_old_subscriptions_card_is_never_charged_for_the_new_one(
    owner: Any, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await subscribe(owner, world, staff)
    await owner.execute("UPDATE subscriptions SET status = 'EXPIRED' WHERE id = $1", old)
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    opened = SandboxGateway.open

    async def forgotten_meanwhile(self: SandboxGateway, request: Any) -> Any:
        await owner.execute(
            "UPDATE subscriptions SET rebill_id_encrypted = NULL, card_account = NULL WHERE status = 'ACTIVE'"
        )
        return await opened(self, request)

    monkeypatch.setattr(SandboxGateway, "open", forgotten_meanwhile)
    await night(owner, END + A_MINUTE)
    payment = await owner.fetchrow("SELECT status, error_code FROM payments WHERE method = 'RECURRING'")
    assert tuple(payment) == ("REJECTED", "NO_CARD")


async def test_a_card_that_was_stored_elsewhere_meanwhile_is_not_charged_through_the_payment_under_way(
    owner: Any, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    opened = SandboxGateway.open

    async def slow(self: SandboxGateway, request: Any) -> Any:
        await stored_at(world, "tbank:OTHER")
        return await opened(self, request)

    monkeypatch.setattr(SandboxGateway, "open", slow)
    await night(owner, END + A_MINUTE)
    payment = await owner.fetchrow("SELECT status, error_code FROM payments WHERE method = 'RECURRING'")
    assert tuple(payment) == ("REJECTED", "CARD_CHANGED")
    assert await run_messages(owner, "invoice.charge") == 0
