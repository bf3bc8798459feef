"""What a subscription should be after two years of chosen events, in a page of plain Python (SUB-4 to SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from domain.catalog import Term
from gateways.sandbox.client import GOOD_CARD, LOST_CARD

MOSCOW = ZoneInfo("Europe/Moscow")
CHARGE_DAYS = (0, 1, 3, 5)
BILLED_DAYS_BEFORE = 7
GRACE = timedelta(days=3)
DAY = timedelta(days=1)


@dataclass
class Bill:
    """The renewal that waits: for the period from ``start``, charged next at ``charged_at``."""

    start: datetime
    charged_at: datetime | None


@dataclass
class Model:
    """A subscription as people think of it; ``coming`` is what changes with the renewal.

    ``plan`` is the list price of its plan, and ``next_plan`` that of the plan which the renewal brings.
    """

    status: str
    seats: int
    price: int
    term: Term
    end: datetime
    anchor: int
    card: str | None
    auto: bool = True
    coming: dict[str, int | Term] = field(default_factory=dict)
    ends_with_period: bool = False
    paused_at: datetime | None = None
    overdue_since: datetime | None = None
    order_waits: bool = False
    bill: Bill | None = None
    paid: Decimal = Decimal(0)
    plan: int = 100
    next_plan: int | None = None

    @property
    def lives(self) -> bool:
        """Whether there is anything left to happen."""
        return self.status in ("ACTIVE", "PAST_DUE")

    def plain(self, now: datetime) -> bool:
        """Whether nothing stands in the way of a change."""
        busy = self.order_waits or self.ends_with_period or self.paused_at is not None
        return self.status == "ACTIVE" and now < self.end and not busy

    def border(self, months: int) -> datetime:
        """The end moved by months, on the anchor day or the last one of a shorter month, in local time."""
        local = self.end.astimezone(MOSCOW).replace(tzinfo=None) + relativedelta(months=months)
        return (local + relativedelta(day=self.anchor)).replace(tzinfo=MOSCOW)

    def months_left(self, now: datetime) -> int:
        """Whole months until the end; the last one counts whole."""
        return max(1, sum(1 for months in range(1, 200) if now <= self.border(-months)))

    def next_of(self, name: str) -> int | Term:
        """What a value becomes with the renewal."""
        return self.coming.get(name, getattr(self, name))

    def change_plan(self, plan: int, term: Term, seats: int, *, now: bool) -> int:
        """Take another plan or term, now or with the renewal; the same plan and term keep an individual price."""
        had, price = (self.plan, self.term), self.price
        if not now:
            had, price = (self.next_plan or self.plan, self.next_of("term")), int(self.next_of("price"))
        price = price if (plan, term) == had else plan
        if now:
            self.plan, self.seats, self.price, self.term = plan, seats, price, term
            self.coming, self.next_plan = {}, None
        else:
            self.coming = {"price": price, "term": term, **({"seats": seats} if seats != self.seats else {})}
            self.next_plan = plan
        self.bill = None
        return price

    def keep_plan(self) -> None:
        """Nothing is to change with the renewal any more."""
        self.coming, self.next_plan = {}, None

    def renewal_costs(self) -> Decimal:
        """The bill of the next period."""
        term = self.next_of("term")
        assert isinstance(term, Term)
        return Decimal(int(self.next_of("seats")) * int(self.next_of("price")) * term.months)

    def renew(self) -> None:
        """The bill is paid: the next period follows the one before."""
        self.paid += self.renewal_costs()
        term = self.next_of("term")
        assert isinstance(term, Term)
        self.end = self.border(term.months)
        self.seats, self.price, self.term = int(self.next_of("seats")), int(self.next_of("price")), term
        self.plan = self.next_plan or self.plan
        self.keep_plan()
        self.bill, self.status, self.overdue_since = None, "ACTIVE", None

    def move_end(self, to: datetime) -> None:
        """The end and the day of the month that renewals follow."""
        self.end, self.anchor = to, to.astimezone(MOSCOW).day

    def plan_charge(self, now: datetime) -> None:
        """Card or automatic renewal changed while a bill waits."""
        if self.bill is None:
            return
        if not (self.auto and self.card):
            self.bill.charged_at = None
        elif self.bill.charged_at is None:
            self.bill.charged_at = self._next_try(now)

    def night(self, now: datetime) -> None:
        """Billed ahead, charged on its days, overdue with grace, ended."""
        if not self.lives or self.paused_at is not None:
            return
        if now >= self.end:
            self.order_waits = False
        due = now >= self.end - BILLED_DAYS_BEFORE * DAY
        if self.bill is None and self.status == "ACTIVE" and not self.ends_with_period and due:
            self.bill = Bill(self.end, self.end if self.auto and self.card else None)
        if self.bill is not None and self.bill.charged_at is not None and self.bill.charged_at <= now:
            self._charge(now)
        if now >= self.end:
            self._lapse(now)

    def _charge(self, now: datetime) -> None:
        assert self.bill is not None
        if self.auto and self.card == GOOD_CARD:
            self.renew()
        elif self.auto and self.card == LOST_CARD:
            self.card, self.bill.charged_at = None, None
        else:
            self.bill.charged_at = self._next_try(now) if self.auto and self.card else None

    def _next_try(self, now: datetime) -> datetime | None:
        assert self.bill is not None
        tries = [self.bill.start + day * DAY for day in CHARGE_DAYS]
        return next((moment for moment in tries if moment > now), None)

    def _lapse(self, now: datetime) -> None:
        if self.ends_with_period and self.status == "ACTIVE":
            self.status = "CANCELED"
        elif self.bill is None or self.bill.charged_at is not None:
            return
        elif self.status == "ACTIVE":
            self.status, self.overdue_since = "PAST_DUE", now
        elif self.overdue_since is not None and self.overdue_since + GRACE <= now:
            self.status = "EXPIRED"
