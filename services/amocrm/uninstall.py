"""An account uninstalls a widget: the signed hook disables the install (INS-2)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import KontoraError, NotFound
from core.principal import SYSTEM
from gateways.amocrm.signatures import genuine_hook
from models import Install, Partner
from services import installs
from services.amocrm.integrations import integration_of


class ForgedHook(KontoraError):
    """The hook's signature is not amoCRM's."""

    code = "FORGED_HOOK"


async def uninstall(session: AsyncSession, *, client_uuid: str, account_id: str, signature: str) -> Install:
    """Disable the install of an account; twice is once.

    Raises:
        NotFound: no such integration of ours, or it was never installed in the account.
        ForgedHook: the signature is wrong.
    """
    product, integration = await integration_of(session, client_uuid)
    if not genuine_hook(client_uuid, account_id, signature, integration.client_secret):
        raise ForgedHook("the signature of the hook is wrong")
    number = int(account_id) if account_id.isascii() and account_id.isdecimal() and len(account_id) <= 18 else 0
    install_id: int | None = await session.scalar(
        select(Install.id)
        .join(Partner, Partner.id == Install.partner_id)
        .where(Partner.amocrm_account_id == number, Install.product_id == product.id)
    )
    if install_id is None:
        raise NotFound.of("Install")
    return await installs.disable(session, SYSTEM, install_id=install_id)
