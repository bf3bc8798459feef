"""Delivers one signed event to an endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from standardwebhooks import Webhook

from core import clock
from core.errors import KontoraError
from core.http import guarded_client

DELIVERY_TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Answer:
    """What came of one delivery.

    Parameters:
        status_code: of the endpoint's answer; None when there was none.
        error: why there was no answer; None when there was one.
    """

    status_code: int | None
    error: str | None
    duration_ms: int

    @property
    def accepted(self) -> bool:
        """Whether the endpoint took the event: any 2xx."""
        return self.status_code is not None and HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def gone(self) -> bool:
        """Whether the endpoint asks for no more calls."""
        return self.status_code == HTTPStatus.GONE

    @property
    def told(self) -> str:
        """The outcome in a few words."""
        return self.error or f"the endpoint answered {self.status_code}"


async def deliver(endpoint: str, *, secrets: Sequence[str], event_id: str, body: str) -> Answer:
    """Post the body once, signed; the answer's body is not read.

    Parameters:
        secrets: each ``whsec_`` and base64, as told to the product; all of them sign.
        event_id: the same for all attempts, so that the product can drop repeats.
        body: the exact JSON text to send.
    """
    started = time.monotonic()
    status_code, error = None, None
    try:
        async with asyncio.timeout(DELIVERY_TIMEOUT_SECONDS), guarded_client(propagate=True) as client:
            headers = signed_headers(secrets, event_id, body)
            async with client.stream("POST", endpoint, content=body.encode(), headers=headers) as response:
                status_code = response.status_code
    except TimeoutError:
        error = f"no answer within {DELIVERY_TIMEOUT_SECONDS:.0f} seconds"
    except KontoraError as refused:
        error = refused.message
    except httpx.HTTPError as failure:
        error = f"{type(failure).__name__}: {failure}"[:300]
    return Answer(status_code, error, int((time.monotonic() - started) * 1000))


def signed_headers(secrets: Sequence[str], event_id: str, body: str) -> dict[str, str]:
    """The headers of Standard Webhooks: id, time, and a signature over both and the body by each secret."""
    now = clock.now()
    return {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, now, body) for secret in secrets),
    }
