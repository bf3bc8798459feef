"""A widget asks for itself: who it is, by a one-time token (INS-5, ACC-7)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound
from core.principal import Principal
from core.settings import get_settings
from domain.partners import PartnerMay, PartnerStatus, allows
from gateways.amocrm.signatures import CLOCK_SKEW, BadToken, claimed_integration, read_token
from models import Install, Partner, WidgetTokenUse
from services.amocrm.integrations import integration_of

_STATE = frozenset({"install:read"})
_USER = frozenset({"install:read", "subscription:read", "plan:read", "coin_package:read", "wallet:read"})
_ADMIN = _USER | {"install:activate", "subscription:write", "invoice:read", "invoice:pay", "wallet:buy"}


@dataclass(frozen=True)
class WidgetCaller:
    """Who asks: a partner's user of the CRM, in one install. Administrators of the account may order and pay."""

    principal: Principal
    install_id: int
    product_id: int


async def widget_principal(session: AsyncSession, token: str) -> WidgetCaller:
    """Who sends a one-time token, which is used up by this; commit before anything else is done.

    Raises:
        BadToken: not genuine, not for us, not for now, or used before.
        NotFound: the widget is not installed in the token's account.
    """
    client_uuid = claimed_integration(token)
    try:
        product, integration = await integration_of(session, client_uuid)
    except NotFound:
        raise BadToken("the token is for another integration") from None
    claims = read_token(
        token,
        secret=integration.client_secret,
        client_uuid=integration.client_uuid,
        audience=get_settings().base_url,
        now=clock.now(),
    )
    kept = claims.expires_at + CLOCK_SKEW
    used = insert(WidgetTokenUse).values(product_id=product.id, jti=claims.jti, expires_at=kept)
    first = await session.scalar(used.on_conflict_do_nothing().returning(WidgetTokenUse.jti))
    if first is None:
        raise BadToken("the token was used before")
    found = (
        select(Install.id, Install.partner_id, Partner.status)
        .join(Partner, Partner.id == Install.partner_id)
        .where(Partner.amocrm_account_id == claims.account_id, Install.product_id == product.id)
    )
    row = (await session.execute(found)).one_or_none()
    if row is None:
        raise NotFound.of("Install")
    principal = Principal(
        kind="partner",
        partner_id=row.partner_id,
        permissions=_permitted(row.status, is_admin=claims.is_admin),
        roles=("WIDGET",),
    )
    return WidgetCaller(principal, row.id, product.id)


def _permitted(status: PartnerStatus, *, is_admin: bool) -> frozenset[str]:
    """A partner that may not buy looks and pays what waits; without valid licences it learns just that (PAR-1)."""
    if not allows(status, PartnerMay.USE):
        return _STATE
    if not is_admin:
        return _USER
    return _ADMIN if allows(status, PartnerMay.BUY) else _USER | {"invoice:read", "invoice:pay"}


async def expire_token_uses(session: AsyncSession) -> int:
    """Forget tokens that have ended by themselves; gives how many."""
    gone = delete(WidgetTokenUse).where(WidgetTokenUse.expires_at < clock.now()).returning(WidgetTokenUse.jti)
    return len((await session.scalars(gone)).all())
