"""Inputs and payloads of wallets' doors (WAL-3 to WAL-6)."""

from __future__ import annotations

from typing import Any

import strawberry

from domain.wallets import WalletTransactionKind
from planner.binding import graphql_enum, object_value, plain, value
from planner.scalars import DateTime, Decimal
from schema.payload import KeyedInput, MoneyInput, Payload

graphql_enum(WalletTransactionKind)


@strawberry.input(description="Coins to be moved by hand.")
class WalletAdjustInput(MoneyInput):
    """Coins to be moved by hand."""

    id: strawberry.ID = strawberry.field(description="The wallet.")
    amount: Decimal = strawberry.field(description="Coins to credit, or to debit where negative; the step is 0.001.")
    reason: str = strawberry.field(description="Why; told in the wallet's journal.")


@strawberry.input(description="Bonus coins to give.")
class WalletGrantBonusInput(MoneyInput):
    """Bonus coins to give."""

    id: strawberry.ID = strawberry.field(description="The wallet.")
    amount: Decimal = strawberry.field(description="Coins, more than nothing; the step is 0.001.")
    reason: str = strawberry.field(description="Why; told in the wallet's journal.")
    expires_at: DateTime | None = strawberry.field(
        default=None, description="When they are lost unless spent; null for never."
    )


@strawberry.input(description="Coins to buy.")
class CoinPurchaseCreateInput(MoneyInput):
    """Coins to buy."""

    wallet_id: strawberry.ID = strawberry.field(description="The wallet that they come to.")
    package_id: strawberry.ID = strawberry.field(description="The package.")


@strawberry.input(description="The balance below which notice is given.")
class WalletSetLowThresholdInput(KeyedInput):
    """The balance below which notice is given."""

    id: strawberry.ID = strawberry.field(description="The wallet.")
    threshold: Decimal | None = strawberry.field(description="Coins; null for no notice.")


@strawberry.input(description="The rule by which a wallet fills itself by stored card.")
class WalletSetTopUpInput(KeyedInput):
    """The rule by which a wallet fills itself."""

    id: strawberry.ID = strawberry.field(description="The wallet.")
    package_id: strawberry.ID = strawberry.field(description="What is bought.")
    threshold: Decimal = strawberry.field(description="Below this balance it buys.")
    most_per_day: int = strawberry.field(default=3, description="Most purchases within 24 hours, 1 to 100.")
    enabled: bool = strawberry.field(default=True, description="Whether it buys.")


@strawberry.input(description="A hold to give back by hand.")
class WalletHoldReleaseInput(KeyedInput):
    """A hold to give back by hand."""

    id: strawberry.ID = strawberry.field(description="The hold.")


@strawberry.input(description="A wallet and a period.")
class WalletStatementInput:
    """A wallet and a period."""

    wallet_id: strawberry.ID = strawberry.field(description="The wallet.")
    from_: DateTime = strawberry.field(name="from", description="Start of the period, included.")
    to: DateTime = strawberry.field(description="End of the period, not included.")


@plain(requires="", description="A wallet after the movement.")
class WalletPayload(Payload):
    """A wallet after the movement."""

    wallet: Any = object_value("schema.wallets.Wallet", "The wallet; null where there are user errors.")
    transaction: Any = object_value(
        "schema.wallets.WalletTransaction", "The movement; null where there are user errors."
    )


@plain(requires="", description="A wallet after its settings changed.")
class WalletSettingsPayload(Payload):
    """A wallet after its settings changed."""

    wallet: Any = object_value("schema.wallets.Wallet", "The wallet; null where there are user errors.")


@plain(requires="", description="A hold after the change.")
class WalletHoldPayload(Payload):
    """A hold after the change."""

    wallet_hold: Any = object_value("schema.coin_lots.WalletHold", "The hold; null where there are user errors.")


@plain(requires="wallet:read", description="The sum of the movements of a kind.")
class WalletStatementLine:
    """The sum of the movements of a kind."""

    kind: WalletTransactionKind = value("Why the coins moved.")
    amount: Decimal = value("Change of the balance by them; negative where coins went.")


@plain(requires="wallet:read", description="What happened to a wallet's coins in a period (WAL-6).")
class WalletStatement:
    """What happened to a wallet's coins in a period."""

    opening: Decimal = value("Balance at the start.")
    credited: Decimal = value("Coins that came.")
    debited: Decimal = value("Coins that went, not negative.")
    closing: Decimal = value("Balance at the end: opening, plus credited, minus debited.")
    by_kind: list[WalletStatementLine] = value("The same by kind of movement; kinds without any are left out.")
