"""What the emulated provider of single sign-on keeps: people, the one client, and codes, as Authlib asks for them."""

from __future__ import annotations

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin

from core.crypto import same


@dataclass(frozen=True)
class Person:
    """Somebody with an account at the provider."""

    subject: str
    email: str
    name: str
    email_verified: bool = True
    amr: tuple[str, ...] = ("pwd",)


@dataclass
class Client(ClientMixin):
    """The one client that is registered."""

    client_id: str
    client_secret: str
    redirect_uri: str
    after_sign_out: str = ""

    def get_client_id(self) -> str:
        """Its id."""
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """Its one redirect."""
        return self.redirect_uri

    def get_allowed_scope(self, scope: str | None) -> str:
        """What it asks for, as far as there is such."""
        return " ".join(part for part in (scope or "").split() if part in ("openid", "email", "profile"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether codes may be sent there."""
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether it is the client."""
        return same(client_secret, self.client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether the secret may come this way."""
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may use the flow."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may use the grant."""
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    """A code that waits to be exchanged."""

    code: str
    person: Person
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    auth_time: int

    def get_redirect_uri(self) -> str:
        """Where it was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What it was asked for."""
        return self.scope

    def get_nonce(self) -> str | None:
        """What the ID token must repeat."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the person signed in."""
        return self.auth_time

    def get_acr(self) -> None:
        """Nothing is said of the context."""

    def get_amr(self) -> list[str]:
        """How the person signed in."""
        return list(self.person.amr)
