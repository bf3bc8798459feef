"""What people may do with a subscription in which state, as a table (SUB-5, SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from domain import allowed_actions as actions
from domain.allowed_actions import AllowedAction, Blocked
from domain.billing import LIVE_SUBSCRIPTION, SubscriptionStatus
from domain.partners import PartnerMay, PartnerStatus, allows, partner_not_allowed


class SubscriptionAction(StrEnum):
    """What people do with a subscription."""

    CANCEL_NOW = "CANCEL_NOW"
    CANCEL_AT_PERIOD_END = "CANCEL_AT_PERIOD_END"
    UNDO_CANCEL = "UNDO_CANCEL"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    ADD_SEATS = "ADD_SEATS"
    REMOVE_SEATS = "REMOVE_SEATS"
    CHANGE_PLAN_NOW = "CHANGE_PLAN_NOW"
    CHANGE_PLAN_AT_RENEWAL = "CHANGE_PLAN_AT_RENEWAL"
    UNDO_CHANGE = "UNDO_CHANGE"
    SET_PRICE = "SET_PRICE"
    SET_AUTO_RENEW = "SET_AUTO_RENEW"
    EXTEND = "EXTEND"
    EXTEND_TRIAL = "EXTEND_TRIAL"
    BILL_RENEWAL = "BILL_RENEWAL"
    CORRECT = "CORRECT"


class CancelWhen(StrEnum):
    """When a cancelled subscription ends."""

    NOW = "NOW"
    PERIOD_END = "PERIOD_END"


class ChangeWhen(StrEnum):
    """When another plan, term or price begins."""

    NOW = "NOW"
    RENEWAL = "RENEWAL"


@dataclass(frozen=True)
class Standing:
    """What decides which actions are allowed.

    Parameters:
        bare: a trial without a plan.
        over: the period has ended, and what follows has not been done yet.
        pending: whether a change waits for the renewal.
        order_waits: number of the unpaid invoice of a change, if there is one.
        renewal_charging: number of the renewal invoice whose money is on its way, if there is one.
        renewal_waits: number of the renewal invoice that waits for its payment, if there is one.
        order_charging: whether the money for a change is on its way.
        pending_seats: how many seats there are to be at the renewal, where that changes.
        install_disabled: whether the product was uninstalled.
        another_lives: whether another subscription of the install lives.
        partner: the standing of the partner.
    """

    status: SubscriptionStatus
    bare: bool = False
    paused: bool = False
    over: bool = False
    canceling: bool = False
    pending: bool = False
    order_waits: str | None = None
    renewal_charging: str | None = None
    renewal_waits: str | None = None
    order_charging: bool = False
    pending_seats: int | None = None
    install_disabled: bool = False
    another_lives: bool = False
    partner: PartnerStatus = PartnerStatus.ACTIVE


_S = SubscriptionStatus
_A = SubscriptionAction
_ACTIVE = frozenset({_S.ACTIVE})
_TRIAL = frozenset({_S.TRIAL})

ALLOWED_IN: MappingProxyType[SubscriptionAction, frozenset[SubscriptionStatus]] = MappingProxyType(
    {
        _A.CANCEL_NOW: LIVE_SUBSCRIPTION,
        _A.CANCEL_AT_PERIOD_END: _ACTIVE,
        _A.UNDO_CANCEL: _ACTIVE,
        _A.PAUSE: _ACTIVE,
        _A.RESUME: _ACTIVE,
        _A.ADD_SEATS: _ACTIVE | _TRIAL,
        _A.REMOVE_SEATS: _ACTIVE,
        _A.CHANGE_PLAN_NOW: _ACTIVE,
        _A.CHANGE_PLAN_AT_RENEWAL: _ACTIVE,
        _A.UNDO_CHANGE: _ACTIVE,
        _A.SET_PRICE: _ACTIVE,
        _A.SET_AUTO_RENEW: _ACTIVE | {_S.PAST_DUE},
        _A.EXTEND: frozenset({_S.ACTIVE, _S.PAST_DUE, _S.EXPIRED, _S.CANCELED}),
        _A.EXTEND_TRIAL: _TRIAL | {_S.EXPIRED},
        _A.BILL_RENEWAL: _ACTIVE | {_S.PAST_DUE},
        _A.CORRECT: frozenset(_S),
    }
)

# A paused subscription is resumed or ended; nothing else is billed or planned meanwhile.
_WHILE_PAUSED = frozenset({_A.CANCEL_NOW, _A.RESUME})
# A renewal whose money is on its way was priced; what would change that price has to wait for its end.
_NOT_WHILE_CHARGING = frozenset(
    {
        *(_A.CANCEL_NOW, _A.CANCEL_AT_PERIOD_END, _A.PAUSE, _A.REMOVE_SEATS, _A.SET_PRICE, _A.EXTEND),
        *(_A.CHANGE_PLAN_NOW, _A.CHANGE_PLAN_AT_RENEWAL, _A.ADD_SEATS, _A.BILL_RENEWAL, _A.CORRECT),
    }
)
# An order was priced for the period as it is.
_NOT_WHILE_ORDERED = frozenset(
    {_A.ADD_SEATS, _A.REMOVE_SEATS, _A.CHANGE_PLAN_NOW, _A.CHANGE_PLAN_AT_RENEWAL, _A.PAUSE, _A.EXTEND, _A.CORRECT}
)
_NOT_WHILE_CANCELING = frozenset(
    {
        *(_A.CANCEL_AT_PERIOD_END, _A.REMOVE_SEATS, _A.CHANGE_PLAN_AT_RENEWAL, _A.SET_PRICE, _A.CHANGE_PLAN_NOW),
        _A.BILL_RENEWAL,
    }
)
# Of what is no longer installed, only the billing is ended or kept from renewing.
_WHILE_DISABLED = frozenset({_A.CANCEL_NOW, _A.CANCEL_AT_PERIOD_END, _A.SET_AUTO_RENEW})
# An ended subscription lives again by these.
_REVIVING = frozenset({_A.EXTEND, _A.EXTEND_TRIAL})
_NOT_WHEN_OVER = frozenset({_A.ADD_SEATS, _A.CHANGE_PLAN_NOW, _A.PAUSE, _A.CANCEL_AT_PERIOD_END, _A.UNDO_CANCEL})


ACTION_NEEDS: MappingProxyType[SubscriptionAction, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(SubscriptionAction, frozenset({"subscription:change"})),
        **dict.fromkeys(
            (_A.PAUSE, _A.RESUME, _A.SET_PRICE, _A.EXTEND, _A.EXTEND_TRIAL, _A.CORRECT),
            frozenset({"subscription:adjust"}),
        ),
        _A.CANCEL_NOW: frozenset({"subscription:change", "subscription:adjust"}),
    }
)


def blocked_because(action: SubscriptionAction, standing: Standing) -> Blocked | None:
    """Why the action is not allowed now; None where it is."""
    if standing.status not in LIVE_SUBSCRIPTION and action in _REVIVING and standing.another_lives:
        return Blocked("ALREADY_SUBSCRIBED", "another subscription of the install lives")
    why = _by_state(action, standing) or _by_bills(action, standing)
    if why is None and standing.install_disabled and action not in _WHILE_DISABLED:
        why = "the install is disabled"
    if why is None and action == _A.BILL_RENEWAL and not allows(standing.partner, PartnerMay.RENEW):
        return partner_not_allowed(standing.partner)
    return None if why is None else Blocked("NOT_ALLOWED_NOW", why)


def allowed_actions(standing: Standing, permissions: frozenset[str]) -> list[AllowedAction[SubscriptionAction]]:
    """Every action, with why the caller is kept from it or None."""
    return actions.allowed_actions(ACTION_NEEDS, lambda action: blocked_because(action, standing), permissions)


def _by_state(action: SubscriptionAction, standing: Standing) -> str | None:
    status = standing.status
    if status not in ALLOWED_IN[action]:
        return f"the subscription is {status}"
    if action == _A.EXTEND and standing.bare:
        return "a trial has no plan; order a subscription instead"
    if action == _A.EXTEND_TRIAL and not standing.bare:
        return "the subscription is not a trial"
    if standing.paused and action not in _WHILE_PAUSED:
        return "the subscription is paused; resume it first"
    if standing.over and action in _NOT_WHEN_OVER:
        return "the period is over, and is about to be renewed or closed"
    if action == _A.RESUME and not standing.paused:
        return "the subscription is not paused"
    if action == _A.UNDO_CANCEL and not standing.canceling:
        return "the subscription is not to be cancelled"
    if action == _A.UNDO_CHANGE and not standing.pending and standing.order_waits is None:
        return "no change waits"
    if standing.canceling and action in _NOT_WHILE_CANCELING:
        return "the subscription ends with its period; undo the cancellation first"
    return None


def _by_bills(action: SubscriptionAction, standing: Standing) -> str | None:
    if standing.order_charging and action == _A.UNDO_CHANGE:
        return "the money for the change is on its way"
    if standing.order_waits is not None and action in _NOT_WHILE_ORDERED:
        return f"the change billed by invoice {standing.order_waits} waits for its payment"
    if standing.renewal_charging is not None and action in _NOT_WHILE_CHARGING:
        return f"the renewal by invoice {standing.renewal_charging} is being charged; try again when it is done"
    if standing.renewal_waits is not None and action == _A.BILL_RENEWAL:
        return f"the renewal by invoice {standing.renewal_waits} waits for its payment"
    if standing.pending_seats is not None and action == _A.ADD_SEATS:
        return f"the seats are to become {standing.pending_seats} at the renewal; undo that first"
    return None
