"""Settings of invoices, their payment and the gateways that take it (ORD, SUB)."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, model_validator

from core.settings.lists import DaysAfter, DaysBefore
from core.settings.server import ServerSettings


def _known(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("not a time zone of the IANA database, such as `Europe/Moscow`") from None


TimeZone = Annotated[str, AfterValidator(_known)]


class BillingSettings(ServerSettings):
    """Billing and payments"""

    legal_entity: str = Field(default="default", description="Code of the legal entity that issues invoices.")
    legal_entity_timezone: TimeZone = Field(
        default="Europe/Moscow", description="Time zone of the legal entity's day borders."
    )
    base_currency: str = Field(
        default="RUB", pattern="^[A-Z]{3}$", description="Currency that sums are converted to, ISO 4217."
    )
    renewal_invoice_days: int = Field(
        default=7, ge=0, le=90, description="How long before a period's end the invoice of the next one is made, days."
    )
    charge_days: DaysAfter = Field(
        default=(0, 1, 3, 5),
        description="Days after a period's end on which the stored card is charged for the next one, comma-separated; "
        "after the last the days of grace begin.",
    )
    notice_days: DaysBefore = Field(
        default=(7, 3, 1),
        description="Days before its end on which a subscription's end is announced to its product, comma-separated; "
        "empty: never.",
    )
    gateway: Literal["sandbox", "tbank"] = Field(default="sandbox", description="Payment gateway of new payments.")
    tbank_url: str = Field(default="https://securepay.tinkoff.ru/v2/", description="Base address of T-Bank's API v2.")
    tbank_terminal_key: str | None = Field(default=None, description="T-Bank terminal key.")
    tbank_password: SecretStr | None = Field(default=None, description="T-Bank terminal password.")
    tbank_two_stage: bool = Field(
        default=False,
        description="Payments are held first and confirmed by us, which releases money that came for a withdrawn bill.",
    )
    tbank_taxation: str = Field(default="usn_income", description="Taxation of 54-FZ receipts.")
    tbank_vat: str = Field(
        default="none", description="VAT code of 54-FZ receipt lines, such as `vat22`; a prepayment's is then `vat122`."
    )
    tbank_payment_method: Literal["full_prepayment", "prepayment", "advance", "full_payment"] = Field(
        default="full_prepayment",
        description="What 54-FZ receipts call a payment (tag 1214); all but `full_payment` owe a closing receipt.",
    )
    receipt_email: str | None = Field(
        default=None,
        description="Where receipts go whose customer has neither email nor phone; empty: such payments have none.",
    )

    @model_validator(mode="after")
    def _gateway_is_whole(self) -> Self:
        if self.gateway == "sandbox" and self.mode == "production":
            raise ValueError("production mode needs a real gateway: KONTORA_GATEWAY=tbank")
        if self.gateway == "tbank" and not (self.tbank_terminal_key and self.tbank_password):
            raise ValueError("KONTORA_GATEWAY=tbank needs KONTORA_TBANK_TERMINAL_KEY and KONTORA_TBANK_PASSWORD")
        return self
