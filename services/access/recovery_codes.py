"""Recovery codes: ten that stand in for the authenticator app, each once (ACC-1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash
from domain.factors import RECOVERY_CODES, new_recovery_code, plain_recovery_code
from models import RecoveryCode

MAX_CODE_CHARS = 50


async def replace_recovery_codes(session: AsyncSession, user_id: int) -> list[str]:
    """Fresh codes in place of all earlier ones; their text is told once and never kept."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_hashed(user_id, code)) for code in codes)
    await session.flush()
    return codes


async def spend_recovery_code(session: AsyncSession, user_id: int, typed: str) -> bool:
    """Use up a code; False where it is wrong or spent. Two calls at once cannot both spend it."""
    if len(typed) > MAX_CODE_CHARS:
        return False
    unspent: Any = RecoveryCode.used_at.is_(None)
    spent = await session.scalar(
        update(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hashed(user_id, typed), unspent)
        .values(used_at=clock.now())
        .returning(RecoveryCode.id)
    )
    return spent is not None


async def recovery_codes_left(session: AsyncSession, user_id: int) -> int:
    """How many codes are unspent."""
    statement = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return await session.scalar(statement) or 0


def _hashed(user_id: int, code: str) -> str:
    return keyed_hash(f"{user_id}:{plain_recovery_code(code)}", "recovery_code")
