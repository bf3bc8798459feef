"""Onboarding: steps of products, runs of installs through them, reports and calls for help (ONB-1)."""

from services.onboarding.help import ask_for_help, assign, resolve_help
from services.onboarding.reports import Report, report, report_from_product
from services.onboarding.runs import begin, start, state_for_product, stop
from services.onboarding.steps import StepValues, create_step, update_step

__all__ = [
    "Report",
    "StepValues",
    "ask_for_help",
    "assign",
    "begin",
    "create_step",
    "report",
    "report_from_product",
    "resolve_help",
    "start",
    "state_for_product",
    "stop",
    "update_step",
]
