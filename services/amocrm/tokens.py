"""Tokens at amoCRM are replaced before they end: one refresh at a time an install, and no lost answer loses it (INS-4).

A refresh is three steps: a lease on the row, committed; the call; the new pair, committed. No lock is held over the
call, and a second worker finds the lease. Where the process dies after amoCRM answered, our row still has the old
refresh token, and that one goes on working until the new access token is first used, which only happens after our
commit; so the next attempt simply succeeds. As refreshes begin hours before the end, the access token works meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.database import transaction
from core.errors import Conflict, KontoraError, NotFound
from core.principal import SYSTEM, Principal
from core.settings import get_settings
from domain import fields
from domain.effects import OutboxStatus
from domain.installs import InstallStatus
from gateways.amocrm.client import AmoCrm, AmoCrmRefused, AmoCrmUnanswered, Integration, Tokens
from gateways.amocrm.hosts import ForeignHost
from models import Install, OAuthToken, OutboxMessage, Partner, Product
from policies.scopes import require, scoped
from services import audit, events
from services.amocrm.integrations import integration_of
from services.changes import apply
from services.outbox import origin

REFRESH = "oauth_token.refresh"
LEASE = timedelta(seconds=60)
PERMISSION = "oauth_token:refresh"
# How an account answers at a domain that it has left.
MOVED = frozenset({401, 404})


class Refreshing(KontoraError):
    """Another process is refreshing this token now."""

    code = "REFRESHING"


async def refresh(token_id: int, *, force: bool) -> bool:
    """Replace a pair of tokens; gives whether it was replaced. Safe to call again, at once or after a crash.

    Parameters:
        force: also where it has hours to live.

    Raises:
        Refreshing: another process is at it.
        AmoCrmUnanswered: no answer came; the next attempt uses the same refresh token.
    """
    begun = await _begin(token_id, force)
    if begun is None:
        return False
    domain, integration, access, old, lease_until = begun
    try:
        fresh = await _refresh_wherever(token_id, domain, integration, access, old)
    except AmoCrmRefused as refused:
        await _invalid(token_id, old, refused)
        return False
    except AmoCrmUnanswered:
        await _release(token_id, lease_until)
        raise
    return await _store(token_id, old, fresh)


async def ask_for_refreshes(session: AsyncSession, limit: int) -> int:
    """Write a message for each pair that ends soon and that nobody is about to refresh; gives how many."""
    horizon = clock.now() + timedelta(hours=get_settings().token_refresh_hours)
    return await _ask(session, OAuthToken.expires_at < horizon, limit=limit, force=False)


async def request_refresh(session: AsyncSession, actor: Principal, *, install_id: int) -> OAuthToken:
    """Have the tokens of an install replaced now, whatever their life; a worker does it.

    Raises:
        NotFound: no such install in the actor's reach.
        Conflict: it has no tokens that could be refreshed.
    """
    require(actor, PERMISSION, "Mutation.oauthTokenRefresh")
    if await session.scalar(scoped(select(Install.id).where(Install.id == install_id), Install, actor)) is None:
        raise NotFound.of("Install", field=fields.path("installId"))
    token: OAuthToken | None = await session.scalar(
        select(OAuthToken).where(OAuthToken.install_id == install_id, OAuthToken.active)
    )
    if token is None:
        raise Conflict("there is nothing to refresh; install the widget again", field=fields.path("installId"))
    await _try_again(session, OAuthToken.id == token.id)
    await _ask(session, OAuthToken.id == token.id, limit=1, force=True)
    await audit.record(session, actor, "oauth_token.refresh", token, before=None, after={"forced": True})
    return token


async def request_refresh_of_all(session: AsyncSession, actor: Principal) -> int:
    """Have the tokens of all installs replaced now; gives how many workers are asked to."""
    require(actor, PERMISSION, "Mutation.oauthTokensRefreshAll")
    await _try_again(session, OAuthToken.active.is_(True))
    asked = await _ask(session, OAuthToken.active.is_(True), limit=None, force=True)
    installed = select(Install.id).join(OAuthToken, OAuthToken.install_id == Install.id)
    concerned = select(Product).where(installed.where(Install.product_id == Product.id, OAuthToken.active).exists())
    for product in (await session.scalars(concerned.order_by(Product.id))).all():
        await audit.record(session, actor, "oauth_token.refresh_all", product, before=None, after={"forced": True})
    return asked


async def _try_again(session: AsyncSession, which: ColumnElement[bool]) -> None:
    """Forget refusals: the integration's secret may have been wrong then, and a person asks for another try."""
    refused = update(OAuthToken).where(which, OAuthToken.active, OAuthToken.invalid_because.is_not(None))
    await session.execute(refused.values(invalid_because=None))


