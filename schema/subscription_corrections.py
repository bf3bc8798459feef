"""Inputs of what people set right by hand: a subscription's values, and what an install lives on (SUB-1, INS-1)."""

from __future__ import annotations

import strawberry

from domain.billing import SubscriptionStatus
from domain.catalog import Term
from domain.installs import SubscriptionKind
from planner.binding import graphql_enum
from planner.scalars import DateTime, Decimal
from schema.payload import MoneyInput
from schema.subscription_changes import SubscriptionMoneyInput

for kind in (SubscriptionKind, SubscriptionStatus, Term):
    graphql_enum(kind)


@strawberry.input(description="What a subscription should say; what is left out stays. Nothing is billed for it.")
class SubscriptionCorrectInput(SubscriptionMoneyInput):
    """What a subscription should say."""

    reason: str = strawberry.field(description="Why; kept in the change log.")
    plan_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="A plan of the same product; its currency becomes the subscription's."
    )
    term: Term | None = strawberry.field(default=strawberry.UNSET, description="Length of the periods to come.")
    seats: int | None = strawberry.field(default=strawberry.UNSET, description="Seats, from now on.")
    unit_price: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="Price of one unit for one month; unless told another plan or term brings the plan's.",
    )
    status: SubscriptionStatus | None = strawberry.field(default=strawberry.UNSET, description="State.")
    auto_renew: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether renewals are charged by themselves."
    )
    starts_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="Start of the period.")
    ends_at: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="End of the period; renewals follow its day of the month."
    )
    rebill_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Key of a card stored at the gateway of new payments, kept encrypted and never read back; null "
        "forgets the card.",
    )


@strawberry.input(description="The next period, to be billed now.")
class SubscriptionBillRenewalInput(SubscriptionMoneyInput):
    """The next period, to be billed now."""


@strawberry.input(description="What an install is to live on.")
class InstallUpdateInput(MoneyInput):
    """What an install is to live on."""

    id: strawberry.ID = strawberry.field(description="The install.")
    subscription_kind: SubscriptionKind = strawberry.field(description="A trial, a paid period, or nothing.")
    subscribed_until: DateTime | None = strawberry.field(default=None, description="The end; not for NONE.")
    reason: str = strawberry.field(description="Why; kept in the change log.")
    plan_id: strawberry.ID | None = strawberry.field(
        default=None, description="Plan of a paid period; needed where nothing was ever ordered."
    )
    term: Term = strawberry.field(default=Term.MONTH, description="Term that goes with the plan.")
    seats: int = strawberry.field(default=5, description="Seats that go with the plan.")
