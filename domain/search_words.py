"""Words that many texts have, and which of them a word with a mistake was meant to be (PAR-2).

Of a word that many have every piece is common, so that none of them says where it is. But such words are few, and each
is kept under itself and under what is left of it without one letter: two words are one mistake apart only where they
share such a rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Shorter words are one mistake away from too many others.
FEWEST_LETTERS = 4
_WORD = re.compile(r"\w+")


class CommonWords:
    """Words that many texts have.

    Parameters:
        words: each once, the most common first.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._places = {word: place for place, word in enumerate(words)}
        self._by_rest: dict[str, list[str]] = {}
        for word in self._places:
            for rest in _rests(word):
                self._by_rest.setdefault(rest, []).append(word)

    def put_right(self, text: str) -> str | None:
        """The text with each word that is one mistake away from a common one put right; None where there is none."""
        right = _WORD.sub(lambda found: self._meant(found[0]), text)
        return None if right == text else right

    def without(self, text: str) -> str:
        """What is left of a text without its common words."""
        return " ".join(_WORD.sub(lambda found: "" if found[0] in self._places else found[0], text).split())

    def _meant(self, word: str) -> str:
        if len(word) < FEWEST_LETTERS or word in self._places:
            return word
        near = {other for rest in _rests(word) for other in self._by_rest.get(rest, ())}
        meant = [other for other in near if one_mistake_apart(word, other)]
        return min(meant, key=self._places.__getitem__, default=word)


def one_mistake_apart(one: str, other: str) -> bool:
    """Whether a letter more, less or another, or two that changed places, is all that two different words differ by."""
    shorter, longer = sorted((one, other), key=len)
    same = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    shorter, longer = shorter[same:], longer[same:]
    if len(shorter) < len(longer):
        return shorter == longer[1:]
    return shorter[1:] == longer[1:] or shorter[1::-1] + shorter[2:] == longer


def _rests(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
