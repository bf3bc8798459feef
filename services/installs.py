"""Installs: create, activate and disable a product at a partner (INS-1, INS-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.billing import SubscriptionStatus
from domain.catalog import ProductKind, ProductStatus, Term
from domain.install_actions import InstallAction, InstallStanding, install_blocked
from domain.installs import InstallStatus, SubscriptionKind
from domain.partners import PartnerMay
from domain.periods import anchor_day
from domain.pricing import DEFAULT_SEATS
from domain.wallets import AccountKind, WalletTransactionKind
from ledger import post as ledger
from models import Contact, Install, OAuthToken, Partner, Product, Subscription, SubscriptionChange
from services import audit, events, onboarding
from services.changes import apply, unique
from services.loading import load
from services.monitoring import activity
from services.partner_standing import PartnerNotAllowed, check_standing

WELCOME_REFERENCE = "install-bonus"
TRIAL_CURRENCY = "RUB"
LONGEST_TOKEN_CHARS = 10_000


class ReinstallNeeded(UserError):
    """The CRM's tokens are missing or expired; only installing again brings new ones (INS-3)."""

    code = "REINSTALL_NEEDED"


_FAILURES: Mapping[str, type[UserError]] = MappingProxyType(
    {failure.code: failure for failure in (Conflict, PartnerNotAllowed, ReinstallNeeded)}
)


@dataclass(frozen=True)
class TokenPair:
    """OAuth tokens that an installation at the CRM gave."""

    access_token: str
    refresh_token: str
    expires_at: datetime


async def create(
    session: AsyncSession,
    actor: Principal,
    *,
    partner_id: int,
    product_id: int,
    contact_id: int | None = None,
    tokens: TokenPair | None = None,
) -> Install:
    """Install a product at a partner; a disabled install comes back as it was, waiting for activation.

    Raises:
        NotFound: there is no such partner, product or contact of the partner.
        Conflict: the product is archived, the partner is not active, or the product is installed there.
        UserError: a token is empty or has expired.
    """
    partner = await load(session, actor, Partner, partner_id, field="partnerId", lock=True)
    product = await load(session, actor, Product, product_id, field="productId")
    await check_standing(session, partner.id, PartnerMay.INSTALL, field="partnerId")
    if product.status != ProductStatus.ACTIVE:
        raise Conflict("the product is archived", field=fields.path("productId"))
    await _check_contact(session, partner_id, contact_id)
    same = (Install.partner_id == partner_id, Install.product_id == product_id)
    install: Install | None = await session.scalar(select(Install).where(*same).with_for_update())
    if install is None:
        install = Install(partner_id=partner_id, product_id=product_id, installed_by_contact_id=contact_id)
        async with unique(session, "uq_installs_partner_id", "the product is installed there", "productId"):
            session.add(install)
    elif install.status == InstallStatus.DISABLED:
        install.status = InstallStatus.INSTALLED
        install.disabled_at = None
        install.installed_by_contact_id = contact_id
    else:
        raise Conflict("the product is installed there", code="TAKEN", field=fields.path("productId"))
    if tokens is not None:
        await store_tokens(session, install, tokens, contact_id)
    await session.flush()
    await onboarding.begin(session, actor, install)
    await activity.begin(session, partner_id)
    after = {"status": InstallStatus.INSTALLED, "product_id": product_id, "tokens": tokens and "given"}
    await audit.record(session, actor, "install.create", install, before=None, after=after)
    await events.emit(session, install, "install.created", {"partnerId": str(partner_id)})
    return install


async def activate(session: AsyncSession, actor: Principal, *, install_id: int) -> Install:
    """Start an install's life: its trial, its wallet with the welcome bonus, and the event (INS-3). Twice is once.

    Raises:
        NotFound: there is no such install in the caller's reach.
        Conflict: the install is disabled, or its partner is not active.
        ReinstallNeeded: a widget has no valid token at the CRM.
    """
    install = await load(session, actor, Install, install_id, lock=True, references=True)
    product = await load(session, actor, Product, install.product_id)
    now = clock.now()
    blocked = install_blocked(InstallAction.ACTIVATE, await _standing(session, install, product), now)
    if blocked is not None and blocked.is_done:
        return install
    if blocked is not None:
        raise _FAILURES[blocked.code](blocked.message, field=fields.path("id"))
    install.status = InstallStatus.ACTIVATED
    install.activated_at = install.activated_at or now
    trial = await start_trial(session, actor, install, product, now)
    bonus = await _welcome(session, actor, install, product)
    await onboarding.begin(session, actor, install)
    await audit.record(
        session,
        actor,
        "install.activate",
        install,
        before={"status": InstallStatus.INSTALLED},
        after={"status": InstallStatus.ACTIVATED, "trial_until": trial and trial.ends_at, "bonus": bonus},
    )
    until = install.subscribed_until
    data = {"kind": install.subscription_kind.value, "until": until.isoformat() if until else None}
    await events.emit(session, install, "install.activated", data)
    return install


