"""The demo world of the sandbox: one user per role, and partners at each stage of the story, made by the real verbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.errors import KontoraError
from core.principal import Principal
from core.settings import get_settings
from domain.access import UserKind
from domain.catalog import PricingModel, ProductKind, Term
from domain.onboarding import OnboardingTaskStatus
from models import Install, Onboarding, Partner, Plan, Product, Role, User, UserRole, Wallet
from policies.permissions import ALL
from policies.roles import PARTNER_ROLES, ROLES
from services import (
    access_grants,
    billing,
    demo_card,
    installs,
    legal_entities,
    onboarding,
    partner_contacts,
    partners,
    wallets,
)
from services.catalog import plans, products
from services.monitoring import activity

DEMO_USERS: Mapping[str, str] = MappingProxyType(
    {
        "superadmin@demo.test": "SUPERADMIN",
        "billing@demo.test": "BILLING",
        "support@demo.test": "SUPPORT",
        "developer@demo.test": "DEVELOPER",
        "sales@demo.test": "SALES",
        "implementation@demo.test": "IMPLEMENTATION",
        "auditor@demo.test": "AUDITOR",
        "partner-owner@demo.test": "PARTNER_OWNER",
        "partner-member@demo.test": "PARTNER_MEMBER",
    }
)

MAKER = Principal(kind="system", permissions=ALL, roles=("DEMO",))
SEED_LOCK = 7_263_500
FIRST_CODE = "booking-widget"


class NotASandbox(KontoraError):
    """The demo world is for trying things out, never beside real partners."""

    code = "NOT_A_SANDBOX"


@dataclass(frozen=True)
class _ProductSketch:
    code: str
    name: str
    kind: ProductKind
    basic: int
    advanced: int


@dataclass(frozen=True)
class _PartnerSketch:
    name: str
    legal_name: str
    inn: str
    kpp: str | None
    segment: str
    contact: str
    email: str


LEGAL_ENTITY = legal_entities.LegalEntityValues(
    name="ООО «Контора Демо»",
    inn="9702000015",
    kpp="970201001",
    ogrn="1237700000010",
    address="101000, г. Москва, ул. Примерная, д. 1, оф. 10",
    bank_name="ДЕМО-БАНК (АО), г. Москва",
    bik="044525225",
    account="40702810200000000001",
    correspondent_account="30101810400000000225",
    signatory="П. П. Петров",
    signatory_title="Генеральный директор",
    accountant="А. А. Смирнова",
    vat_rate=Decimal(20),
)
PRODUCTS = (
    _ProductSketch(FIRST_CODE, "Booking widget", ProductKind.WIDGET, 490, 890),
    _ProductSketch("fitness-cloud", "Fitness Cloud", ProductKind.SAAS, 1200, 2100),
    _ProductSketch("budget-manager", "IT Budget Manager", ProductKind.ON_PREMISE, 15_000, 26_000),
)
# Key, title in Russian and in English, whether required, and the days that it usually takes.
STEPS = (
    ("dictionaries", "Справочники", "Dictionaries", True, 2),
    ("schedule", "Расписание", "Schedule", True, 3),
    ("import", "Импорт клиентов", "Import of clients", False, 5),
    ("first_payment", "Первая оплата", "First payment", True, 7),
)
PARTNERS = (
    _PartnerSketch("Orion", "ООО «Орион»", "7707083893", "770701001", "enterprise", "Anna Orlova", "anna@orion.test"),
    _PartnerSketch("Lotos Yoga", "ИП Лотосова М. И.", "500100732259", None, "small", "Maria Lotos", "maria@lotos.test"),
    _PartnerSketch(
        "Vega Sport", "ООО «Вега Спорт»", "7710140679", "771001001", "middle", "Ivan Vegin", "ivan@vega.test"
    ),
    _PartnerSketch(
        "Polyus", "АО «Полюс»", "7736050003", "773601001", "enterprise", "Olga Polyakova", "olga@polyus.test"
    ),
)


async def seed(session: AsyncSession, *, password: str) -> None:
    """Make the demo world where it is missing, and let its users sign in with ``password``.

    Raises:
        NotASandbox: in production mode.
    """
    if get_settings().mode != "sandbox":
        raise NotASandbox("the demo world is made in sandbox mode only")
    await session.execute(select(func.pg_advisory_xact_lock(SEED_LOCK)))
    if await session.scalar(select(Product.id).where(Product.code == FIRST_CODE)) is None:
        await _make_world(session)
    await _make_users(session, password)


async def _make_users(session: AsyncSession, password: str) -> None:
    """One user per role; the two of the partner belong to the first one. Hashing is slow, so one hash serves all."""
    known = {user.email: user for user in await session.scalars(select(User).where(User.email.in_(DEMO_USERS)))}
    hashes = {user.password_hash for user in known.values() if user.password_hash is not None}
    current = len(hashes) == 1 and await crypto.verify_password(next(iter(hashes)), password)
    hashed = next(iter(hashes)) if current else await crypto.hash_password(password)
    partner_id = await session.scalar(select(func.min(Partner.id)))
    for email, role in DEMO_USERS.items():
        user = known.get(email)
        if user is not None:
            user.password_hash, user.password_set_at = hashed, user.password_set_at or clock.now()
            continue
        is_partner = role in PARTNER_ROLES
        user = User(
            kind=UserKind.PARTNER if is_partner else UserKind.STAFF,
            partner_id=partner_id if is_partner else None,
            email=email,
            full_name=f"Demo {role.replace('_', ' ').capitalize()}",
            password_hash=hashed,
            password_set_at=clock.now(),
        )
        session.add(user)
        await session.flush()
        role_id = (await session.scalars(select(Role.id).where(Role.name == role))).one()
        session.add(UserRole(user_id=user.id, role_id=role_id))
        if role == "SUPPORT":
            await session.flush()
            await _ask_for_access(session, user)
    await session.flush()


async def _ask_for_access(session: AsyncSession, user: User) -> None:
    """Support waits for a grant to the partner that has not paid (ACC-5)."""
    asker = Principal(kind="staff", permissions=ROLES["SUPPORT"][1], roles=("SUPPORT",), user_id=user.id)
    partner_id = (await session.scalars(select(Partner.id).order_by(Partner.id).offset(1).limit(1))).one()
    await access_grants.request(
        session, asker, partner_id=partner_id, reason="The payment link does not open", ticket="SUP-101", minutes=120
    )


async def _make_world(session: AsyncSession) -> None:
    """Our legal entity, and four partners: paid by bank transfer, waiting for payment, on trial, just installed."""
    await legal_entities.create(session, MAKER, code=get_settings().legal_entity, values=LEGAL_ENTITY)
    made_products = [await _product(session, sketch) for sketch in PRODUCTS]
    made_partners = [await _partner(session, sketch) for sketch in PARTNERS]
    orion, lotos, vega, polyus = made_partners
    (widget, basic, advanced), (cloud, cloud_basic, _), (budget, _, budget_advanced) = made_products

    await _subscribed(session, await _installed(session, orion, widget), advanced, Term.YEAR, seats=25, paid=True)
    await _subscribed(session, await _installed(session, orion, cloud), cloud_basic, Term.HALF_YEAR, seats=8, paid=True)
    await _subscribed(session, await _installed(session, lotos, widget), basic, Term.MONTH, seats=5, paid=False)
    await _subscribed(
        session, await _installed(session, polyus, budget), budget_advanced, Term.YEAR, seats=12, paid=False
    )
    await _installed(session, vega, widget)
    await installs.create(session, MAKER, partner_id=vega.id, product_id=cloud.id)
    await _spend(session, orion)
    await demo_card.fill(session, MAKER, orion, seller=LEGAL_ENTITY["name"])
    await _set_up(session, orion, lotos)
    await _used(session)


async def _product(session: AsyncSession, sketch: _ProductSketch) -> tuple[Product, Plan, Plan]:
    made = await products.create(
        session, MAKER, values=products.ProductValues(code=sketch.code, name=sketch.name, kind=sketch.kind)
    )
    for key, russian, english, required, days in STEPS:
        values = onboarding.StepValues(title_ru=russian, title_en=english, required=required, typical_days=days)
        await onboarding.create_step(session, MAKER, product_id=made.product.id, key=key, values=values)
    model = PricingModel.PER_SEAT
    tiers = [
        await plans.create(
            session,
            MAKER,
            product_id=made.product.id,
            name=name,
            currency="RUB",
            values=plans.PlanValues(
                pricing_model=model,
                min_seats=least,
                prices=[
                    plans.Price(Term.MONTH, Decimal(price)),
                    plans.Price(Term.HALF_YEAR, Decimal(price) * Decimal("0.9")),
                    plans.Price(Term.YEAR, Decimal(price) * Decimal("0.8")),
                ],
            ),
        )
        for name, price, least in (("Basic", sketch.basic, 1), ("Advanced", sketch.advanced, 5))
    ]
    return made.product, tiers[0], tiers[1]


async def _partner(session: AsyncSession, sketch: _PartnerSketch) -> Partner:
    values = partners.PartnerValues(
        name=sketch.name,
        legal_name=sketch.legal_name,
        inn=sketch.inn,
        kpp=sketch.kpp,
        segment=sketch.segment,
        connected_at=clock.now(),
    )
    partner = await partners.create(session, MAKER, values=values)
    contact = partner_contacts.ContactValues(full_name=sketch.contact, email=sketch.email, phone="+7 495 000-00-00")
    await partner_contacts.create_contact(session, MAKER, partner_id=partner.id, values=contact)
    return partner


async def _installed(session: AsyncSession, partner: Partner, product: Product) -> Install:
    """An activated install: trial begun, wallet opened with its bonus."""
    tokens = None
    if product.kind == ProductKind.WIDGET:
        tokens = installs.TokenPair(
            access_token=crypto.random_token("demo"),
            refresh_token=crypto.random_token("demo"),
            expires_at=clock.now() + timedelta(days=1),
        )
    install = await installs.create(session, MAKER, partner_id=partner.id, product_id=product.id, tokens=tokens)
    return await installs.activate(session, MAKER, install_id=install.id)


async def _set_up(session: AsyncSession, done: Partner, stuck: Partner) -> None:
    """One partner has set everything up, another is stuck and calls for help."""
    runs = select(Onboarding.id).order_by(Onboarding.id)
    every = [onboarding.Report(key, OnboardingTaskStatus.DONE) for key, *_ in STEPS]
    for run_id in await session.scalars(runs.where(Onboarding.partner_id == done.id)):
        await onboarding.report(session, MAKER, onboarding_id=run_id, reports=every)
    for run_id in await session.scalars(runs.where(Onboarding.partner_id == stuck.id)):
        await onboarding.report(session, MAKER, onboarding_id=run_id, reports=every[:1])
        await onboarding.ask_for_help(session, MAKER, onboarding_id=run_id, text="The schedule does not save")


async def _used(session: AsyncSession) -> None:
    """A month of what products tell: one partner is busy, the others fall asleep one after another."""
    today = clock.now().date()
    for place, install in enumerate((await session.scalars(select(Install).order_by(Install.id))).all()):
        points = [
            activity.Point(install.id, None, metric, today - timedelta(days=ago), Decimal(first + step * (30 - ago)))
            for metric, first, step in (("operations", 40, 3), ("clients", 120 * (place + 1), 2), ("lessons", 60, 1))
            for ago in range(15 * min(place, 1), 30)
        ]
        if place < 2:
            points.append(activity.Point(install.id, None, login_at=clock.now() - timedelta(hours=3)))
        await activity.take(session, points, [(install.id, install.partner_id)] * len(points))


async def _subscribed(
    session: AsyncSession, install: Install, plan: Plan, term: Term, *, seats: int, paid: bool
) -> None:
    invoice, _ = await billing.create_subscription(
        session, MAKER, install_id=install.id, plan_id=plan.id, term=term, seats=seats
    )
    if paid:
        await billing.mark_paid(session, MAKER, invoice_id=invoice.id, note="Bank transfer, demo")


async def _spend(session: AsyncSession, partner: Partner) -> None:
    wallet_ids = await session.scalars(select(Wallet.id).where(Wallet.partner_id == partner.id).order_by(Wallet.id))
    for wallet_id, amount in zip(wallet_ids, ("-125.5", "250"), strict=False):
        await wallets.adjust(
            session, MAKER, wallet_id=wallet_id, amount=Decimal(amount), reason="Correction by support, demo"
        )
