"""A cache with room for so much."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A cache that forgets what was not used for longest, once its room is full.

    Parameters:
        room: how much all that is kept may weigh together.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.used = 0
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept under the key, if it is."""
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int = 1) -> V:
        """Keep a value; gives it back."""
        _, before = self._items.pop(key, (None, 0))
        self._items[key] = value, weight
        self.used += weight - before
        while self.used > self.room:
            _, (_, freed) = self._items.popitem(last=False)
            self.used -= freed
        return value
