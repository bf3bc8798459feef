"""`allowedActions` of objects: what the caller may do with them now, by the rules that the services enforce."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from core import clock
from domain import invoice_actions, state_actions, subscription_actions
from domain.access import UserStatus
from domain.allowed_actions import allowed_actions
from domain.billing import (
    CHANGE_ORDERS,
    LIVE_SUBSCRIPTION,
    WAITING_INVOICE,
    InvoiceKind,
    InvoiceStatus,
    PaymentStatus,
    SubscriptionStatus,
)
from domain.catalog import ProductStatus
from domain.install_actions import (
    INSTALL_ACTION_NEEDS,
    WALLET_ACTION_NEEDS,
    InstallAction,
    InstallStanding,
    WalletAction,
    install_blocked,
    wallet_blocked,
)
from domain.installs import InstallStatus
from domain.invoice_actions import InvoiceAction, PaymentAction
from domain.partners import PartnerStatus
from domain.refunds import OPEN_REFUND
from domain.state_actions import PartnerAction, PlanAction, ProductAction
from domain.subscription_actions import Standing, SubscriptionAction
from domain.user_actions import USER_ACTION_NEEDS, UserAction, UserStanding, user_blocked
from planner.binding import computed, graphql_enum, plain, value
from planner.sources import Need
from policies.roles import SUPERADMIN

Row = Mapping[str, Any]


@plain(requires="", description="Why something may not be done now.")
class ActionBlocked:
    """Why something may not be done now."""

    code: str = value(
        "Code of the user error that it would end with; `FORBIDDEN` where a permission is missing, `NOTHING_TO_DO` "
        "where it is as wanted already."
    )
    message: str = value("The same for people.")


def _field(noun: str, action: type[StrEnum], function: Callable[[frozenset[str], Row], Any], **needs: Need) -> Any:
    """The field `allowedActions` of a type, with the type `<Noun>AllowedAction` of its items."""
    body = {
        "__annotations__": {
            "action": graphql_enum(action),
            "enabled": bool,
            "blocked_because": ActionBlocked | None,
        },
        "__doc__": f"Whether one thing may be done with a {noun.lower()} now.",
        "action": value("What is done."),
        "enabled": value("Whether the caller may do it now, by state and permission."),
        "blocked_because": value("Why not; null where it is enabled."),
    }
    item: Any = plain(requires="", description=f"Whether one thing may be done with a {noun.lower()} now.")(
        type(f"{noun}AllowedAction", (), body)
    )
    return computed(
        function,
        needs,
        list[item],
        "What the caller may do now, and why not, by the same rules that the mutations obey.",
    )


def _names(members: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{member.value}'" for member in sorted(members))


def _bill(what: str, kinds: Iterable[StrEnum], states: Iterable[StrEnum]) -> str:
    """The oldest bill of the subscription of these kinds and states."""
    return f"""
        SELECT {what} FROM invoices i WHERE i.subscription_id = {{row}}.id AND i.kind IN ({_names(kinds)})
            AND i.status IN ({_names(states)}) ORDER BY i.id LIMIT 1
    """  # noqa: S608 - constants only


# All that a user may do, by roles and directly; what belongs to another partner than the user counts for nothing.
USER_PERMISSIONS = """ARRAY(
    SELECT permission FROM role_permissions JOIN user_roles USING (role_id)
        WHERE user_roles.user_id = {row}.id AND user_roles.partner_id IS NOT DISTINCT FROM {row}.partner_id
    UNION SELECT permission FROM user_permissions WHERE user_permissions.user_id = {row}.id
        AND user_permissions.partner_id IS NOT DISTINCT FROM {row}.partner_id
    ORDER BY 1)"""
_SUPERADMINS = (
    "SELECT FROM users a JOIN user_roles ur ON ur.user_id = a.id JOIN roles r ON r.id = ur.role_id "
    f"WHERE r.name = '{SUPERADMIN}'"
)
_RENEWAL = (InvoiceKind.RENEWAL,)
_CHARGING = (InvoiceStatus.CHARGING,)
_PARTNER = Need("SELECT p.status FROM partners p WHERE p.id = {row}.partner_id", "enum")


def _of_subscription(permissions: frozenset[str], row: Row) -> Any:
    paused = row["paused_at"] is not None
    standing = Standing(
        status=SubscriptionStatus(row["status"]),
        bare=row["plan_id"] is None,
        paused=paused,
        over=not paused and row["ends_at"] <= clock.now(),
        canceling=row["canceling"],
        pending=row["pending"],
        order_waits=row["order_waits"],
        renewal_charging=row["renewal_charging"],
        renewal_waits=row["renewal_waits"],
        order_charging=row["order_charging"] is not None,
        pending_seats=row["pending_seats"],
        install_disabled=row["install"] == InstallStatus.DISABLED,
        another_lives=row["another_lives"],
        partner=PartnerStatus(row["partner"]),
    )
    return subscription_actions.allowed_actions(standing, permissions)


def _of_invoice(permissions: frozenset[str], row: Row) -> Any:
    status = InvoiceStatus(row["status"])
    return allowed_actions(
        invoice_actions.INVOICE_ACTION_NEEDS,
        lambda action: invoice_actions.invoice_blocked(action, status),
        permissions,
    )


def _of_payment(permissions: frozenset[str], row: Row) -> Any:
    status = PaymentStatus(row["status"])
    return allowed_actions(
        invoice_actions.PAYMENT_ACTION_NEEDS,
        lambda _: invoice_actions.refund_blocked(status, under_way=row["under_way"]),
        permissions,
    )


def _of_install(permissions: frozenset[str], row: Row) -> Any:
    standing = InstallStanding(
        InstallStatus(row["status"]),
        PartnerStatus(row["partner"]),
        row["needs_token"],
        row["token_until"],
        bool(row["token_lost"]),
    )
    return allowed_actions(
        INSTALL_ACTION_NEEDS, lambda action: install_blocked(action, standing, clock.now()), permissions
    )


def _of_wallet(permissions: frozenset[str], row: Row) -> Any:
    install, partner = InstallStatus(row["install"]), PartnerStatus(row["partner"])
    return allowed_actions(WALLET_ACTION_NEEDS, lambda action: wallet_blocked(action, install, partner), permissions)


def _of_partner(permissions: frozenset[str], row: Row) -> Any:
    status = PartnerStatus(row["status"])
    return allowed_actions(
        state_actions.PARTNER_ACTION_NEEDS, lambda action: state_actions.partner_blocked(action, status), permissions
    )


def _of_product(permissions: frozenset[str], row: Row) -> Any:
    status = ProductStatus(row["status"])
    return allowed_actions(
        state_actions.PRODUCT_ACTION_NEEDS, lambda action: state_actions.product_blocked(action, status), permissions
    )


def _of_plan(permissions: frozenset[str], row: Row) -> Any:
    return allowed_actions(
        state_actions.PLAN_ACTION_NEEDS,
        lambda _: state_actions.plan_blocked(row["version"], row["latest"]),
        permissions,
    )


def _of_user(permissions: frozenset[str], row: Row) -> Any:
    standing = UserStanding(
        UserStatus(row["status"]),
        frozenset(row["permissions"]),
        bool(row["oneself"]),
        row["last_superadmin"],
        row["enrolled"],
    )
    return allowed_actions(USER_ACTION_NEEDS, lambda action: user_blocked(action, standing, permissions), permissions)


def subscription_allowed_actions() -> Any:
    """The field of subscriptions (SUB-5, SUB-6)."""
    return _field(
        "Subscription",
        SubscriptionAction,
        _of_subscription,
        status=Need("{row}.status", "enum"),
        plan_id=Need("{row}.plan_id", "bigint"),
        paused_at=Need("{row}.paused_at", "datetime"),
        ends_at=Need("{row}.ends_at", "datetime"),
        canceling=Need("{row}.cancel_at_period_end", "bool"),
        pending=Need(
            "num_nonnulls({row}.pending_plan_id, {row}.pending_term, {row}.pending_seats, {row}.pending_unit_price)"
            " > 0",
            "bool",
        ),
        pending_seats=Need("{row}.pending_seats", "int"),
        order_waits=Need(_bill("i.number", CHANGE_ORDERS, WAITING_INVOICE), "text"),
        order_charging=Need(_bill("i.number", CHANGE_ORDERS, _CHARGING), "text"),
        renewal_waits=Need(_bill("i.number", _RENEWAL, WAITING_INVOICE), "text"),
        renewal_charging=Need(_bill("i.number", _RENEWAL, _CHARGING), "text"),
        install=Need("SELECT s.status FROM installs s WHERE s.id = {row}.install_id", "enum"),
        another_lives=Need(
            "EXISTS (SELECT FROM subscriptions o WHERE o.install_id = {row}.install_id AND o.id <> {row}.id "
            f"AND o.status IN ({_names(LIVE_SUBSCRIPTION)}))",
            "bool",
        ),
        partner=_PARTNER,
    )


def invoice_allowed_actions() -> Any:
    """The field of invoices (INV-2)."""
    return _field("Invoice", InvoiceAction, _of_invoice, status=Need("{row}.status", "enum"))


def payment_allowed_actions() -> Any:
    """The field of payments (INV-2)."""
    return _field(
        "Payment",
        PaymentAction,
        _of_payment,
        status=Need("{row}.status", "enum"),
        under_way=Need(
            f"EXISTS (SELECT FROM refunds r WHERE r.payment_id = {{row}}.id AND r.status IN ({_names(OPEN_REFUND)}))",
            "bool",
        ),
    )


def install_allowed_actions() -> Any:
    """The field of installs (INS-3)."""
    return _field(
        "Install",
        InstallAction,
        _of_install,
        status=Need("{row}.status", "enum"),
        partner=_PARTNER,
        needs_token=Need("SELECT p.kind = 'WIDGET' FROM products p WHERE p.id = {row}.product_id", "bool"),
        token_until=Need(
            "SELECT t.expires_at FROM oauth_tokens t WHERE t.install_id = {row}.id AND t.active LIMIT 1", "datetime"
        ),
        token_lost=Need(
            "EXISTS (SELECT FROM oauth_tokens t WHERE t.install_id = {row}.id AND t.authorization_lost)", "bool"
        ),
    )


def wallet_allowed_actions() -> Any:
    """The field of wallets (WAL-3)."""
    return _field(
        "Wallet",
        WalletAction,
        _of_wallet,
        install=Need("SELECT s.status FROM installs s WHERE s.id = {row}.install_id", "enum"),
        partner=_PARTNER,
    )


def partner_allowed_actions() -> Any:
    """The field of partners (PAR-1)."""
    return _field("Partner", PartnerAction, _of_partner, status=Need("{row}.status", "enum"))


def user_allowed_actions() -> Any:
    """The field of users (ACC-1, ACC-2)."""
    return _field(
        "User",
        UserAction,
        _of_user,
        status=Need("{row}.status", "enum"),
        permissions=Need(USER_PERMISSIONS, "list"),
        oneself=Need("{row}.id = {me}", "bool"),
        last_superadmin=Need(
            f"EXISTS ({_SUPERADMINS} AND a.id = {{row}}.id) AND NOT EXISTS ({_SUPERADMINS} AND a.id <> {{row}}.id "
            "AND a.status = 'ACTIVE' AND (a.password_set_at IS NOT NULL OR a.last_sign_in_at IS NOT NULL))",
            "bool",
        ),
        enrolled=Need(
            "EXISTS (SELECT FROM totp_factors f WHERE f.user_id = {row}.id AND f.confirmed_at IS NOT NULL)", "bool"
        ),
    )


def product_allowed_actions() -> Any:
    """The field of products (CAT-1)."""
    return _field("Product", ProductAction, _of_product, status=Need("{row}.status", "enum"))


def plan_allowed_actions() -> Any:
    """The field of plans (CAT-2)."""
    return _field(
        "Plan",
        PlanAction,
        _of_plan,
        version=Need("{row}.version", "int"),
        latest=Need(
            "SELECT max(l.version) FROM plans l WHERE l.product_id = {row}.product_id AND l.name = {row}.name "
            "AND l.currency = {row}.currency",
            "int",
        ),
    )
