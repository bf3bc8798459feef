"""Doors for product back ends: how far an install is with its setting up, and calls for help (ONB-1, ACC-7)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from domain.onboarding import OnboardingTaskStatus
from services import onboarding
from services.onboarding.help import LONGEST_TEXT, ask_for_help_from_product
from web.project import product_of
from web.rest import Fields, Malformed, answer, json_object, path_key, rest

PATH = "/api/onboarding/installs/{install_id:int}"
MOST_REPORTS = 100
LONGEST_KEY = 64
_STATUSES = ", ".join(OnboardingTaskStatus)


async def show(request: Request) -> Response:
    """How far an install is."""
    actor = await product_of(request)
    async with transaction() as session:
        return answer(await onboarding.state_for_product(session, actor, path_key(request, "install_id", "Install")))


async def report(request: Request) -> Response:
    """Steps of an install moved onward, all or none; what repeats or comes late changes nothing."""
    actor = await product_of(request)
    body = Fields(await json_object(request), frozenset({"steps"}))
    reports = [
        onboarding.Report(fields.text("key", most_chars=LONGEST_KEY), _status(fields, place))
        for place, fields in enumerate(body.objects("steps", frozenset({"key", "status"}), most=MOST_REPORTS))
    ]
    async with transaction() as session:
        told = await onboarding.report_from_product(
            session, actor, install_id=path_key(request, "install_id", "Install"), reports=reports
        )
    return answer(told)


async def ask_for_help(request: Request) -> Response:
    """A call for help; a later one replaces its words."""
    actor = await product_of(request)
    body = await json_object(request)
    Fields(body, frozenset({"text"}))
    text = body.get("text")
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise Malformed(f"text must be a text of at most {LONGEST_TEXT} characters", field=("text",))
    async with transaction() as session:
        told = await ask_for_help_from_product(
            session, actor, install_id=path_key(request, "install_id", "Install"), text=text
        )
    return answer(told)


def _status(fields: Fields, place: int) -> OnboardingTaskStatus:
    try:
        return OnboardingTaskStatus(fields.text("status", most_chars=32))
    except ValueError:
        raise Malformed(f"status must be one of {_STATUSES}", field=("steps", str(place), "status")) from None


onboarding_routes: list[BaseRoute] = [
    Route(PATH, rest(show), methods=["GET"]),
    Route(f"{PATH}/steps", rest(report), methods=["POST"]),
    Route(f"{PATH}/help", rest(ask_for_help), methods=["POST"]),
]
