"""Products: register, change and archive them, and rotate their tokens (CAT-1)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.errors import Conflict
from core.http import check_endpoint
from core.principal import Principal
from domain import fields
from domain.catalog import ProductKind
from domain.state_actions import PRODUCT_MOVES, ProductAction, product_blocked
from models import Product
from services import audit, events
from services.catalog.secrets import keep_client_secret
from services.changes import apply, next_version, unique
from services.loading import load

TOKEN_PREFIX = "kpt"  # noqa: S105
TOKEN_HINT_CHARS = 4
LONGEST_TRIAL_DAYS = 365
LONGEST_SECRET_CHARS = 1_000
LONGEST_OVERLAP_HOURS = 168
LONGEST_BONUS_DAYS = 3_650

_ENDPOINTS = {
    "install_endpoint": "installEndpoint",
    "activate_endpoint": "activateEndpoint",
    "disable_endpoint": "disableEndpoint",
}


class ProductValues(TypedDict, total=False):
    """What may be said of a product; what is left out stays as it is."""

    name: str
    code: str
    kind: ProductKind
    technical_account_url: str | None
    client_uuid: uuid.UUID | None
    client_secret: str | None
    trial_days: int
    wallet_enabled: bool
    install_bonus: Decimal
    bonus_valid_days: int | None
    subscriptions_enabled: bool
    install_endpoint: str | None
    activate_endpoint: str | None
    disable_endpoint: str | None


@dataclass(frozen=True)
class NewProduct:
    """A product with the secrets that are shown this once."""

    product: Product
    project_token: str
    event_secret: str


async def create(session: AsyncSession, actor: Principal, *, values: ProductValues) -> NewProduct:
    """Register a product, with a project token and a signing secret of its events.

    Raises:
        UserError: a value is not fit for its field, or the code is taken.
    """
    checked = _checked(values)
    client_secret = checked.pop("client_secret", None)
    product = Product(**checked)
    async with _free_code(session), _free_client(session):
        session.add(product)
    keep_client_secret(product, client_secret)
    token = _new_project_token(product)
    event_secret = events.new_secret(product)
    await audit.record(session, actor, "product.create", product, before=None, after=dict(values))
    return NewProduct(product, token, event_secret)


async def change(
    session: AsyncSession, actor: Principal, *, product_id: int, version: int, values: ProductValues
) -> Product:
    """Change a product; its kind and code stay.

    Parameters:
        version: the version that the caller has read.

    Raises:
        NotFound: there is no such product.
        Conflict: somebody changed it in between.
        UserError: a value is not fit for its field.
    """
    product = await load(session, actor, Product, product_id, lock=True, references=True)
    next_version(product, version)
    checked = _checked(values)
    secret_changes = "client_secret" in checked
    client_secret = checked.pop("client_secret", None)
    async with _free_client(session):
        before, after = apply(product, checked)
    if secret_changes:
        before["client_secret"] = product.client_secret_encrypted
        after["client_secret"] = client_secret
        keep_client_secret(product, client_secret)
    await audit.record(session, actor, "product.update", product, before=before, after=after)
    return product


async def archive(session: AsyncSession, actor: Principal, *, product_id: int, version: int) -> Product:
    """Accept no new installs of a product; the ones it has go on. Archiving twice changes nothing.

    Raises:
        NotFound: there is no such product.
        Conflict: somebody changed it in between.
    """
    return await _move(session, actor, ProductAction.ARCHIVE, product_id, version)


async def restore(session: AsyncSession, actor: Principal, *, product_id: int, version: int) -> Product:
    """Accept new installs of an archived product again. Restoring twice changes nothing.

    Raises:
        NotFound: there is no such product.
        Conflict: somebody changed it in between.
    """
    return await _move(session, actor, ProductAction.RESTORE, product_id, version)


async def rotate_project_token(
    session: AsyncSession, actor: Principal, *, product_id: int, overlap_hours: int = 24
) -> NewProduct:
    """Give a product a new project token and a new signing secret; the old ones work on for an overlap.

    Parameters:
        overlap_hours: 0 to 168; 0 where the old token has leaked.

    Raises:
        NotFound: there is no such product.
        Conflict: the product is archived.
        InvalidValue: the overlap is too long.
    """
    fields.whole(overlap_hours, "overlapHours", least=0, most=LONGEST_OVERLAP_HOURS)
    product = await load(session, actor, Product, product_id, lock=True, references=True)
    blocked = product_blocked(ProductAction.ROTATE_PROJECT_TOKEN, product.status)
    if blocked is not None:
        raise Conflict(blocked.message, field=fields.path("id"))
    before = {"project_token_hint": product.project_token_hint}
    product.previous_token_hash = product.project_token_hash if overlap_hours else None
    product.previous_token_until = clock.now() + timedelta(hours=overlap_hours) if overlap_hours else None
    token = _new_project_token(product)
    event_secret = events.new_secret(product, timedelta(hours=overlap_hours))
    after = {"project_token_hint": product.project_token_hint, "overlap_hours": overlap_hours}
    await audit.record(session, actor, "product.rotate_project_token", product, before=before, after=after)
    return NewProduct(product, token, event_secret)


async def _move(
    session: AsyncSession, actor: Principal, action: ProductAction, product_id: int, version: int
) -> Product:
    product = await load(session, actor, Product, product_id, lock=True, references=True)
    if product_blocked(action, product.status) is not None:
        return product
    next_version(product, version)
    before, after = apply(product, {"status": PRODUCT_MOVES[action]})
    await audit.record(session, actor, f"product.{action.lower()}", product, before=before, after=after)
    return product


def _checked(values: ProductValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    if "name" in checked:
        checked["name"] = fields.line(checked["name"], "name")
    if "code" in checked:
        checked["code"] = fields.code(checked["code"], "code")
    if "trial_days" in checked:
        fields.whole(checked["trial_days"], "trialDays", least=0, most=LONGEST_TRIAL_DAYS)
    if "install_bonus" in checked:
        checked["install_bonus"] = fields.amount(checked["install_bonus"], "installBonus", places=fields.COIN_PLACES)
    if checked.get("bonus_valid_days") is not None:
        fields.whole(checked["bonus_valid_days"], "bonusValidDays", least=1, most=LONGEST_BONUS_DAYS)
    if checked.get("client_secret") is not None:
        checked["client_secret"] = fields.line(
            checked["client_secret"], "clientSecret", most_chars=LONGEST_SECRET_CHARS
        )
    if checked.get("technical_account_url") is not None:
        check_endpoint(checked["technical_account_url"], fields.path("technicalAccountUrl"))
    for column, name in _ENDPOINTS.items():
        if checked.get(column) is not None:
            check_endpoint(checked[column], fields.path(name))
    return checked


def _free_code(session: AsyncSession) -> Any:
    return unique(session, "uq_products_code", "another product has this code", "code")


def _free_client(session: AsyncSession) -> Any:
    return unique(session, "uq_products_client_uuid", "another product has this client UUID", "clientUuid")


def _new_project_token(product: Product) -> str:
    token = crypto.random_token(TOKEN_PREFIX)
    product.project_token_hash = crypto.keyed_hash(token, "project_token")
    product.project_token_hint = token[-TOKEN_HINT_CHARS:]
    return token
