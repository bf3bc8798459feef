"""`allowedActions` and the mutations tell the same, in every state: what is enabled works, what is blocked fails alike."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.allowed_actions import NOTHING_TO_DO
from domain.billing import InvoiceStatus, PaymentStatus, SubscriptionStatus
from domain.install_actions import INSTALL_ACTION_NEEDS, WALLET_ACTION_NEEDS
from domain.installs import InstallStatus
from domain.invoice_actions import INVOICE_ACTION_NEEDS, PAYMENT_ACTION_NEEDS
from domain.partners import PartnerStatus
from domain.state_actions import PARTNER_ACTION_NEEDS, PLAN_ACTION_NEEDS, PRODUCT_ACTION_NEEDS, ProductAction
from domain.subscription_actions import ACTION_NEEDS
from domain.user_actions import USER_ACTION_NEEDS
from ledger.post import open_wallet
from planner.selection import source_of
from planner.sources import Computed
from policies.permissions import ALL
from policies.roles import ROLES
from resolvers.root import planner
from tests.api import payload, run
from tests.billing.conftest import STAFF, World
from tests.billing.subscribed import Subscribed, a_plan, subscribe
from tests.factories.world import a_partner, a_product, an_install, tokens_for
from tests.factories.world import a_plan as a_tariff

Connection = asyncpg.Connection
_keys = itertools.count(1)
# An action's mutation, and what it is asked besides the object.
SUBSCRIPTION: dict[str, tuple[str, dict[str, Any]]] = {
    "CANCEL_NOW": ("subscriptionCancel", {"when": "NOW"}),
    "CANCEL_AT_PERIOD_END": ("subscriptionCancel", {"when": "PERIOD_END"}),
    "UNDO_CANCEL": ("subscriptionUndoCancel", {}),
    "PAUSE": ("subscriptionPause", {}),
    "RESUME": ("subscriptionResume", {}),
    "ADD_SEATS": ("subscriptionAddSeats", {"seats": 9}),
    "REMOVE_SEATS": ("subscriptionRemoveSeats", {"seats": 4}),
    "CHANGE_PLAN_NOW": ("subscriptionChangePlan", {"when": "NOW", "planId": "big"}),
    "CHANGE_PLAN_AT_RENEWAL": ("subscriptionChangePlan", {"when": "RENEWAL", "planId": "big"}),
    "UNDO_CHANGE": ("subscriptionUndoChange", {}),
    "SET_PRICE": ("subscriptionSetPrice", {"unitPrice": "9.99"}),
    "SET_AUTO_RENEW": ("subscriptionSetAutoRenew", {"autoRenew": True}),
    "EXTEND": ("subscriptionExtend", {"months": 2, "note": "x"}),
    "EXTEND_TRIAL": ("subscriptionExtendTrial", {"days": 5}),
    "BILL_RENEWAL": ("subscriptionBillRenewal", {}),
    "CORRECT": ("subscriptionCorrect", {"reason": "x", "seats": 6}),
}
INVOICE: dict[str, tuple[str, dict[str, Any]]] = {
    "REFRESH_PAYMENT_LINK": ("invoiceRefreshPaymentLink", {}),
    "MARK_PAID": ("invoiceMarkPaid", {"note": "x"}),
    "CANCEL": ("invoiceCancel", {}),
}
PARTNER: dict[str, tuple[str, dict[str, Any]]] = {
    action: ("partnerChangeStatus", {"status": status, "reason": "x"})
    for action, status in (
        *(("ACTIVATE", "ACTIVE"), ("SUSPEND", "SUSPENDED")),
        *(("BLOCK", "BLOCKED"), ("ARCHIVE", "ARCHIVED")),
    )
}
USER: dict[str, tuple[str, dict[str, Any]]] = {
    "UPDATE": ("userUpdate", {"version": 1, "locale": "ru"}),
    "ACCESS_UPDATE": ("userAccessUpdate", {"version": 1, "permissions": []}),
    "BLOCK": ("userBlock", {}),
    "UNBLOCK": ("userUnblock", {}),
    "SIGN_OUT": ("userSignOut", {}),
    "PASSWORD_LINK_SEND": ("userPasswordLinkSend", {}),
    "RESET_SECOND_FACTOR": ("totpReset", {"reason": "x"}),
}
PRODUCT = {
    ProductAction.ARCHIVE: "productArchive",
    ProductAction.RESTORE: "productRestore",
    ProductAction.ROTATE_PROJECT_TOKEN: "productRotateProjectToken",
}


async def allowed(type_name: str, key: int, who: Principal = STAFF) -> dict[str, Mapping[str, Any] | None]:
    """Every action of the object, with why it is blocked or None."""
    asked = f"query($id: ID!) {{ node(id: $id) {{ ... on {type_name} {{ allowedActions {{ action enabled blockedBecause {{ code message }} }} }} }} }}"
    answer = await run(asked, who, id=encode_id(type_name, key))
    found = answer["data"]["node"]["allowedActions"]
    assert all(one["enabled"] == (one["blockedBecause"] is None) for one in found)
    return {one["action"]: one["blockedBecause"] for one in found}


async def ask(mutation: str, given: Mapping[str, Any], who: Principal = STAFF) -> list[dict[str, Any]]:
    """The user errors of a mutation, which gets a key and a dry run where its input has them."""
    field = planner.schema.mutation_type.fields[mutation]  # type: ignore[union-attr]
    input_type: Any = field.args["input"].type.of_type
    more = {"idempotencyKey": f"key-{next(_keys)}", "dryRun": True}
    given = {**{name: value for name, value in more.items() if name in input_type.fields}, **given}
    source = f"mutation($input: {input_type.name}!) {{ {mutation}(input: $input) {{ userErrors {{ code message }} }} }}"
    errors: list[dict[str, Any]] = (await payload(source, who, input=given))["userErrors"]
    return errors


async def compare(
    owner: Connection, why: Mapping[str, Any] | None, mutation: str, given: Mapping[str, Any], who: Principal = STAFF
) -> None:
    """What is enabled works; what is blocked fails with the code and words that were told, or changes nothing."""
    before = await owner.fetchval("SELECT count(*) FROM audit_events")
    errors = await ask(mutation, given, who)
    told = f"{mutation} {given}: told {why}, and it says {errors}"
    if why is None or why["code"] == NOTHING_TO_DO:
        assert errors == [], told
    else:
        assert [(one["code"], one["message"]) for one in errors] == [(why["code"], why["message"])], told
    if why is not None:
        assert await owner.fetchval("SELECT count(*) FROM audit_events") == before, told


@pytest.fixture
async def made(world: World) -> tuple[Subscribed, str]:
    """A paid subscription, and the id of a dearer plan of its product."""
    subscribed = await subscribe(world)
    return subscribed, encode_id("Plan", await a_plan(world, "Big", "200"))


STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from(SubscriptionStatus),
        "paused": st.booleans(),
        "canceling": st.booleans(),
        "pending_seats": st.booleans(),
        "over": st.booleans(),
        "bare": st.booleans(),
        "order": st.sampled_from([None, None, InvoiceStatus.PENDING, InvoiceStatus.CHARGING]),
        "renewal": st.sampled_from([None, None, InvoiceStatus.PENDING, InvoiceStatus.CHARGING]),
        "install": st.sampled_from([InstallStatus.ACTIVATED, InstallStatus.ACTIVATED, InstallStatus.DISABLED]),
        "partner": st.sampled_from([PartnerStatus.ACTIVE, PartnerStatus.ACTIVE, PartnerStatus.BLOCKED]),
        "another": st.booleans(),
    }
)
QUIET: dict[str, Any] = {
    "status": SubscriptionStatus.ACTIVE,
    **dict.fromkeys(("paused", "canceling", "pending_seats", "over", "bare", "another"), False),
    **dict.fromkeys(("order", "renewal")),
    "install": InstallStatus.ACTIVATED,
    "partner": PartnerStatus.ACTIVE,
}


@given(state=STATES)
@example(state=QUIET)
@example(state={**QUIET, "order": InvoiceStatus.CHARGING})
@example(state={**QUIET, "status": SubscriptionStatus.EXPIRED, "another": True})
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
async def test_subscriptions_do_what_they_tell(
    made: tuple[Subscribed, str], owner: Connection, state: dict[str, Any]
) -> None:
    subscribed, big = made
    await _arrange(owner, subscribed, state)
    version = await owner.fetchval("SELECT version FROM subscriptions WHERE id = $1", subscribed.subscription)
    told = await allowed("Subscription", subscribed.subscription)
    assert told.keys() == SUBSCRIPTION.keys()
    for action, (mutation, more) in SUBSCRIPTION.items():
        given = {"id": encode_id("Subscription", subscribed.subscription), "version": version, **more}
        await compare(owner, told[action], mutation, {**given, **({"planId": big} if "planId" in given else {})})


async def _arrange(owner: Connection, made: Subscribed, state: Mapping[str, Any]) -> None:
    """Bring the rows into the state, beside the services."""
    now = clock.now()
    live = state["status"] in ("TRIAL", "ACTIVE", "PAST_DUE")
    # Only trials have no plan, while they last and after they have ended.
    bare = state["status"] == SubscriptionStatus.TRIAL or (state["bare"] and not live)
    await owner.execute("DELETE FROM subscriptions WHERE id <> $1", made.subscription)
    await owner.execute(
        """
        UPDATE subscriptions SET status = $2::text, paused_at = $3, cancel_at_period_end = $4, pending_seats = $5, ends_at = $6,
            starts_at = $7, plan_id = $8, auto_renew = false,
            past_due_at = CASE WHEN $2::text = 'PAST_DUE' THEN now() END WHERE id = $1
        """,
        made.subscription,
        state["status"],
        now - timedelta(days=3) if state["paused"] and state["status"] == SubscriptionStatus.ACTIVE else None,
        state["canceling"] and state["status"] == SubscriptionStatus.ACTIVE,
        4 if state["pending_seats"] else None,
        now - timedelta(hours=1) if state["over"] or not live else now + timedelta(days=90),
        now - timedelta(days=90),
        None if bare else made.world.plan,
    )
    await owner.execute("UPDATE installs SET status = $2 WHERE id = $1", made.world.install, state["install"])
    await owner.execute("UPDATE partners SET status = $2 WHERE id = $1", made.world.partner, state["partner"])
    await owner.execute("DELETE FROM invoice_lines WHERE invoice_id > 1")
    await owner.execute("DELETE FROM invoices WHERE id > 1")
    for number, (kind, status) in enumerate((("SEATS_UPGRADE", state["order"]), ("RENEWAL", state["renewal"])), 2):
        if status is not None:
            await owner.execute(
                """
                INSERT INTO invoices (id, partner_id, install_id, subscription_id, legal_entity, year, sequence, number,
                    kind, status, seats, unit_price, currency, total, vat_amount, due_at)
                OVERRIDING SYSTEM VALUE
                SELECT $2::bigint, partner_id, install_id, id, 'other', 2000, $2::bigint, 'X-' || $2::bigint, $3, $4, 1, 1, 'RUB', 100, 0, now()
                FROM subscriptions WHERE id = $1
                """,
                made.subscription,
                number,
                kind,
                status,
            )
    if state["another"] and not live:
        await owner.execute(
            """
            INSERT INTO subscriptions (partner_id, install_id, product_id, plan_id, term, status, seats, unit_price,
                currency, starts_at, ends_at, anchor_day)
            SELECT partner_id, install_id, product_id, $2, 'MONTH', 'ACTIVE', 1, 1, 'RUB', now(), now() + interval '1 day', 1
            FROM subscriptions WHERE id = $1
            """,
            made.subscription,
            made.world.plan,
        )


async def test_invoices_and_payments_do_what_they_tell(made: tuple[Subscribed, str], owner: Connection) -> None:
    invoice = await owner.fetchval("SELECT id FROM invoices")
    payment = await owner.fetchval("SELECT id FROM payments")
    for status in InvoiceStatus:
        for action, (mutation, more) in INVOICE.items():
            await owner.execute(
                "UPDATE invoices SET status = $2::text, paid_at = CASE WHEN $2::text IN ('PAID', 'REFUNDED', 'PARTIALLY_REFUNDED') THEN now() END "
                "WHERE id = $1",
                invoice,
                status,
            )
            told = await allowed("Invoice", invoice)
            assert told.keys() == INVOICE.keys()
            await compare(owner, told[action], mutation, {"id": encode_id("Invoice", invoice), **more})
    await owner.execute("UPDATE invoices SET status = 'PAID', paid_at = now()")
    for status, under_way in itertools.product(PaymentStatus, (False, True)):
        await owner.execute("UPDATE payments SET status = $2 WHERE id = $1", payment, status)
        await owner.execute("DELETE FROM refunds")
        if under_way:
            await owner.execute(
                "INSERT INTO refunds (partner_id, payment_id, invoice_id, key, amount, currency, reason) "
                "SELECT partner_id, id, invoice_id, 'x', 1, 'RUB', 'x' FROM payments WHERE id = $1",
                payment,
            )
        told = await allowed("Payment", payment)
        given = {"paymentId": encode_id("Payment", payment), "amount": "1.00", "reason": "x"}
        await compare(owner, told["REFUND"], "paymentRefund", given)


async def test_installs_and_wallets_do_what_they_tell(owner: Connection) -> None:
    partner = await a_partner()
    package = await owner.fetchval("INSERT INTO coin_packages (name, coins, price) VALUES ('c', 9, 9) RETURNING id")
    for kind, hours in (("SAAS", None), ("WIDGET", None), ("WIDGET", 1)):
        await owner.execute("UPDATE partners SET status = 'ACTIVE'")
        product = (await a_product(kind=kind)).product
        install = await an_install(partner.id, product.id, tokens=hours and tokens_for(hours))
        async with transaction() as session:
            wallet = (await open_wallet(session, partner_id=partner.id, install_id=install.id)).id
        for status, standing, late, lost in itertools.product(
            InstallStatus, PartnerStatus, (False, True), (None, "revoked")
        ):
            for action, mutation in (("ACTIVATE", "installActivate"), ("DISABLE", "installDisable")):
                await owner.execute("UPDATE installs SET status = $2 WHERE id = $1", install.id, status)
                await owner.execute("UPDATE partners SET status = $1", standing)
                await owner.execute(
                    "UPDATE oauth_tokens SET active = true, expires_at = now() + $1::interval, invalid_because = $2",
                    timedelta(hours=-1 if late else 1),
                    lost,
                )
                told = await allowed("Install", install.id)
                await compare(owner, told[action], mutation, {"id": encode_id("Install", install.id)})
        for status, standing in itertools.product(InstallStatus, PartnerStatus):
            await owner.execute("UPDATE installs SET status = $2 WHERE id = $1", install.id, status)
            await owner.execute("UPDATE partners SET status = $1", standing)
            told = await allowed("Wallet", wallet)
            ids = {"walletId": encode_id("Wallet", wallet), "packageId": encode_id("CoinPackage", package)}
            await compare(owner, told["BUY_COINS"], "coinPurchaseCreate", ids)
            assert told["ADJUST"] is told["GRANT_BONUS"] is None


async def test_partners_products_and_plans_do_what_they_tell(owner: Connection) -> None:
    partner, product = await a_partner(), (await a_product()).product
    plan = await a_tariff(product.id)
    for status in PartnerStatus:
        for action, (mutation, more) in PARTNER.items():
            await owner.execute("UPDATE partners SET status = $1, version = 1", status)
            given = {"id": encode_id("Partner", partner.id), "version": 1, **more}
            await compare(owner, (await allowed("Partner", partner.id))[action], mutation, given)
    for status in ("ACTIVE", "ARCHIVED"):
        for action, mutation in PRODUCT.items():
            await owner.execute("UPDATE products SET status = $1, version = 1", status)
            given: dict[str, Any] = {"id": encode_id("Product", product.id)}
            given |= {} if action == "ROTATE_PROJECT_TOKEN" else {"version": 1}
            await compare(owner, (await allowed("Product", product.id))[action], mutation, given)
    for newer in (False, True):
        if newer:
            await owner.execute("INSERT INTO plans (product_id, name, version) SELECT product_id, name, 2 FROM plans")
        told = await allowed("Plan", plan.id)
        await compare(owner, told["UPDATE"], "planUpdate", {"id": encode_id("Plan", plan.id), "active": True})


async def a_user(owner: Connection, role: str, partner_id: int | None = None) -> int:
    """Somebody who has a role, and has signed in."""
    user_id: int = await owner.fetchval(
        "INSERT INTO users (kind, partner_id, email, full_name, password_set_at) "
        "VALUES (CASE WHEN $1::bigint IS NULL THEN 'STAFF' ELSE 'PARTNER' END, $1, $2, 'X', now()) RETURNING id",
        *(partner_id, f"user-{next(_keys)}@demo.test"),
    )
    await owner.execute(
        "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2", user_id, role
    )
    return user_id


async def test_users_do_what_they_tell(owner: Connection) -> None:
    partner = (await a_partner()).id
    chief, sales = await a_user(owner, "SUPERADMIN"), await a_user(owner, "SALES")
    head, member = await a_user(owner, "PARTNER_OWNER", partner), await a_user(owner, "PARTNER_MEMBER", partner)
    own = Principal("partner", ROLES["PARTNER_OWNER"][1], user_id=head, partner_id=partner)
    # The whole of what staff may do, itself the user, all but one permission of the user's, and a partner's owner.
    callers = {
        STAFF: (chief, sales),
        Principal("staff", ALL, user_id=chief): (chief, sales),
        Principal("staff", ALL - {"partner:status"}): (chief, sales),
        own: (head, member),
    }
    told = set()
    for (who, users), blocked, enrolled in itertools.product(callers.items(), (False, True), (False, True)):
        for user, (action, (mutation, more)) in itertools.product(users, USER.items()):
            await owner.execute(
                "UPDATE users SET version = 1, locale = 'en', status = CASE WHEN $1 AND id = $2 THEN 'BLOCKED' ELSE 'ACTIVE' END",
                *(blocked, user),
            )
            await owner.execute("DELETE FROM totp_factors")
            if enrolled:
                factor = "INSERT INTO totp_factors (user_id, secret_encrypted, confirmed_at) VALUES ($1, 'x', now())"
                await owner.execute(factor, user)
            if who.user_id == user and blocked:
                # Whoever is blocked does not ask.
                continue
            why = (await allowed("User", user, who))[action]
            if why is not None and why["code"] == "FORBIDDEN":
                continue
            given: dict[str, Any] = {"userId": encode_id("User", user), **more}
            await compare(owner, why, mutation, given, who)
            told.add("" if why is None else why["code"])
    assert told == {
        *(
            "",
            NOTHING_TO_DO,
            "LAST_SUPERADMIN",
            "BEYOND_OWN_PERMISSIONS",
            "USER_BLOCKED",
            "TOTP_NOT_ENROLLED",
            "CONFLICT",
        )
    }


async def test_what_a_caller_may_not_do_is_told_as_forbidden(made: tuple[Subscribed, str]) -> None:
    subscribed, _ = made
    owner = Principal(kind="partner", partner_id=subscribed.world.partner, permissions=ROLES["PARTNER_OWNER"][1])
    told = await allowed("Subscription", subscribed.subscription, owner)
    assert told["PAUSE"] == {"code": "FORBIDDEN", "message": "it needs the permission subscription:adjust"}
    assert told["CANCEL_NOW"] == {"code": "FORBIDDEN", "message": "it needs the permission subscription:adjust"}
    assert told["CANCEL_AT_PERIOD_END"] is None


def test_every_action_needs_what_its_mutation_needs() -> None:
    fields = planner.schema.mutation_type.fields  # type: ignore[union-attr]
    needs = {
        **{SUBSCRIPTION[action][0]: wanted for action, wanted in ACTION_NEEDS.items() if action != "CANCEL_NOW"},
        **{INVOICE[action][0]: wanted for action, wanted in INVOICE_ACTION_NEEDS.items()},
        **{PARTNER[action][0]: wanted for action, wanted in PARTNER_ACTION_NEEDS.items()},
        "paymentRefund": PAYMENT_ACTION_NEEDS["REFUND"],
        "installActivate": INSTALL_ACTION_NEEDS["ACTIVATE"],
        "installDisable": INSTALL_ACTION_NEEDS["DISABLE"],
        "coinPurchaseCreate": WALLET_ACTION_NEEDS["BUY_COINS"],
        "walletAdjust": WALLET_ACTION_NEEDS["ADJUST"],
        "walletGrantBonus": WALLET_ACTION_NEEDS["GRANT_BONUS"],
        **{PRODUCT[action]: wanted for action, wanted in PRODUCT_ACTION_NEEDS.items()},
        "planUpdate": PLAN_ACTION_NEEDS["UPDATE"],
        **{USER[action][0]: wanted for action, wanted in USER_ACTION_NEEDS.items()},
    }
    for mutation, wanted in needs.items():
        source = source_of(fields[mutation])
        assert source is not None
        assert wanted == {source.requires}, mutation
        assert wanted <= ALL


def test_every_object_with_actions_has_the_field() -> None:
    found = {
        name
        for name, type_ in planner.schema.type_map.items()
        for field in getattr(type_, "fields", {}).values()
        if isinstance(getattr(field, "extensions", None), dict) and isinstance(source_of(field), Computed)
    }
    assert found >= {"Subscription", "Invoice", "Payment", "Install", "Wallet", "Partner", "Product", "Plan", "User"}
