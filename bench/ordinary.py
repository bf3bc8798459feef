"""The ordinary way: Strawberry's ASGI app with resolvers, DataLoaders and the SQLAlchemy ORM."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any, Generic, TypeVar

import asyncpg
import strawberry
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import aliased
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache

import models
from core.ids import decode_id, encode_id
from domain.billing import LIVE_SUBSCRIPTION
from planner.scalars import write_datetime

T = TypeVar("T")
engine = create_async_engine(
    "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(os.environ["KONTORA_DATABASE_URL"]), pool_size=10
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def _rows(statement: Any) -> list[Any]:
    async with sessions() as session:
        return list((await session.scalars(statement)).all())


def _one(model: Any, column: Any, *where: Any) -> DataLoader[int, Any]:
    async def load(keys: list[int]) -> list[Any]:
        found = await _rows(select(model).where(column.in_(keys), *where))
        by_key = {getattr(row, column.key): row for row in found}
        return [by_key.get(key) for key in keys]

    return DataLoader(load)


def _newest(model: Any, column: Any, size: int) -> DataLoader[int, list[Any]]:
    async def load(keys: list[int]) -> list[list[Any]]:
        number = func.row_number().over(partition_by=column, order_by=model.id.desc()).label("place_in_group")
        numbered = select(model, number).where(column.in_(keys)).subquery()
        row = aliased(model, numbered)
        found = await _rows(select(row).where(numbered.c.place_in_group <= size).order_by(numbered.c.id.desc()))
        grouped = defaultdict(list)
        for item in found:
            grouped[getattr(item, column.key)].append(item)
        return [grouped[key] for key in keys]

    return DataLoader(load)


class Loaders:
    """The loaders of one request."""

    def __init__(self) -> None:
        self.products = _one(models.Product, models.Product.id)
        self.plans = _one(models.Plan, models.Plan.id)
        self.wallets = _one(models.Wallet, models.Wallet.install_id)
        self.subscriptions = _one(
            models.Subscription,
            models.Subscription.install_id,
            models.Subscription.status.in_(LIVE_SUBSCRIPTION),
        )
        self.installs = _newest(models.Install, models.Install.partner_id, 5)
        self.invoices = _newest(models.Invoice, models.Invoice.install_id, 3)
        self.payments = _newest(models.Payment, models.Payment.invoice_id, 3)


Info = strawberry.Info[Loaders, None]


@strawberry.type
class Page(Generic[T]):
    """A page of rows."""

    nodes: list[T]


@strawberry.type
class Money:
    """An amount with its currency."""

    amount: str
    currency: str


@strawberry.type
class Row:
    """Any row."""

    row: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_id(type(self).__name__, self.row.id))

    @strawberry.field
    def status(self) -> str:
        return str(self.row.status.name)


@strawberry.type
class Product:
    """A product."""

    row: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_id("Product", self.row.id))

    @strawberry.field
    def name(self) -> str:
        return str(self.row.name)


@strawberry.type
class Plan:
    """A plan."""

    row: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_id("Plan", self.row.id))

    @strawberry.field
    def name(self) -> str:
        return str(self.row.name)


@strawberry.type
class Wallet:
    """A wallet."""

    row: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_id("Wallet", self.row.id))

    @strawberry.field
    def balance(self) -> str:
        return str(self.row.balance)


@strawberry.type
class Subscription(Row):
    """A subscription."""

    @strawberry.field
    def seats(self) -> int:
        return int(self.row.seats)

    @strawberry.field
    def ends_at(self) -> str:
        return write_datetime(self.row.ends_at)

    @strawberry.field
    def unit_price(self) -> Money:
        return Money(amount=str(self.row.unit_price), currency=self.row.currency)

    @strawberry.field
    async def plan(self, info: Info) -> Plan | None:
        found = await info.context.plans.load(self.row.plan_id)
        return found and Plan(row=found)


@strawberry.type
class Payment(Row):
    """A payment."""

    @strawberry.field
    def amount(self) -> Money:
        return Money(amount=str(self.row.amount), currency=self.row.currency)

    @strawberry.field
    def confirmed_at(self) -> str | None:
        return self.row.confirmed_at and write_datetime(self.row.confirmed_at)


@strawberry.type
class Invoice(Row):
    """A bill."""

    @strawberry.field
    def number(self) -> str:
        return str(self.row.number)

    @strawberry.field
    def total(self) -> Money:
        return Money(amount=str(self.row.total), currency=self.row.currency)

    @strawberry.field
    def due_at(self) -> str:
        return write_datetime(self.row.due_at)

    @strawberry.field
    def paid_at(self) -> str | None:
        return self.row.paid_at and write_datetime(self.row.paid_at)

    @strawberry.field
    async def payments(self, info: Info, first: int) -> Page[Payment]:
        return Page(nodes=[Payment(row=row) for row in await info.context.payments.load(self.row.id)])


@strawberry.type
class Install(Row):
    """An install."""

    @strawberry.field
    async def product(self, info: Info) -> Product:
        return Product(row=await info.context.products.load(self.row.product_id))

    @strawberry.field
    async def subscription(self, info: Info) -> Subscription | None:
        found = await info.context.subscriptions.load(self.row.id)
        return found and Subscription(row=found)

    @strawberry.field
    async def wallet(self, info: Info) -> Wallet | None:
        found = await info.context.wallets.load(self.row.id)
        return found and Wallet(row=found)

    @strawberry.field
    async def invoices(self, info: Info, first: int) -> Page[Invoice]:
        return Page(nodes=[Invoice(row=row) for row in await info.context.invoices.load(self.row.id)])


@strawberry.type
class Partner(Row):
    """A partner."""

    @strawberry.field
    def name(self) -> str:
        return str(self.row.name)

    @strawberry.field
    def inn(self) -> str | None:
        return str(self.row.inn)

    @strawberry.field
    async def installs(self, info: Info, first: int) -> Page[Install]:
        return Page(nodes=[Install(row=row) for row in await info.context.installs.load(self.row.id)])


@strawberry.type
class Query:
    """The three reads."""

    @strawberry.field
    async def invoices(self, first: int) -> Page[Invoice]:
        rows = await _rows(select(models.Invoice).order_by(models.Invoice.id.desc()).limit(first))
        return Page(nodes=[Invoice(row=row) for row in rows])

    @strawberry.field
    async def partner(self, id: strawberry.ID) -> Partner | None:
        rows = await _rows(select(models.Partner).where(models.Partner.id == decode_id(id, "Partner")[1]))
        return Partner(row=rows[0]) if rows else None

    @strawberry.field
    async def partners(self, first: int) -> Page[Partner]:
        rows = await _rows(select(models.Partner).order_by(models.Partner.id.desc()).limit(first))
        return Page(nodes=[Partner(row=row) for row in rows])


class Endpoint(GraphQL[Loaders, None]):
    """Strawberry's endpoint with fresh loaders for each request."""

    async def get_context(self, request: Any, response: Any) -> Loaders:
        """The loaders."""
        return Loaders()


app = Endpoint(strawberry.Schema(Query, extensions=[ParserCache, ValidationCache]))
