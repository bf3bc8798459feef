"""Names of files that people send, made harmless: what is kept can be shown, saved and sent back anywhere."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME_BYTES = 180
NAMELESS = "document"
# Windows opens devices by these names, whatever ending follows.
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{kind}{n}" for kind in ("COM", "LPT") for n in "0123456789¹²³"}
)
# Control, format (text direction among them), surrogate, private, unassigned, and line or paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORBIDDEN = re.compile(r'[<>:"|?*;%]')


def safe_name(given: str) -> str:
    """The name without folders, unseen characters and anything that a file system or a header takes for more.

    Applying it twice changes nothing more.
    """
    text = unicodedata.normalize("NFC", given)
    text = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    text = "".join(sign for sign in text if unicodedata.category(sign) not in _UNSEEN)
    text = _FORBIDDEN.sub("_", re.split(r"[/\\]", text)[-1])
    text = unicodedata.normalize("NFC", re.sub(r" +", " ", text)).strip(". ")
    stem, dot, ending = text.rpartition(".")
    if not dot:
        stem, ending = text, ""
    if stem.split(".")[0].strip().upper() in _DEVICES:
        stem = f"_{stem}"
    return _cut(stem, dot + ending) or NAMELESS


def ending_of(name: str) -> str:
    """The ending of a file name in lower case, without its dot; empty where there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def ascii_name(name: str) -> str:
    """A safe name for readers that know ASCII only, with its ending kept."""
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    plain = re.sub(r"[^A-Za-z0-9 ()._-]+", "_", stem).strip("_ ")
    return f"{plain or NAMELESS}{dot}{re.sub(r'[^A-Za-z0-9]+', '', ending)}"


def _cut(stem: str, ending: str) -> str:
    if len(ending.encode()) > LONGEST_NAME_BYTES // 4:
        stem, ending = stem + ending, ""
    room = LONGEST_NAME_BYTES - len(ending.encode())
    return (stem.encode()[:room].decode(errors="ignore").rstrip(". ") + ending).strip(". ")
