"""A local service that speaks as much of S3 as we use, and refuses what S3 refuses (PAR-3).

It works the signature out for itself from the request as it came (Amazon S3 API reference, "Authenticating requests:
using query parameters"), compares sizes and checksums with the bytes, and keeps files in memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import clock

CHECKSUM = "x-amz-checksum-sha256"
_LEFT_AS_IT_IS = "-_.~"


@dataclass
class S3Emulator:
    """Buckets at ``/<bucket>/<key>``, reached with one key.

    Parameters:
        files: path to bytes and type.
    """

    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        """The service."""
        return Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "HEAD", "PUT", "DELETE"])])

    async def _serve(self, request: Request) -> Response:
        refusal = self.refusal(request)
        if refusal is not None:
            return _refused(HTTPStatus.FORBIDDEN, refusal)
        if request.method == "PUT":
            return self._put(request, await request.body())
        if request.method == "DELETE":
            self.files.pop(request.url.path, None)
            return Response(status_code=HTTPStatus.NO_CONTENT)
        if request.url.path not in self.files:
            return _refused(HTTPStatus.NOT_FOUND, "NoSuchKey")
        content, kind = self.files[request.url.path]
        told = request.query_params
        headers = {"Content-Type": told.get("response-content-type", kind)}
        if "response-content-disposition" in told:
            headers["Content-Disposition"] = told["response-content-disposition"]
        return Response(content, headers=headers)

    def _put(self, request: Request, body: bytes) -> Response:
        wanted = request.headers.get(CHECKSUM)
        if wanted is not None and wanted != base64.b64encode(hashlib.sha256(body).digest()).decode():
            return _refused(HTTPStatus.BAD_REQUEST, "BadDigest")
        self.files[request.url.path] = (body, request.headers.get("content-type", "binary/octet-stream"))
        return Response(status_code=HTTPStatus.OK)

    def refusal(self, request: Request) -> str | None:
        """The code by which S3 refuses the request; None for a genuine one."""
        raw = request.scope["query_string"].decode()
        told = dict(parse_qsl(raw, keep_blank_values=True))
        signature = told.pop("X-Amz-Signature", "")
        names = told.get("X-Amz-SignedHeaders", "").split(";")
        if told.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or "host" not in names:
            return "AuthorizationQueryParametersError"
        moment = told.get("X-Amz-Date", "")
        scope = [moment[:8], self.region, "s3", "aws4_request"]
        if told.get("X-Amz-Credential") != "/".join([self.access_key_id, *scope]):
            return "InvalidAccessKeyId"
        if any(name.startswith("x-amz-") and name not in names for name in request.headers):
            return "AccessDenied"
        path = quote(request.scope["path"], safe=f"/{_LEFT_AS_IT_IS}")
        asked = sorted((quote(k, safe=_LEFT_AS_IT_IS), quote(v, safe=_LEFT_AS_IT_IS)) for k, v in told.items())
        lines = [request.method, path, "&".join(f"{k}={v}" for k, v in asked)]
        lines += [f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names]
        lines += ["", ";".join(names), "UNSIGNED-PAYLOAD"]
        hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = b"AWS4" + self.secret_access_key.encode()
        for part in (*scope, f"AWS4-HMAC-SHA256\n{moment}\n{'/'.join(scope)}\n{hashed}"):
            key = hmac.digest(key, part.encode(), "sha256")
        if not hmac.compare_digest(key.hex(), signature):
            return "SignatureDoesNotMatch"
        signed_at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        expired = signed_at + timedelta(seconds=int(told["X-Amz-Expires"])) < clock.now()
        return "AccessDenied" if expired else None


def _refused(status: HTTPStatus, code: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Response(body, status_code=status, media_type="application/xml")
