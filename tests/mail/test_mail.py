"""Letters against a mail server that answers what it is told to, and into the sandbox's mailbox (NOT-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from core import clock
from core.database import transaction
from core.settings import get_settings
from domain.mail import LOCALES
from gateways.mail.registry import MailNotConfigured, mail_transport
from services import dead_letters, mail
from services.mail.render import TEMPLATES, write
from tests.api import run
from tests.certificates import FILE, certificate
from tests.factories.world import STAFF
from tests.planner import world
from tests.web.conftest import http
from workers.handlers import register_handlers
from workers.outbox import Outcome, process

__all__ = ["http"]

Connection = asyncpg.Connection
TO = "anna@example.test"
VALUES: dict[str, Any] = {
    "email": TO,
    "link": "https://kontora.test/set-password?user=1&signature=abc",
    "partner": 'Ромашка <b>"&"</b>',
    "expires_at": datetime(2026, 11, 30, 9, 5, tzinfo=UTC),
    "changed_at": datetime(2026, 11, 26, 9, 5, tzinfo=UTC),
    "document": "INVOICE",
    "number": "2026-000001",
    "total": Decimal("1234.5"),
    "currency": "RUB",
    "dated_on": date(2026, 11, 26),
    "due_on": date(2026, 12, 1),
    "pay_link": "https://kontora.test/pay/1",
    "partner_number": 7,
    "minutes": 30,
    "asker": "Ada",
    "step": "APPROVE",
}


@dataclass
class Server:
    """A mail server; answers what it is told to, then takes everything."""

    answers: list[str] = field(default_factory=list)
    taken: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def handle_RCPT(
        self, _server: object, _session: object, envelope: Envelope, to: str, _options: object
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: object, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.taken.append(message_from_bytes(envelope.content, EmailMessage, policy=policy.SMTP))
        self.recipients += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
async def server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    register_handlers()
    made = Server()

    def sign_in(_server: object, _session: object, _envelope: object, _how: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == b"right", handled=False)

    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(made, authenticator=sign_in, auth_require_tls=False), "127.0.0.1", 0
    )
    configure(
        monkeypatch,
        SMTP_HOST="127.0.0.1",
        SMTP_PORT=str(listening.sockets[0].getsockname()[1]),
        SMTP_SECURITY="none",
        MAIL_FROM="Контора <mail@kontora.test>",
    )
    yield made
    listening.close()
    await listening.wait_closed()


def configure(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"KONTORA_{name}", value)
    get_settings.cache_clear()


async def a_letter(owner: Connection, **values: Any) -> int:
    """Writes a letter; gives the number of its outbox message."""
    async with transaction() as session:
        await mail.send(session, TO, "user_invite", "ru", {**VALUES, **values})
    number: int = await owner.fetchval("SELECT max(id) FROM outbox_messages WHERE kind = 'mail.deliver'")
    return number


async def again(owner: Connection, number: int) -> Outcome:
    await owner.execute("UPDATE outbox_messages SET available_at = now() WHERE id = $1", number)
    return await process(number)


async def test_a_letter_is_sent_once_in_two_forms_and_forgotten(server: Server, owner: Connection) -> None:
    number = await a_letter(owner)
    sealed = await owner.fetchval("SELECT content_encrypted FROM mails")
    assert "signature" not in sealed
    assert "signature" not in str(await owner.fetchval("SELECT payload FROM outbox_messages"))
    assert await process(number) is Outcome.DONE
    assert await process(number) is Outcome.NOT_DUE
    (letter,) = server.taken
    assert server.recipients == [TO]
    assert letter["To"] == TO
    assert letter["From"] == "Контора <mail@kontora.test>"
    assert letter["Subject"] == "Ваша учётная запись в Kontora"
    assert letter["Auto-Submitted"] == "auto-generated"
    text, html = (letter.get_body((form,)) for form in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert VALUES["link"] in text.get_content()
    assert 'пользователя «Ромашка <b>"&"</b>»' in text.get_content()
    assert "до 30 ноября 2026 г., 09:05 UTC" in text.get_content()
    assert "Ромашка &lt;b&gt;" in html.get_content()
    row = await owner.fetchrow("SELECT status, content_encrypted, message_id, sent_at FROM mails")
    assert (row["status"], row["content_encrypted"]) == ("SENT", None)
    assert letter["Message-ID"] == f"<{row['message_id']}>"
    assert row["message_id"].endswith("@kontora.test")


async def test_every_attempt_carries_the_same_id_and_refusals_end_by_their_kind(
    server: Server, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await a_letter(owner)
    server.answers = ["451 4.7.1 <anna@example.test> greylisted"]
    assert await process(number) is Outcome.RETRY
    error = await owner.fetchval("SELECT last_error FROM outbox_messages")
    assert error == "MailRefused: the mail server answered 451 4.7.1", "an address stays out of errors"
    configure(monkeypatch, SMTP_USER="kontora", SMTP_PASSWORD="wrong")
    assert await again(owner, number) is Outcome.RETRY, "a wrong password is mended in the settings"
    error = await owner.fetchval("SELECT last_error FROM outbox_messages")
    assert error == "MailRefused: the mail server answered 535 5.7.8"
    configure(monkeypatch, SMTP_PASSWORD="right")
    server.answers = ["550 5.1.1 no such user"]
    assert await again(owner, number) is Outcome.DEAD
    assert await owner.fetchval("SELECT status FROM mails") == "FAILED"
    async with transaction() as session:
        letter = await owner.fetchval("SELECT id FROM dead_letters")
        await dead_letters.replay(session, STAFF, dead_letter_id=letter)
    assert await again(owner, number) is Outcome.DONE
    assert len(server.taken) == 1
    assert await owner.fetchval("SELECT status FROM mails") == "SENT"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_without_encryption_gets_nothing(
    server: Server, owner: Connection, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    configure(monkeypatch, SMTP_SECURITY=security)
    assert await process(await a_letter(owner)) is Outcome.RETRY
    assert server.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_letters_go_encrypted_to_the_server_that_proves_its_name(
    server: Server, owner: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, security: str
) -> None:
    server_tls, _ = certificate(tmp_path, "localhost")

    def answering() -> SMTP:
        begins_plain = {"tls_context": server_tls, "require_starttls": True} if security == "starttls" else {}
        return SMTP(server, **begins_plain)

    options = {"ssl": server_tls} if security == "tls" else {}
    listening = await asyncio.get_running_loop().create_server(answering, "127.0.0.1", 0, **options)
    port = str(listening.sockets[0].getsockname()[1])
    configure(monkeypatch, SMTP_HOST="localhost", SMTP_PORT=port, SMTP_SECURITY=security)
    number = await a_letter(owner)
    assert await process(number) is Outcome.RETRY, "nobody vouches for the certificate"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / FILE))
    configure(monkeypatch, SMTP_HOST="127.0.0.1")
    assert await again(owner, number) is Outcome.RETRY, "the certificate is of another name"
    assert server.taken == []
    configure(monkeypatch, SMTP_HOST="localhost")
    assert await again(owner, number) is Outcome.DONE
    assert len(server.taken) == 1
    assert server.encrypted == [True]
    listening.close()
    await listening.wait_closed()


async def test_a_document_goes_along(server: Server, owner: Connection) -> None:
    await world.build(owner)
    document = await owner.fetchval(
        """
        INSERT INTO invoice_documents (partner_id, invoice_id, kind, number, dated_at, size_bytes, sha256, content)
        SELECT partner_id, id, 'INVOICE', number, now(), 4, 'x', '%PDF' FROM invoices LIMIT 1 RETURNING id
        """
    )
    async with transaction() as session:
        await mail.send(session, TO, "user_invite", "en", VALUES, invoice_document_ids=[document])
    assert await process(1) is Outcome.DONE
    (attached,) = server.taken[0].iter_attachments()
    assert attached.get_content() == b"%PDF"
    assert str(attached.get_filename()).endswith(".pdf")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", sorted(path.stem for path in (TEMPLATES / "en").iterdir()))
def test_each_letter_exists_in_both_languages(template: str, locale: str) -> None:
    written = write(template, locale, VALUES)
    assert "\n\n\n" not in written.text
    assert ("ё" in written.text or "и" in written.text) == (locale == "ru")


async def test_production_without_a_server_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    production = get_settings().model_copy(update={"mode": "production"})
    monkeypatch.setattr("gateways.mail.registry.get_settings", lambda: production)
    with pytest.raises(MailNotConfigured):
        mail_transport()


async def test_what_was_never_sent_is_forgotten_after_a_month(database_url: str, owner: Connection) -> None:
    await a_letter(owner)
    clock.travel(clock.now() + timedelta(days=29))
    async with transaction() as session:
        assert await mail.forget_content(session) == 0
    clock.travel(clock.now() + timedelta(days=2))
    async with transaction() as session:
        assert await mail.forget_content(session) == 1
    assert await owner.fetchval("SELECT content_encrypted FROM mails") is None


async def test_the_sandbox_keeps_letters_and_shows_them_to_its_own_machine(
    http: httpx.AsyncClient, owner: Connection
) -> None:
    register_handlers()
    number = await a_letter(owner)
    assert await process(number) is Outcome.DONE
    http.headers["host"] = "127.0.0.1:8000"
    listed = await http.get("/sandbox/mail")
    assert TO in listed.text
    shown = await http.get("/sandbox/mail/1")
    assert 'href="https://kontora.test/set-password?user=1&amp;signature=abc"' in shown.text
    assert "<b>" not in shown.text
    html = await http.get("/sandbox/mail/1/html")
    assert "default-src 'none'" in html.headers["content-security-policy"]
    for path in ("", "/1", "/1/html"):
        elsewhere = await http.get(f"/sandbox/mail{path}", headers={"x-forwarded-for": "203.0.113.7"})
        assert elsewhere.status_code == 404


async def test_the_api_tells_of_letters_and_never_what_they_say(database_url: str, owner: Connection) -> None:
    await a_letter(owner)
    answer = await run("{ mails { nodes { recipient template status } } }")
    assert answer["data"]["mails"]["nodes"] == [{"recipient": TO, "template": "user_invite", "status": "PENDING"}]
