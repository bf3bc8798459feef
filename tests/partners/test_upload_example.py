"""The example that uploads a document runs as it is, against a real server (PAR-3)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.ids import encode_id
from core.settings import get_settings
from tests.factories.world import a_partner
from tests.served import served
from tests.web.conftest import token
from web.app import build

__all__ = ["token"]
EXAMPLE = Path(__file__).parents[2] / "client-examples" / "upload_document.py"


async def test_the_example_uploads_files(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(build()) as url:
        monkeypatch.setenv("KONTORA_PUBLIC_URL", url)
        monkeypatch.setenv("KONTORA_STORAGE_DIR", str(tmp_path / "files"))
        get_settings.cache_clear()
        partner_id = encode_id("Partner", (await a_partner()).id)
        told = []
        for name, content in (("contract.pdf", b"%PDF-1.7\n" + bytes(300_000)), ("fake.pdf", b"<html>")):
            (tmp_path / name).write_bytes(content)
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, str(EXAMPLE), partner_id, str(tmp_path / name)],
                env={**os.environ, "KONTORA_URL": url, "KONTORA_API_TOKEN": token},
                capture_output=True,
                text=True,
                check=False,
            )
            told.append(done.stdout.strip() or done.stderr)
    assert told == ["contract.pdf: AVAILABLE", "fake.pdf: REJECTED WRONG_TYPE"]
