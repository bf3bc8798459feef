"""An account installs a widget: its redirect becomes partner, contact, install, tokens and trial (INS-2)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.errors import Conflict
from core.principal import SYSTEM
from domain.catalog import ProductStatus
from domain.installs import InstallStatus
from domain.partners import PartnerStatus
from gateways.amocrm.client import Account, AmoCrm, AmoCrmRefused, AmoCrmUnanswered, CrmUser, Tokens
from gateways.amocrm.hosts import account_domain
from models import Install, Partner, Product
from services import audit, installs, partners
from services.amocrm.integrations import integration_of
from services.amocrm.people import store_people
from services.changes import apply

TAKEN = "TAKEN"


async def install_from_redirect(*, code: str, referer: str, client_uuid: str) -> Install:
    """Exchange the code of a redirect and write what it stands for, in one transaction after the calls.

    Installing again in the same account keeps partner, install, balance and history, and brings fresh tokens.

    Raises:
        ForeignHost: ``referer`` is not an account of amoCRM or Kommo.
        NotFound: no product of ours is this integration.
        AmoCrmRefused: the code is used, expired, or of somebody else.
        AmoCrmUnanswered: amoCRM gave no answer; the account installs again.
        Conflict: the product is archived, or the partner may not install.
    """
    domain = account_domain(referer)
    async with transaction() as session:
        product, integration = await integration_of(session, client_uuid)
    crm = AmoCrm(domain, integration)
    tokens = await crm.exchange(code)
    account = await crm.account(tokens.access_token)
    people = await _people(crm, tokens)
    try:
        async with transaction() as session:
            return await _write(session, product.id, domain, account, people, tokens)
    except Conflict as error:
        # Another redirect of the account made the partner or install meanwhile; the code is used up, so the tokens
        # must not be lost for it.
        if error.code != TAKEN:
            raise
    async with transaction() as session:
        return await _write(session, product.id, domain, account, people, tokens)


async def _people(crm: AmoCrm, tokens: Tokens) -> list[CrmUser]:
    """Everybody in the account. Without the right to list people, or without an answer, the install goes on without."""
    try:
        return await crm.users(tokens.access_token)
    except (AmoCrmRefused, AmoCrmUnanswered):
        return []


async def _write(
    session: AsyncSession, product_id: int, domain: str, account: Account, people: list[CrmUser], tokens: Tokens
) -> Install:
    partner = await _partner(session, domain, account)
    contact = await store_people(session, partner, people, installer_id=account.current_user_id)
    pair = installs.TokenPair(tokens.access_token, tokens.refresh_token, tokens.expires_at)
    here = (Install.partner_id == partner.id, Install.product_id == product_id)
    install: Install | None = await session.scalar(select(Install).where(*here).with_for_update())
    contact_id = None if contact is None else contact.id
    if install is None or install.status == InstallStatus.DISABLED:
        install = await installs.create(
            session, SYSTEM, partner_id=partner.id, product_id=product_id, contact_id=contact_id, tokens=pair
        )
    else:
        await _check_standing(session, partner, product_id)
        await installs.store_tokens(session, install, pair, contact_id)
        await audit.record(session, SYSTEM, "install.renew_tokens", install, before=None, after={"domain": domain})
    product = await session.get_one(Product, product_id)
    await installs.start_trial(session, SYSTEM, install, product, clock.now())
    return install


async def _partner(session: AsyncSession, domain: str, account: Account) -> Partner:
    wanted = select(Partner).where(Partner.amocrm_account_id == account.id).with_for_update(key_share=True)
    partner: Partner | None = await session.scalar(wanted)
    if partner is None:
        values = partners.PartnerValues(
            name=account.name.strip()[:200] or domain,
            amocrm_account_id=account.id,
            amocrm_domain=domain,
            connected_at=clock.now(),
        )
        return await partners.create(session, SYSTEM, values=values)
    if partner.amocrm_domain != domain:
        before, after = apply(partner, {"amocrm_domain": domain})
        await audit.record(
            session, SYSTEM, "partner.update", partner, before=before, after=after, partner_id=partner.id
        )
    return partner


async def _check_standing(session: AsyncSession, partner: Partner, product_id: int) -> None:
    if partner.status != PartnerStatus.ACTIVE:
        raise Conflict(f"the partner is {partner.status}")
    product = await session.get_one(Product, product_id)
    if product.status != ProductStatus.ACTIVE:
        raise Conflict("the product is archived")
