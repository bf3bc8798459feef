"""Wallets of coins, one verb a function: by staff, by partners and by product back ends (WAL-3 to WAL-6)."""

from services.wallets.adjust import adjust, grant_bonus
from services.wallets.expiry import expire_holds, expire_lots
from services.wallets.holds import capture, find_hold, hold, release, release_by_staff
from services.wallets.notices import set_low_threshold, tell_low
from services.wallets.purchase import buy
from services.wallets.recorded import charge_recorded, record_charges, tell_charge_failed
from services.wallets.statement import Statement, statement
from services.wallets.top_up import TOP_UP, fill_up, set_top_up, sweep_top_ups
from services.wallets.usage import balance_of, charge, charge_many

__all__ = [
    "TOP_UP",
    "Statement",
    "adjust",
    "balance_of",
    "buy",
    "capture",
    "charge",
    "charge_many",
    "charge_recorded",
    "expire_holds",
    "expire_lots",
    "fill_up",
    "find_hold",
    "grant_bonus",
    "hold",
    "record_charges",
    "release",
    "release_by_staff",
    "set_low_threshold",
    "set_top_up",
    "statement",
    "sweep_top_ups",
    "tell_charge_failed",
    "tell_low",
]
