"""Inputs, previews and payloads of changes that people make to subscriptions (SUB-5, SUB-6, CAT-2, INV-1)."""

from __future__ import annotations

from decimal import Decimal as DecimalValue
from typing import Any

import strawberry

from domain.catalog import Term
from domain.subscription_actions import CancelWhen, ChangeWhen
from planner.binding import Money, graphql_enum, object_value, plain, value
from planner.scalars import DateTime, Decimal
from schema.payload import KeyedInput, MoneyInput, Payload

for kind in (CancelWhen, ChangeWhen):
    graphql_enum(kind)

_ID = "The subscription."
_VERSION = "The version that was read; another one is a conflict."
_DRY_RUN = "Answer what would happen and change nothing; the key is not used up."


@strawberry.input(description="A change of a subscription that moves no money.")
class SubscriptionChangeInput(KeyedInput):
    """A change of a subscription that moves no money."""

    id: strawberry.ID = strawberry.field(description=_ID)
    version: int = strawberry.field(description=_VERSION)
    dry_run: bool = strawberry.field(default=False, description=_DRY_RUN)


@strawberry.input(description="A change of a subscription that costs or gives money.")
class SubscriptionMoneyInput(MoneyInput):
    """A change of a subscription that costs or gives money."""

    id: strawberry.ID = strawberry.field(description=_ID)
    version: int = strawberry.field(description=_VERSION)


@strawberry.input(description="The end of a subscription.")
class SubscriptionCancelInput(SubscriptionChangeInput):
    """The end of a subscription."""

    when: CancelWhen = strawberry.field(
        default=CancelWhen.PERIOD_END,
        description="With its period unless told; at once needs `subscription:adjust`.",
    )
    reason: str | None = strawberry.field(default=None, description="Why; kept in the change log.")


@strawberry.input(description="A pause of a subscription.")
class SubscriptionPauseInput(SubscriptionChangeInput):
    """A pause of a subscription."""

    reason: str | None = strawberry.field(default=None, description="Why; kept in the change log.")


@strawberry.input(description="More seats in mid-period.")
class SubscriptionAddSeatsInput(SubscriptionMoneyInput):
    """More seats in mid-period."""

    seats: int = strawberry.field(description="How many there are to be in all.")


@strawberry.input(description="Fewer seats from the renewal on.")
class SubscriptionRemoveSeatsInput(SubscriptionChangeInput):
    """Fewer seats from the renewal on."""

    seats: int = strawberry.field(description="How many there are to be in all.")


@strawberry.input(description="Another plan, term, number of seats or price; what is left out stays.")
class SubscriptionChangePlanInput(SubscriptionMoneyInput):
    """Another plan, term, number of seats or price."""

    when: ChangeWhen = strawberry.field(description="Now, with credit for the unused part, or at the renewal.")
    plan_id: strawberry.ID | None = strawberry.field(
        default=None, description="A plan of the same product and currency."
    )
    term: Term | None = strawberry.field(default=None, description="Length of the new period.")
    seats: int | None = strawberry.field(default=None, description="Seats of the new period.")
    unit_price: Decimal | None = strawberry.field(
        default=None,
        description="Individual price of one unit for one month; needs `subscription:adjust`. Unless told it is the "
        "new plan's, or the present one where plan and term stay.",
    )


@strawberry.input(description="An individual price from the renewal on.")
class SubscriptionSetPriceInput(SubscriptionMoneyInput):
    """An individual price from the renewal on."""

    unit_price: Decimal | None = strawberry.field(
        default=None, description="Price of one unit for one month; null brings the plan's price back."
    )


@strawberry.input(description="Whether renewals are charged by themselves.")
class SubscriptionSetAutoRenewInput(SubscriptionChangeInput):
    """Whether renewals are charged by themselves."""

    auto_renew: bool = strawberry.field(description="True: charged; false: billed only.")


@strawberry.input(description="A later end given by a person; months or a moment, one of the two.")
class SubscriptionExtendInput(SubscriptionMoneyInput):
    """A later end given by a person."""

    months: int | None = strawberry.field(
        default=None, description="Whole months from the present end, or from now where the subscription has ended."
    )
    until: DateTime | None = strawberry.field(default=None, description="The new end.")
    note: str = strawberry.field(description="Why, for example the number of the bank transfer.")
    paid_amount: Decimal | None = strawberry.field(
        default=None,
        description="What was paid outside the gateway: billed and marked paid by hand, which needs `invoice:settle`.",
    )


@strawberry.input(description="More days of a trial.")
class SubscriptionExtendTrialInput(SubscriptionChangeInput):
    """More days of a trial."""

    days: int = strawberry.field(description="From the trial's end, or from now where it has ended; 1 to 365.")
    reason: str | None = strawberry.field(default=None, description="Why; kept in the change log.")


@strawberry.input(description="A tariff whose subscriptions are to move to its newest version.")
class SubscriptionsMoveToNewestPlanInput(KeyedInput):
    """A tariff whose subscriptions are to move to its newest version."""

    plan_id: strawberry.ID = strawberry.field(description="Any version of the tariff.")
    after: strawberry.ID | None = strawberry.field(
        default=None, description="Only subscriptions after this one; the last of the answer before."
    )
    dry_run: bool = strawberry.field(default=False, description=_DRY_RUN)


@strawberry.input(description="A line of an invoice that a person writes.")
class InvoiceLineInput:
    """A line of an invoice that a person writes."""

    description: str = strawberry.field(description="What is billed.")
    quantity: Decimal = strawberry.field(default=DecimalValue(1), description="How much; at most 3 decimals.")
    unit_price: Decimal = strawberry.field(description="Price of one, VAT included.")


