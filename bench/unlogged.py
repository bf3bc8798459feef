"""The API without the access log, for the measurement of what the log costs; nothing else runs it."""

from __future__ import annotations

import planner.planning
from web.app import app as app

# Planning asks this name; nobody is of this kind.
planner.planning.LOGGED_KIND = "nobody"  # type: ignore[attr-defined]
