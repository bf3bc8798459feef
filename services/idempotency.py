"""The stored results of mutations, so that a repeated call changes nothing twice (API-2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import UserError
from core.principal import Principal
from models import IdempotencyRecord

KEPT_FOR = timedelta(days=7)
MAX_KEY_CHARS = 200


class IdempotencyKeyReused(UserError):
    """The key was used with another mutation or other input."""

    code = "IDEMPOTENCY_KEY_REUSED"


class InvalidIdempotencyKey(UserError):
    """The key is empty or too long."""

    code = "INVALID_IDEMPOTENCY_KEY"


def input_hash(arguments: Any) -> str:
    """A hash of a mutation's input that does not depend on the order of its fields."""
    canonical = orjson.dumps(arguments, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


async def claim(
    session: AsyncSession, actor: Principal, *, key: str, mutation: str, hashed_input: str
) -> tuple[IdempotencyRecord, bool]:
    """The record of this key, and whether it is new; a concurrent call with the same key is waited for.

    Raises:
        IdempotencyKeyReused: the key stands for another call.
        InvalidIdempotencyKey: the key is empty or too long.
    """
    if not 1 <= len(key) <= MAX_KEY_CHARS or not key.isprintable():
        raise InvalidIdempotencyKey(
            f"an idempotency key has 1 to {MAX_KEY_CHARS} printable characters", field=("input", "idempotencyKey")
        )
    created = await session.execute(
        insert(IdempotencyRecord)
        .values(
            scope=actor.label,
            key=key,
            partner_id=actor.partner_id,
            mutation=mutation,
            input_hash=hashed_input,
            expires_at=clock.now() + KEPT_FOR,
        )
        .on_conflict_do_nothing(index_elements=["scope", "key"])
        .returning(IdempotencyRecord.id)
    )
    is_new = created.scalar_one_or_none() is not None
    record = await session.scalar(
        select(IdempotencyRecord).where(IdempotencyRecord.scope == actor.label, IdempotencyRecord.key == key)
    )
    assert record is not None, "a record that conflicts is committed and visible"
    if record.mutation != mutation or record.input_hash != hashed_input:
        raise IdempotencyKeyReused("this idempotency key was used for another call", field=("input", "idempotencyKey"))
    return record, is_new


@dataclass(frozen=True)
class Claimed:
    """What became of many keys.

    Parameters:
        new: those that nobody had used.
        inputs: of each key, the hash of the input that it stands for.
    """

    new: frozenset[str]
    inputs: Mapping[str, str]


async def claim_many(session: AsyncSession, actor: Principal, *, mutation: str, inputs: Mapping[str, str]) -> Claimed:
    """Claim many keys at once; whether one stands for another call is for the caller to see.

    Parameters:
        inputs: of each key, the hash of its input.
    """
    if not inputs:
        return Claimed(frozenset(), {})
    expires_at = clock.now() + KEPT_FOR
    # In one order, so that two batches of the same keys wait for each other and never in a circle.
    rows = [
        {
            "scope": actor.label,
            "key": key,
            "partner_id": actor.partner_id,
            "mutation": mutation,
            "input_hash": inputs[key],
            "expires_at": expires_at,
        }
        for key in sorted(inputs)
    ]
    made = insert(IdempotencyRecord).values(rows).on_conflict_do_nothing(index_elements=["scope", "key"])
    new = frozenset(await session.scalars(made.returning(IdempotencyRecord.key)))
    kept = select(IdempotencyRecord.key, IdempotencyRecord.mutation, IdempotencyRecord.input_hash).where(
        IdempotencyRecord.scope == actor.label, IdempotencyRecord.key.in_(inputs)
    )
    found = (await session.execute(kept)).all()
    return Claimed(new, {key: hashed if used == mutation else "" for key, used, hashed in found})
