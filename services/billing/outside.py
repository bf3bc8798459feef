"""Money that came outside of gateways: told once, matched to its invoice, or left to a person (INV-5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound, UserError
from core.principal import SYSTEM, Principal
from domain import fields
from domain.outside_payments import (
    PAYABLE,
    Candidate,
    Money,
    OutsidePaymentSource,
    OutsidePaymentStatus,
    UnmatchedReason,
    decide,
    numbers_in,
)
from models import Invoice, OutsidePayment, Partner
from policies.scopes import require
from services import audit
from services.billing.invoices import record_outside
from services.loading import load

LONGEST_ID = 200
LONGEST_NUMBER = 100
LONGEST_NAME = 300
LONGEST_PURPOSE = 1_000
LONGEST_NOTE = 500
CHUNK_ROWS = 200
INSERT_ROWS = 1_000
_TOLD_BY = MappingProxyType(
    {
        OutsidePaymentSource.API: "Told by another system",
        OutsidePaymentSource.STATEMENT: "Bank statement",
        OutsidePaymentSource.TABLE: "Imported table",
    }
)
READ = "outside_payment:read"
WRITE = "outside_payment:write"


class OutsidePaymentReused(Conflict):
    """The id stands for money of another amount or currency."""

    code = "EXTERNAL_ID_REUSED"


@dataclass(frozen=True)
class Told:
    """Money that another system or a table tells of.

    Parameters:
        external_id: that system's own id; told again, it is the same money.
    """

    external_id: str
    amount: Decimal
    currency: str
    paid_at: datetime
    invoice_number: str | None = None
    payer_inn: str | None = None
    payer_name: str | None = None
    purpose: str = ""


async def tell(session: AsyncSession, actor: Principal, told: Told) -> tuple[OutsidePayment, bool]:
    """Keep money that came, and settle its invoice if there is no doubt; gives it, and whether it is new.

    Raises:
        Forbidden: the actor lacks ``outside_payment:write``.
        OutsidePaymentReused: the id was told with another amount.
    """
    require(actor, WRITE, "POST /api/external/payments")
    new_id = await session.scalar(
        insert(OutsidePayment)
        .values(source=OutsidePaymentSource.API, **asdict(told))
        .on_conflict_do_nothing()
        .returning(OutsidePayment.id)
    )
    same = (OutsidePayment.source == OutsidePaymentSource.API, OutsidePayment.external_id == told.external_id)
    payment = (await session.scalars(select(OutsidePayment).where(*same).with_for_update())).one()
    if (payment.amount, payment.currency) != (told.amount, told.currency):
        raise OutsidePaymentReused("this id was told with another amount", field=("externalId",))
    if new_id is not None:
        after = {"external_id": told.external_id, "amount": told.amount, "currency": told.currency}
        await audit.record(session, actor, "outside_payment.tell", payment, before=None, after=after)
        await match_all(session, actor, [payment])
    return payment, new_id is not None


async def find(session: AsyncSession, actor: Principal, external_id: str) -> OutsidePayment:
    """What became of money that was told.

    Raises:
        NotFound: it was never told.
    """
    require(actor, READ, "GET /api/external/payments")
    same = (OutsidePayment.source == OutsidePaymentSource.API, OutsidePayment.external_id == external_id)
    payment: OutsidePayment | None = await session.scalar(select(OutsidePayment).where(*same))
    if payment is None:
        raise NotFound.of("Payment")
    return payment


async def match_all(session: AsyncSession, actor: Principal, payments: Sequence[OutsidePayment]) -> None:
    """Settle what is in no doubt and say why of the rest; candidates of all are found in two queries."""
    verdicts = await decide_all(session, [_money(payment) for payment in payments])
    # Whoever locks several installs does so in one order.
    order = sorted(range(len(payments)), key=lambda place: _lock_key(verdicts[place]))
    for place in order:
        payment, verdict = payments[place], verdicts[place]
        if isinstance(verdict, Candidate):
            try:
                async with session.begin_nested():
                    await _settle(session, actor, payment, verdict.invoice_id)
                continue
            except UserError:
                # Two sums for one invoice in one batch: the first has settled it. Whatever else an invoice refuses,
                # the other sums of the batch are not held up.
                verdict = UnmatchedReason.NOT_PAYABLE
        payment.status, payment.reason = OutsidePaymentStatus.UNMATCHED, verdict
    await session.flush()


async def known(
    session: AsyncSession, source: OutsidePaymentSource, external_ids: Sequence[str]
) -> dict[str, tuple[Decimal, str]]:
    """Amount and currency of the sums that a source has told before, by their ids."""
    found: dict[str, tuple[Decimal, str]] = {}
    columns = (OutsidePayment.external_id, OutsidePayment.amount, OutsidePayment.currency)
    for start in range(0, len(external_ids), INSERT_ROWS):
        same = OutsidePayment.external_id.in_(external_ids[start : start + INSERT_ROWS])
        for key, amount, currency in await session.execute(
            select(*columns).where(OutsidePayment.source == source, same)
        ):
            found[key] = (amount, currency)
    return found


async def keep_all(session: AsyncSession, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep new sums; those that another transaction has kept in this very moment stay as they are."""
    for start in range(0, len(rows), INSERT_ROWS):
        await session.execute(insert(OutsidePayment).values(rows[start : start + INSERT_ROWS]).on_conflict_do_nothing())


