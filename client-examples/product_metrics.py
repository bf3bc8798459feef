"""The back end of a product that tells how it is used and how far its wizard is: logins, operations, volumes, steps.

    KONTORA_PROJECT_TOKEN=kpt_… KONTORA_INSTALL=1 python client-examples/product_metrics.py

Run it once a day, and again whenever you like: what is told twice is replaced, never added. Only httpx is needed.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("KONTORA_PROJECT_TOKEN", "")
INSTALL = os.environ.get("KONTORA_INSTALL", "")
MOST_POINTS = 1_000


def points_of(install: str, day: str, figures: dict[str, int | str], last_login: datetime) -> list[dict[str, Any]]:
    """What one day of one install is told as."""
    values = [{"installId": install, "metric": name, "day": day, "value": value} for name, value in figures.items()]
    return [*values, {"installId": install, "metric": "last_login", "at": last_login.isoformat()}]


def send(http: httpx.Client, points: list[dict[str, Any]]) -> int:
    """Send points by the thousand; where one is wrong, its batch is refused as a whole and says which and why."""
    taken = 0
    for begin in range(0, len(points), MOST_POINTS):
        answer = http.post("/api/metrics", json={"points": points[begin : begin + MOST_POINTS]})
        if answer.status_code == 422:
            for wrong in answer.json()["points"]:
                print(f"point {begin + wrong['index']}, {wrong['field']}: {wrong['message']}", file=sys.stderr)
        answer.raise_for_status()
        taken += answer.json()["taken"]
    return taken


def main() -> None:
    """Tell of yesterday, and show how far the setting up is."""
    if not TOKEN or not INSTALL:
        sys.exit("set KONTORA_PROJECT_TOKEN and KONTORA_INSTALL")
    now = datetime.now(UTC)
    yesterday = (now - timedelta(days=1)).date().isoformat()
    with httpx.Client(base_url=URL, headers={"X-Project-Token": TOKEN}, timeout=30) as http:
        figures: dict[str, int | str] = {"operations": 340, "clients": 1_250, "lessons": 88, "payments": 41}
        print("points taken:", send(http, points_of(INSTALL, yesterday, figures, now - timedelta(hours=2))))
        onboarding = http.get(f"/api/onboarding/installs/{INSTALL}")
        if onboarding.status_code == 404:
            print("the product has no onboarding steps")
            return
        for step in onboarding.json()["steps"]:
            print(f"{step['status']:<12} {step['title']['en']}")
        print(f"done: {onboarding.json()['progressPercent']} %")


if __name__ == "__main__":
    main()
