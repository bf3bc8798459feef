"""The API without the access log, for the measurement of what the log costs; nothing else runs it."""

from __future__ import annotations

from resolvers.root import planner
from web.app import app as app

planner.logs_looks = False
