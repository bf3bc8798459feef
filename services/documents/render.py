"""Turns a document's contents into a PDF by a typst template.

The contents reach the template as JSON data, never as its source, so nothing that people typed is run. Fonts are the
ones inside the typst wheel: the same bytes on every machine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import typst

TEMPLATES = Path(__file__).parent / "templates"


async def render(template: str, contents: Mapping[str, Any]) -> bytes:
    """The PDF of ``template`` over ``contents``, made in a thread.

    Raises:
        typst.TypstError: the template does not fit the contents; a defect of ours.
    """
    return await asyncio.to_thread(compile_template, template, contents)


def compile_template(
    template: str, contents: Mapping[str, Any], *, form: Literal["pdf", "png", "svg"] = "pdf", ppi: float | None = None
) -> Any:
    """One document in ``form``; `png` is for looking at it."""
    return typst.compile(
        TEMPLATES / f"{template}.typ",
        root=TEMPLATES,
        format=form,
        ppi=ppi,
        ignore_system_fonts=True,
        sys_inputs={"contents": json.dumps(contents, ensure_ascii=False)},
    )