async def match_next(session: AsyncSession, of: ColumnElement[bool]) -> int:
    """Match the next new sums that came together, a chunk a transaction; gives how many, 0 when all are done."""
    wanted = (
        select(OutsidePayment)
        .where(of, OutsidePayment.status == OutsidePaymentStatus.NEW)
        .order_by(OutsidePayment.id)
        .limit(CHUNK_ROWS)
        .with_for_update(skip_locked=True)
    )
    payments = list(await session.scalars(wanted))
    await match_all(session, SYSTEM, payments)
    return len(payments)


async def decide_all(session: AsyncSession, sums: Sequence[Money]) -> list[Candidate | UnmatchedReason]:
    """Which invoice each sum is for, or why that is in doubt; nothing is written."""
    numbers = {number for money in sums for number in numbers_in(money)}
    inns = {money.payer_inn for money in sums if money.payer_inn and not numbers_in(money)}
    columns = (
        Invoice.id,
        Invoice.number,
        Invoice.status,
        Invoice.total,
        Invoice.currency,
        Partner.inn,
        Invoice.install_id,
    )
    wanted = select(*columns).join(Partner, Partner.id == Invoice.partner_id)
    named: dict[str, list[Candidate]] = {}
    for row in await session.execute(wanted.where(func.lower(Invoice.number).in_(numbers))):
        named.setdefault(row.number.lower(), []).append(Candidate(*row))
    of_payer: dict[str, list[Candidate]] = {}
    for row in await session.execute(wanted.where(Partner.inn.in_(inns), Invoice.status.in_(PAYABLE))):
        of_payer.setdefault(row.inn, []).append(Candidate(*row))
    return [
        decide(
            money,
            [candidate for number in numbers_in(money) for candidate in named.get(number, [])],
            of_payer.get(money.payer_inn or "", []),
        )
        for money in sums
    ]


async def match_by_hand(
    session: AsyncSession, actor: Principal, *, outside_payment_id: int, invoice_id: int
) -> OutsidePayment:
    """Say which invoice money is for. The amounts must be equal: other money needs another invoice or a refund.

    Raises:
        NotFound: no such money or invoice.
        Conflict: it was matched or ignored already; amounts or currencies differ.
        InvoiceNotPayable: the invoice is paid, cancelled or refunded.
    """
    require(actor, WRITE, "Mutation.outsidePaymentMatch")
    payment = await _waiting(session, actor, outside_payment_id)
    invoice = await load(session, actor, Invoice, invoice_id, field="invoiceId")
    if (invoice.total, invoice.currency) != (payment.amount, payment.currency):
        raise Conflict(
            f"{payment.amount} {payment.currency} came and the invoice is over {invoice.total} {invoice.currency}",
            code="OTHER_AMOUNT",
            field=fields.path("invoiceId"),
        )
    await _settle(session, actor, payment, invoice_id)
    return payment


