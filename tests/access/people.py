"""People who sign in over HTTP, with the authenticator apps that they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import pyotp

from core import clock
from domain.factors import STEP_SECONDS

SESSION = """totpRequired challenge accessToken refreshToken
    viewer { roles permissions mustEnrollTotp } userErrors { code field message }"""
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ {SESSION} }} }}"
VERIFY = f"mutation($input: SignInVerifyInput!) {{ signInVerify(input: $input) {{ {SESSION} }} }}"
START = "mutation { totpEnrollStart { secret otpauthUri qrSvg qrPng userErrors { code } } }"
CONFIRM = """mutation($input: TotpEnrollConfirmInput!) {
    totpEnrollConfirm(input: $input) { recoveryCodes userErrors { code } } }"""
VIEWER = "{ viewer { permissions mustEnrollTotp } }"


@dataclass
class Person:
    """Somebody who knows a password and may hold an app.

    Parameters:
        secret: what the app holds, once it was set up.
    """

    http: httpx.AsyncClient
    email: str
    password: str
    secret: str = ""
    recovery_codes: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, query: str, **variables: Any) -> httpx.Response:
        """The whole answer."""
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=self.headers)

    async def data(self, query: str, **variables: Any) -> Any:
        """The one root value of an answer without errors."""
        answer = (await self.ask(query, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    def code(self, off: int = 0) -> str:
        """What the app shows; ``off`` steps from now."""
        return pyotp.TOTP(self.secret).generate_otp(int(clock.now().timestamp()) // STEP_SECONDS + off)

    async def begin(self) -> Any:
        """Give email and password, as somebody new."""
        self.headers = {}
        return await self.data(SIGN_IN, input={"email": self.email, "password": self.password})

    async def verify(self, challenge: str, **shown: str) -> Any:
        """Answer a challenge; the session is the person's from then on."""
        return self._keep(await self.data(VERIFY, input={"challenge": challenge, **shown}))

    async def sign_in(self) -> Any:
        """Sign in, with a code where one is asked for."""
        found = await self.begin()
        return await self.verify(found["challenge"], code=self.code()) if found["challenge"] else self._keep(found)

    async def enrol(self) -> None:
        """Sign in and set an app up."""
        await self.sign_in()
        begun = await self.data(START)
        assert begun["userErrors"] == []
        self.secret = begun["secret"]
        confirmed = await self.data(CONFIRM, input={"code": self.code()})
        assert confirmed["userErrors"] == []
        self.recovery_codes = confirmed["recoveryCodes"]

    def _keep(self, found: Any) -> Any:
        if found["accessToken"]:
            self.headers = {"authorization": f"Bearer {found['accessToken']}"}
        return found
