"""AWS Signature Version 4 over one request, in its query: what every S3-compatible storage checks.

Signing in the query serves presigned addresses and our own calls alike, so that there is one way only.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
LONGEST_LIFE = timedelta(days=7)


@dataclass(frozen=True)
class Signer:
    """A key of an S3-compatible storage.

    Parameters:
        region: what the storage calls its place, such as ``us-east-1``.
    """

    access_key_id: str
    secret_access_key: str
    region: str

    def presign(
        self,
        method: str,
        url: str,
        *,
        at: datetime,
        lifetime: timedelta,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> str:
        """The address with its signature.

        Parameters:
            url: scheme, host and path, the path not yet escaped.
            headers: what must be sent along with exactly these values.
            query: further parameters.
        """
        if not timedelta(seconds=1) <= lifetime <= LONGEST_LIFE:
            raise ValueError("a signature lives for a second to seven days")
        parts = urlsplit(url)
        sent = {"host": parts.netloc, **{name.lower(): value.strip() for name, value in (headers or {}).items()}}
        names = ";".join(sorted(sent))
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{moment[:8]}/{self.region}/s3/aws4_request"
        told = {
            **(query or {}),
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.access_key_id}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(int(lifetime.total_seconds())),
            "X-Amz-SignedHeaders": names,
        }
        path = quote(parts.path or "/", safe="/-_.~")
        asked = "&".join(f"{quote(name, safe='-_.~')}={quote(told[name], safe='-_.~')}" for name in sorted(told))
        canonical = "\n".join(
            [method, path, asked, *(f"{name}:{sent[name]}" for name in sorted(sent)), "", names, UNSIGNED]
        )
        text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return f"{parts.scheme}://{parts.netloc}{path}?{asked}&X-Amz-Signature={key.hex()}"