async def ignore(session: AsyncSession, actor: Principal, *, outside_payment_id: int, note: str) -> OutsidePayment:
    """Put money aside that is for no invoice, with a word why.

    Raises:
        NotFound: no such money.
        Conflict: it was matched or ignored already.
        InvalidValue: the note is empty or too long.
    """
    require(actor, WRITE, "Mutation.outsidePaymentIgnore")
    note = fields.line(note, "note", most_chars=LONGEST_NOTE)
    payment = await _waiting(session, actor, outside_payment_id)
    before = {"status": payment.status}
    payment.status, payment.note = OutsidePaymentStatus.IGNORED, note
    payment.decided_by_user_id, payment.decided_at = actor.user_id, clock.now()
    after = {"status": payment.status, "note": note}
    await audit.record(session, actor, "outside_payment.ignore", payment, before=before, after=after)
    return payment


async def reopen(session: AsyncSession, actor: Principal, *, outside_payment_id: int) -> OutsidePayment:
    """Let money that was put aside wait for a person again.

    Raises:
        NotFound: no such money.
        Conflict: it was not ignored.
    """
    require(actor, WRITE, "Mutation.outsidePaymentReopen")
    payment = await load(session, actor, OutsidePayment, outside_payment_id, lock=True)
    if payment.status != OutsidePaymentStatus.IGNORED:
        raise Conflict(f"it is {payment.status}", field=fields.path("id"))
    payment.status = OutsidePaymentStatus.UNMATCHED
    payment.reason = payment.reason or UnmatchedReason.NO_INVOICE
    payment.note = payment.decided_by_user_id = payment.decided_at = None
    after = {"status": payment.status}
    await audit.record(
        session, actor, "outside_payment.reopen", payment, before={"status": OutsidePaymentStatus.IGNORED}, after=after
    )
    return payment


async def _waiting(session: AsyncSession, actor: Principal, key: int) -> OutsidePayment:
    payment = await load(session, actor, OutsidePayment, key, lock=True)
    if payment.status not in (OutsidePaymentStatus.NEW, OutsidePaymentStatus.UNMATCHED):
        raise Conflict(f"it is {payment.status} already", field=fields.path("id"))
    return payment


async def _settle(session: AsyncSession, actor: Principal, payment: OutsidePayment, invoice_id: int) -> None:
    told = payment.document_number or payment.external_id
    note = f"{_TOLD_BY[payment.source]}: {told}"[:LONGEST_NOTE]
    paid = await record_outside(session, actor, invoice_id=invoice_id, note=note, field="invoiceId")
    before = {"status": payment.status, "reason": payment.reason}
    payment.status, payment.reason = OutsidePaymentStatus.MATCHED, None
    payment.invoice_id, payment.payment_id = invoice_id, paid.id
    payment.decided_by_user_id, payment.decided_at = actor.user_id, clock.now()
    after = {"status": payment.status, "invoice_id": invoice_id}
    await audit.record(session, actor, "outside_payment.match", payment, before=before, after=after)


def _money(payment: OutsidePayment) -> Money:
    return Money(payment.amount, payment.currency, payment.payer_inn, payment.purpose, payment.invoice_number)


def _lock_key(verdict: Candidate | UnmatchedReason) -> tuple[int, int]:
    return (verdict.install_id or 0, verdict.invoice_id) if isinstance(verdict, Candidate) else (0, 0)
