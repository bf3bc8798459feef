"""Back ends of products are told how their installs stand (INS-5)."""

from __future__ import annotations

from typing import Any

from tests.factories.world import a_product
from tests.wallets.conftest import Backend


async def state(backend: Backend, install: int | None = None, token: str | None = None) -> tuple[int, dict[str, Any]]:
    path = f"/api/v1/usage/installs/{backend.install if install is None else install}"
    answer = await backend.http.get(path, headers={"X-Project-Token": token or backend.token})
    return answer.status_code, answer.json()


async def test_a_back_end_asks_how_its_install_stands(backend: Backend) -> None:
    status, told = await state(backend)
    assert status == 200
    assert (told["installId"], told["status"], told["active"]) == (str(backend.install), "ACTIVATED", True)
    assert (told["kind"], told["balance"], told["invoice"]) == ("TRIAL", "1000.000", None)
    another = await a_product()
    for install, token in ((None, another.project_token), (999, None), (10**30, None), (0, None)):
        status, told = await state(backend, install, token)
        assert (status, told["error"]["code"]) == (404, "NOT_FOUND")
    for path in (f"installs/{10**30}/balance", f"holds/{10**30}"):
        answer = await backend.http.get(f"/api/v1/usage/{path}", headers={"X-Project-Token": backend.token})
        assert answer.status_code == 404
