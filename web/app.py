"""The ASGI application: every route of the product."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from core import tracing
from core.database import dispose
from core.logging import configure_logging
from core.settings import get_settings
from domain.monitoring import ProcessKind
from planner.live import answers
from resolvers.mutation import run_mutation
from resolvers.root import planner
from web.amocrm import amocrm_routes
from web.auth import principal_of_scope
from web.body import BodyTooLarge, NotAForm
from web.bulk import bulk_routes
from web.documents import document_routes
from web.errors import DATABASE_FAILURES, broken, out_of_reach, refused, unread
from web.events import event_routes
from web.external import external_routes
from web.factor_pages import factor_routes
from web.graphql import GraphQLEndpoint
from web.health import health_routes
from web.live import GraphQLSocket
from web.mailbox import mailbox_routes
from web.metrics import metrics_routes
from web.middleware import RequestMiddleware
from web.oidc import oidc_routes
from web.onboarding import onboarding_routes
from web.pages import graphiql_page, page_routes
from web.partner_documents import partner_document_routes
from web.password_pages import password_routes
from web.pay import pay_routes
from web.product_metrics import product_metrics_routes
from web.usage import usage_routes
from web.webhooks import webhook_routes
from web.widget import widget_routes
from workers.heartbeat import beating

GRAPHQL_PATH = "/graphql"


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Connections are opened at first use and closed at the end."""
    tracing.start("kontora-api")
    configure_logging()
    async with beating(ProcessKind.API):
        yield
    await dispose()
    await asyncio.to_thread(tracing.stop)


def routes() -> list[BaseRoute]:
    """Every door of the product."""
    socket = GraphQLSocket(partial(answers, planner, run_mutation=run_mutation), principal_of_scope)
    return [
        Route(GRAPHQL_PATH, _endpoint()),
        WebSocketRoute(GRAPHQL_PATH, socket.serve),
        *health_routes,
        *metrics_routes,
        *webhook_routes,
        *pay_routes,
        *mailbox_routes,
        *password_routes,
        *document_routes,
        *usage_routes,
        *event_routes,
        *onboarding_routes,
        *product_metrics_routes,
        *external_routes,
        *partner_document_routes,
        *bulk_routes,
        *widget_routes,
        *amocrm_routes(),
        *factor_routes,
        *oidc_routes(),
        *page_routes,
    ]


def build() -> ASGIApp:
    """The application."""
    endpoint = _endpoint()
    handlers: Any = {HTTPException: refused, BodyTooLarge: unread, NotAForm: unread, Exception: broken}
    handlers |= dict.fromkeys(DATABASE_FAILURES, out_of_reach)
    rest = Starlette(routes=routes(), exception_handlers=handlers, lifespan=lifespan)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        # Nearly every request is for this one path; the router's layers would cost it a tenth of a small read.
        straight = scope["type"] == "http" and scope["path"] == GRAPHQL_PATH
        await (endpoint if straight else rest)(scope, receive, send)

    return RequestMiddleware(front)


def _endpoint() -> GraphQLEndpoint:
    return GraphQLEndpoint(
        partial(planner.execute, run_mutation=run_mutation),
        principal_of_scope,
        graphiql_page,
        body_limit_bytes=get_settings().body_limit_bytes,
    )


app = build()