async def _ask(session: AsyncSession, which: ColumnElement[bool], *, limit: int | None, force: bool) -> int:
    waiting = select(OutboxMessage.id).where(
        OutboxMessage.ordering_key == func.concat(REFRESH, ":", OAuthToken.install_id),
        OutboxMessage.status == OutboxStatus.PENDING,
    )
    payload = func.jsonb_build_object("tokenId", OAuthToken.id, "force", force)
    here = origin()
    key = func.concat(REFRESH, ":", OAuthToken.install_id)
    wanted = (
        select(
            literal(REFRESH), payload, key, OAuthToken.partner_id, *(literal(value, Text()) for value in here.values())
        )
        .join(Install, Install.id == OAuthToken.install_id)
        .where(
            OAuthToken.active,
            OAuthToken.invalid_because.is_(None),
            Install.status != InstallStatus.DISABLED,
            which,
            ~waiting.exists(),
        )
        .order_by(OAuthToken.expires_at)
        .limit(limit)
    )
    columns = ("kind", "payload", "ordering_key", "partner_id", *here)
    # In one statement, without the lock on each key that keeps messages in order: refreshes are all alike.
    written = insert(OutboxMessage).from_select(columns, wanted).returning(OutboxMessage.id)
    return len((await session.scalars(written)).all())


async def _begin(token_id: int, force: bool) -> tuple[str, Integration, str, str, datetime] | None:
    """Take the lease; gives where to ask, as whom, both tokens, and the lease's end."""
    async with transaction() as session:
        token = await session.get_one(OAuthToken, token_id, with_for_update=True)
        now = clock.now()
        due = token.expires_at < now + timedelta(hours=get_settings().token_refresh_hours)
        if not token.active or token.invalid_because is not None or not (force or due):
            return None
        if token.lease_until is not None and token.lease_until > now:
            raise Refreshing("the token is being refreshed")
        install = await session.get_one(Install, token.install_id)
        partner = await session.get_one(Partner, install.partner_id)
        product = await session.get_one(Product, install.product_id)
        if partner.amocrm_domain is None or product.client_uuid is None:
            return None
        _, integration = await integration_of(session, str(product.client_uuid))
        token.lease_until = now + LEASE
        refresh_token = crypto.decrypt(token.refresh_token_encrypted, f"oauth_tokens.refresh_token:{token.install_id}")
        access = crypto.decrypt(token.access_token_encrypted, f"oauth_tokens.access_token:{token.install_id}")
        return partner.amocrm_domain, integration, access, refresh_token, token.lease_until


async def _refresh_wherever(token_id: int, domain: str, integration: Integration, access: str, old: str) -> Tokens:
    """Refresh at the account's domain; where it is not known there any more, at the one that it has moved to."""
    crm = AmoCrm(domain, integration)
    try:
        return await crm.refresh(old)
    except (AmoCrmRefused, AmoCrmUnanswered) as error:
        if error.status not in MOVED:
            raise
        try:
            account_id, now_at = await crm.current_domain(access, old)
        except (AmoCrmRefused, AmoCrmUnanswered, ForeignHost):
            raise error from None
        if now_at == domain:
            raise
    if not await _moved(token_id, account_id, now_at):
        raise AmoCrmUnanswered("amoCRM told of another account's domain")
    return await AmoCrm(now_at, integration).refresh(old)


async def _moved(token_id: int, account_id: int, domain: str) -> bool:
    """Keep the domain that a partner's account has now."""
    async with transaction() as session:
        token = await session.get_one(OAuthToken, token_id)
        partner = await session.get_one(Partner, token.partner_id, with_for_update={"key_share": True})
        if partner.amocrm_account_id != account_id:
            return False
        before, after = apply(partner, {"amocrm_domain": domain})
        if after:
            await audit.record(
                session, SYSTEM, "partner.update", partner, before=before, after=after, partner_id=partner.id
            )
        return True


async def _release(token_id: int, lease_until: datetime) -> None:
    """Give our lease back, so that the next attempt need not wait for its end; another's lease stays."""
    async with transaction() as session:
        ours = (OAuthToken.id == token_id, OAuthToken.lease_until == lease_until)
        await session.execute(update(OAuthToken).where(*ours).values(lease_until=None))


async def _store(token_id: int, old: str, fresh: Tokens) -> bool:
    """Write the new pair in place of the one that was sent; a pair of a new installation is never overwritten."""
    async with transaction() as session:
        token = await session.get_one(OAuthToken, token_id, with_for_update=True)
        context = f"oauth_tokens.refresh_token:{token.install_id}"
        if not token.active or crypto.decrypt(token.refresh_token_encrypted, context) != old:
            return False
        token.access_token_encrypted = crypto.encrypt(
            fresh.access_token, f"oauth_tokens.access_token:{token.install_id}"
        )
        token.refresh_token_encrypted = crypto.encrypt(fresh.refresh_token, context)
        token.expires_at, token.refreshed_at, token.lease_until = fresh.expires_at, clock.now(), None
        return True


async def _invalid(token_id: int, old: str, refused: AmoCrmRefused) -> None:
    """Flag a pair that amoCRM does not take any more, and tell the product: only installing again helps."""
    async with transaction() as session:
        install_id = (await session.get_one(OAuthToken, token_id)).install_id
        install = await session.get_one(Install, install_id, with_for_update={"key_share": True})
        token = await session.get_one(OAuthToken, token_id, with_for_update=True, populate_existing=True)
        context = f"oauth_tokens.refresh_token:{token.install_id}"
        if not token.active or crypto.decrypt(token.refresh_token_encrypted, context) != old:
            return
        token.lease_until, token.invalid_because = None, refused.message
        after = {"invalid_because": refused.message}
        await audit.record(session, SYSTEM, "oauth_token.invalid", token, before=None, after=after)
        await events.emit(session, install, "install.authorization_lost", {"validUntil": token.expires_at.isoformat()})