@strawberry.input(description="An invoice for what no plan or package sells.")
class InvoiceCreateInput(MoneyInput):
    """An invoice for what no plan or package sells."""

    partner_id: strawberry.ID = strawberry.field(description="Who is billed.")
    install_id: strawberry.ID | None = strawberry.field(default=None, description="The install it is for, if any.")
    lines: list[InvoiceLineInput] = strawberry.field(description="1 to 100 lines.")
    currency: str = strawberry.field(default="RUB", description="ISO 4217 code.")
    due_days: int = strawberry.field(default=5, description="Days until it should be paid, 0 to 365.")


@strawberry.input(description="More seats to be priced.")
class SubscriptionPreviewSeatsInput:
    """More seats to be priced."""

    id: strawberry.ID = strawberry.field(description=_ID)
    seats: int = strawberry.field(description="How many there are to be in all.")


@plain(requires="subscription:read", description="What more seats would cost until the period ends (SUB-5).")
class SubscriptionSeatsPreview:
    """What more seats would cost until the period ends."""

    added: int = value("Seats more than now.")
    months: int = value("Whole months billed, at least one.")
    unit_price: Money = value("Price of one seat for one month.")
    total: Money = value("What the invoice would ask for; nothing in a trial and where the plan is flat.")


@strawberry.input(description="Another plan or term to be priced; what is left out stays.")
class SubscriptionPreviewChangeInput:
    """Another plan or term to be priced."""

    id: strawberry.ID = strawberry.field(description=_ID)
    when: ChangeWhen = strawberry.field(description="Now, with credit for the unused part, or at the renewal.")
    plan_id: strawberry.ID | None = strawberry.field(
        default=None, description="A plan of the same product and currency."
    )
    term: Term | None = strawberry.field(default=None, description="Length of the new period.")
    seats: int | None = strawberry.field(default=None, description="Seats of the new period.")
    unit_price: Decimal | None = strawberry.field(
        default=None, description="Individual price of one unit for one month; needs `subscription:adjust`."
    )


@plain(requires="subscription:read", description="What another plan or term would cost (SUB-6).")
class SubscriptionChangePreview:
    """What another plan or term would cost."""

    term: Term = value("Length of the new period.")
    seats: int = value("Seats of the new period.")
    unit_price: Money = value("Price of one unit for one month.")
    price: Money = value("Price of the new period.")
    credit: Money = value("What the unused part of the running period is worth; nothing at the renewal.")
    due: Money = value("What is left to pay; at the renewal it is the renewal's price.")
    starts_at: DateTime = value("Start of the new period.")
    ends_at: DateTime = value("End of the new period; later than the term where the credit exceeds the price.")


@strawberry.input(description="A cancellation to be looked at beforehand.")
class SubscriptionPreviewCancelInput:
    """A cancellation to be looked at beforehand."""

    id: strawberry.ID = strawberry.field(description=_ID)
    when: CancelWhen = strawberry.field(default=CancelWhen.PERIOD_END, description="When it would end.")


@plain(requires="subscription:read", description="What cancelling would mean (SUB-6).")
class SubscriptionCancelPreview:
    """What cancelling would mean."""

    access_until: DateTime = value("When access would end.")
    unused: Money = value("What the time lost is worth; it is not paid back by itself.")


@strawberry.input(description="An extension to be looked at beforehand; months or a moment, one of the two.")
class SubscriptionPreviewExtendInput:
    """An extension to be looked at beforehand."""

    id: strawberry.ID = strawberry.field(description=_ID)
    months: int | None = strawberry.field(default=None, description="Whole months.")
    until: DateTime | None = strawberry.field(default=None, description="The new end.")


@plain(requires="subscription:read", description="What an extension would bring (SUB-6).")
class SubscriptionExtendPreview:
    """What an extension would bring."""

    ends_at: DateTime = value("The new end.")


@plain(requires="", description="A subscription after the change.")
class SubscriptionPayload(Payload):
    """A subscription after the change."""

    subscription: Any = object_value(
        "schema.billing.Subscription", "The subscription; null where there are user errors."
    )


@plain(requires="", description="A subscription, and the invoice of its change.")
class SubscriptionInvoicePayload(Payload):
    """A subscription, and the invoice of its change."""

    subscription: Any = object_value(
        "schema.billing.Subscription", "The subscription; null where there are user errors."
    )
    invoice: Any = object_value("schema.billing.Invoice", "What is billed; null where the change costs nothing.")
    payment: Any = object_value(
        "schema.payments.Payment",
        "The payment; null where nothing is left to pay. Its link is null while the gateway has not answered.",
        requires="payment:read",
    )


@plain(requires="subscription:read", description="What became of one subscription of many.")
class SubscriptionMoveResult:
    """What became of one subscription of many."""

    subscription_id: strawberry.ID = value("The subscription.")
    moved: bool = value("Whether it is to have the newest version from its renewal on.")
    code: str | None = value("Stable code of why not.")
    message: str | None = value("Why not, for people.")


@plain(requires="", description="What became of the subscriptions of a tariff.")
class SubscriptionsMovePayload(Payload):
    """What became of the subscriptions of a tariff."""

    results: list[SubscriptionMoveResult] | None = value("One a subscription; null where there are user errors.")
    moved_count: int | None = value("How many were moved by this call.")
    has_more: bool | None = value("Whether others follow; call again with the last one as `after`.")