async def disable(session: AsyncSession, actor: Principal, *, install_id: int) -> Install:
    """Record that a product was uninstalled: its tokens are retired, its balance and history stay. Twice is once.

    Raises:
        NotFound: there is no such install in the caller's reach.
    """
    install = await load(session, actor, Install, install_id, lock=True, references=True)
    product = await load(session, actor, Product, install.product_id)
    if install_blocked(InstallAction.DISABLE, await _standing(session, install, product), clock.now()) is not None:
        return install
    before, after = apply(install, {"status": InstallStatus.DISABLED, "disabled_at": clock.now()})
    await _retire_tokens(session, install_id)
    await onboarding.stop(session, actor, install)
    await audit.record(session, actor, "install.disable", install, before=before, after=after)
    await events.emit(session, install, "install.disabled", {})
    return install


async def _check_contact(session: AsyncSession, partner_id: int, contact_id: int | None) -> None:
    if contact_id is None:
        return
    contact = await session.get(Contact, contact_id)
    if contact is None or contact.partner_id != partner_id:
        raise NotFound.of("Contact", field=fields.path("contactId"))


async def _standing(session: AsyncSession, install: Install, product: Product) -> InstallStanding:
    partner = await session.scalar(select(Partner.status).where(Partner.id == install.partner_id))
    assert partner is not None
    mine = select(OAuthToken).where(OAuthToken.install_id == install.id, OAuthToken.active)
    token: OAuthToken | None = await session.scalar(mine)
    return InstallStanding(
        status=install.status,
        partner=partner,
        needs_token=product.kind == ProductKind.WIDGET,
        token_until=None if token is None else token.expires_at,
        token_lost=token is not None and token.authorization_lost,
    )


async def start_trial(
    session: AsyncSession, actor: Principal, install: Install, product: Product, now: datetime
) -> Subscription | None:
    """Begin the trial of a locked install that never had a subscription; None where there is nothing to try."""
    if not product.subscriptions_enabled or product.trial_days == 0:
        return None
    if await session.scalar(select(Subscription.id).where(Subscription.install_id == install.id).limit(1)):
        return None
    return await begin_trial(session, actor, install, now, now + timedelta(days=product.trial_days))


async def begin_trial(
    session: AsyncSession, actor: Principal, install: Install, now: datetime, ends_at: datetime
) -> Subscription:
    """Begin a trial of a locked install that has no live subscription."""
    trial = Subscription(
        partner_id=install.partner_id,
        install_id=install.id,
        product_id=install.product_id,
        term=Term.MONTH,
        status=SubscriptionStatus.TRIAL,
        seats=DEFAULT_SEATS,
        unit_price=Decimal(0),
        currency=TRIAL_CURRENCY,
        starts_at=now,
        ends_at=ends_at,
        anchor_day=anchor_day(now, clock.zone()),
        auto_renew=False,
    )
    session.add(trial)
    await session.flush()
    session.add(
        SubscriptionChange(
            partner_id=install.partner_id,
            subscription_id=trial.id,
            action="trial_started",
            actor=actor.label,
            actor_user_id=actor.user_id,
            after={"status": trial.status.value, "endsAt": ends_at.isoformat(), "seats": trial.seats},
        )
    )
    install.subscription_kind = SubscriptionKind.TRIAL
    install.subscribed_until = ends_at
    return trial


async def _welcome(session: AsyncSession, actor: Principal, install: Install, product: Product) -> Decimal | None:
    """The wallet with its welcome bonus, once in the life of an install."""
    if not product.wallet_enabled:
        return None
    wallet = await ledger.open_wallet(session, partner_id=install.partner_id, install_id=install.id)
    known = wallet.last_activity_at is not None
    if known or product.install_bonus == 0:
        return None
    await ledger.post(
        session,
        actor,
        wallet.id,
        ledger.Movement(
            kind=WalletTransactionKind.BONUS,
            amount=product.install_bonus,
            counterpart=AccountKind.BONUS,
            description="Welcome bonus",
            expires_at=_bonus_end(product),
            reference=WELCOME_REFERENCE,
        ),
    )
    return product.install_bonus


def _bonus_end(product: Product) -> datetime | None:
    days = product.bonus_valid_days
    return None if days is None else clock.now() + timedelta(days=days)


async def store_tokens(session: AsyncSession, install: Install, tokens: TokenPair, contact_id: int | None) -> None:
    """Keep the tokens of a locked install, in place of those that it had.

    Raises:
        InvalidValue: a token is empty, too long, or has expired.
    """
    if tokens.expires_at <= clock.now():
        raise fields.InvalidValue("the access token has expired", field=fields.path("tokens"))
    access = fields.line(tokens.access_token, "tokens", most_chars=LONGEST_TOKEN_CHARS)
    refresh = fields.line(tokens.refresh_token, "tokens", most_chars=LONGEST_TOKEN_CHARS)
    await _retire_tokens(session, install.id)
    session.add(
        OAuthToken(
            partner_id=install.partner_id,
            install_id=install.id,
            manager_contact_id=contact_id,
            access_token_encrypted=crypto.encrypt(access, f"oauth_tokens.access_token:{install.id}"),
            refresh_token_encrypted=crypto.encrypt(refresh, f"oauth_tokens.refresh_token:{install.id}"),
            expires_at=tokens.expires_at,
        )
    )


async def _retire_tokens(session: AsyncSession, install_id: int) -> None:
    await session.execute(
        update(OAuthToken).where(OAuthToken.install_id == install_id, OAuthToken.active).values(active=False)
    )
