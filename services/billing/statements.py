"""Bank statements: read whole or not at all, each document once, matched by a worker (INV-5)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.outside_payments import Candidate, Money, OutsidePaymentSource
from gateways.client_bank.parser import Document, Statement, parse
from models import BankStatement, OutsidePayment
from policies.scopes import require
from services import audit
from services.billing.outside import decide_all, keep_all, known, match_next
from services.outbox import enqueue

MATCH = "bank_statement.match"
CURRENCY = "RUB"
LONGEST_FILE_NAME = 200


class StatementKnown(Conflict):
    """The very same file was imported before."""

    code = "STATEMENT_KNOWN"


@dataclass
class Report:
    """What a file holds, and what comes of it.

    Parameters:
        documents: movements of money in it; ``incoming`` of them are money that came.
        repeated: of the incoming, those that an earlier statement had.
        expected: how many new sums will be matched, and why the others will not.
        incoming_total: the sum of what came; ``told_total`` is the bank's own, None where it tells none.
        statement_id: the imported statement; None for a dry run.
    """

    documents: int = 0
    incoming: int = 0
    repeated: int = 0
    expected: Counter[str] = field(default_factory=Counter)
    incoming_total: Decimal = Decimal("0.00")
    told_total: Decimal | None = None
    statement_id: int | None = None


async def import_statement(
    session: AsyncSession, actor: Principal, *, content: bytes, file_name: str, dry_run: bool
) -> Report:
    """Take a statement of the form 1CClientBankExchange; its sums are matched by a worker after commit.

    Raises:
        Forbidden: the actor lacks ``outside_payment:write``.
        MalformedStatement: the file cannot be read as a whole; nothing is taken.
        StatementKnown: the very same file was imported before.
    """
    require(actor, "outside_payment:write", "POST /api/external/bank-statements")
    name = fields.line(file_name, "fileName", most_chars=LONGEST_FILE_NAME)
    # Seconds of reading for the largest file: others are served meanwhile.
    statement = await asyncio.to_thread(parse, content)
    digest = hashlib.sha256(content).hexdigest()
    if await session.scalar(select(BankStatement.id).where(BankStatement.sha256 == digest)) is not None:
        raise _known_file()
    incoming = {_external_id(document): document for document in statement.documents if document.incoming}
    before = await known(session, OutsidePaymentSource.STATEMENT, list(incoming))
    fresh = {key: document for key, document in incoming.items() if key not in before}
    report = Report(
        documents=len(statement.documents),
        incoming=sum(document.incoming for document in statement.documents),
        incoming_total=sum((one.amount for one in statement.documents if one.incoming), Decimal("0.00")),
        told_total=statement.told_incoming,
    )
    report.repeated = report.incoming - len(fresh)
    for verdict in await decide_all(session, [_money(document) for document in fresh.values()]):
        report.expected["MATCHED" if isinstance(verdict, Candidate) else verdict.value] += 1
    if not dry_run:
        report.statement_id = await _write(session, actor, statement, name, digest, report, fresh)
    return report


async def match_statement(session: AsyncSession, statement_id: int) -> int:
    """Match the next sums of a statement, a chunk a transaction; gives how many, 0 when all are done."""
    return await match_next(session, OutsidePayment.bank_statement_id == statement_id)


async def _write(
    session: AsyncSession,
    actor: Principal,
    statement: Statement,
    name: str,
    digest: str,
    report: Report,
    fresh: dict[str, Document],
) -> int:
    new = insert(BankStatement).values(
        file_name=name,
        sha256=digest,
        account=", ".join(statement.accounts)[:500],
        period_start=_moment(statement.period_start),
        period_end=_moment(statement.period_end),
        documents=report.documents,
        incoming=report.incoming,
        repeated=report.repeated,
        imported_by_user_id=actor.user_id,
    )
    # The same file may be coming in twice at this very moment.
    kept: BankStatement | None = await session.scalar(
        new.on_conflict_do_nothing(index_elements=["sha256"]).returning(BankStatement)
    )
    if kept is None:
        raise _known_file()
    await keep_all(session, [_row(kept.id, key, document) for key, document in fresh.items()])
    told = {"file_name": name, "sha256": digest, "documents": report.documents, "incoming": report.incoming}
    await audit.record(session, actor, "bank_statement.import", kept, before=None, after=told)
    await enqueue(session, MATCH, {"bankStatementId": kept.id}, ordering_key=f"{MATCH}:{kept.id}")
    return kept.id


def _known_file() -> StatementKnown:
    return StatementKnown("this very file was imported before")


def _row(statement_id: int, key: str, document: Document) -> dict[str, object]:
    return {
        "source": OutsidePaymentSource.STATEMENT,
        "external_id": key,
        "bank_statement_id": statement_id,
        "amount": document.amount,
        "currency": CURRENCY,
        "paid_at": _moment(document.day),
        "document_number": document.number,
        "payer_name": document.payer_name or None,
        "payer_inn": document.payer_inn,
        "payer_account": document.payer_account,
        "purpose": document.purpose,
    }


def _external_id(document: Document) -> str:
    """Banks give no id; these together tell one movement from another."""
    parts = (
        document.account,
        document.number,
        document.day.isoformat(),
        str(document.amount),
        document.payer_account or "",
        document.payer_inn or "",
        document.purpose,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _money(document: Document) -> Money:
    return Money(document.amount, CURRENCY, document.payer_inn, document.purpose)


def _moment(day: date | None) -> datetime | None:
    """The beginning of a bank's day in the legal entity's time zone."""
    return None if day is None else datetime.combine(day, time(), clock.zone())
