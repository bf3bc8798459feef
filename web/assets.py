"""Our own static files; those whose names hold a hash of their content are kept by browsers for good."""

from __future__ import annotations

import re
from os import PathLike, stat_result

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

KEPT = "public, max-age=31536000, immutable"
ASKED_AGAIN = "no-cache"
# Vite writes `assets/name-<8 characters of the hash>.ext`.
_HASHED = re.compile(r"/assets/[^/]+-[A-Za-z0-9_-]{8}\.[a-z0-9]+$")


class Assets(StaticFiles):
    """A folder of static files with the caching that their names allow."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file; hashed names never change what they hold, all others are asked for again."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        hashed = _HASHED.search(str(scope["path"])) and status_code == 200
        response.headers["Cache-Control"] = KEPT if hashed else ASKED_AGAIN
        return response
