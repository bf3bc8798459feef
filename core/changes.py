"""Wakes whoever waits for a row to change: one listening connection a process, however many wait.

Triggers of `models.security` tell of each change at its commit, so that nobody who changes a row has to think of it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from core.notices import hear

CHANGES_CHANNEL = "kontora_changes"


class _Waiting:
    """Who waits in one event loop; the connection is there while somebody does."""

    def __init__(self) -> None:
        self.events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.listener: asyncio.Task[None] | None = None

    def add(self, subject: str, event: asyncio.Event) -> None:
        self.events[subject].add(event)
        if self.listener is None:
            self.listener = asyncio.create_task(
                hear(CHANGES_CHANNEL, self.wake, connected=self.wake_all, name="kontora-changes")
            )

    def remove(self, subject: str, event: asyncio.Event) -> None:
        self.events[subject].discard(event)
        if not self.events[subject]:
            del self.events[subject]
        if not self.events and self.listener is not None:
            self.listener.cancel()
            self.listener = None

    def wake(self, subject: str) -> None:
        for event in self.events.get(subject, ()):
            event.set()

    def wake_all(self) -> None:
        for subject in self.events:
            self.wake(subject)


_by_loop: defaultdict[int, _Waiting] = defaultdict(_Waiting)


async def changes_of(table: str, key: int) -> AsyncIterator[None]:
    """Goes on at once, and again whenever the row has changed since; changes that come together count as one.

    What was missed while the connection was lost is made up for: afterwards everybody is woken. Close the iterator
    to stop waiting.
    """
    waiting = _by_loop[id(asyncio.get_running_loop())]
    subject = f"{table}:{key}"
    changed = asyncio.Event()
    changed.set()
    waiting.add(subject, changed)
    try:
        while True:
            await changed.wait()
            changed.clear()
            yield
    finally:
        waiting.remove(subject, changed)
