"""What the demo world's first partner has on its card: a contract with its file, a link, a call and a note."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain.partner_documents import PartnerDocumentKind
from domain.partners import ContractStatus, NoteKind
from gateways.storage.interface import FileFacts
from gateways.storage.registry import local_storage
from models import Partner
from services import partner_contracts, partner_documents
from services.documents.render import render

PDF = "application/pdf"
NUMBER = "К-2026/17"


async def fill(session: AsyncSession, actor: Principal, partner: Partner, *, seller: str) -> None:
    """Fill a partner's card by the real verbs; the worker looks into the file as into any other."""
    contract = await partner_contracts.create_contract(
        session,
        actor,
        partner_id=partner.id,
        values={
            "number": NUMBER,
            "status": ContractStatus.ACTIVE,
            "signed_at": clock.now() - timedelta(days=30),
            "starts_at": clock.now() - timedelta(days=30),
            "amount": Decimal(500_000),
            "currency": "RUB",
            "sla": "Answers within 4 working hours, 99.5% availability",
        },
    )
    text = {"number": NUMBER, "seller": seller, "buyer": partner.legal_name or partner.name}
    await _file(session, actor, partner, contract.id, await render("demo_contract", text))
    await partner_documents.enter_link(
        session,
        actor,
        partner_id=partner.id,
        values={"kind": PartnerDocumentKind.SPECIFICATION, "title": "Specification", "contract_id": contract.id},
        url="https://docs.example.com/specification",
    )
    for kind, body in ((NoteKind.CALL, "They want the report in XLSX."), (NoteKind.NOTE, "Decides in autumn.")):
        await partner_contracts.add_note(session, actor, partner_id=partner.id, kind=kind, body=body)


async def _file(session: AsyncSession, actor: Principal, partner: Partner, contract_id: int, content: bytes) -> None:
    folder = local_storage()
    if folder is None:
        return
    facts = FileFacts(PDF, len(content), hashlib.sha256(content).hexdigest())
    document, _ = await partner_documents.announce_file(
        session,
        actor,
        partner_id=partner.id,
        values={
            "kind": PartnerDocumentKind.CONTRACT,
            "title": f"Договор № {NUMBER}",
            "contract_id": contract_id,
            "visible_to_partner": True,
        },
        file=partner_documents.FileOffer("Договор.pdf", PDF, facts.size_bytes, facts.sha256),
    )
    assert document.storage_key is not None, "a file has its place"
    await folder.write(document.storage_key, facts, _once(content))
    await partner_documents.uploaded(session, actor, document_id=document.id)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
