"""Doors to what belongs to a partner's card: standing, contracts, notes, search (PAR-1 to PAR-4)."""

from __future__ import annotations

from typing import Annotated, Any, cast

import strawberry

from core.ids import encode_id
from core.looks import looked_at
from domain.partners import PartnerStatus
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from schema.partner_card import (
    PartnerChangeStatusInput,
    PartnerContractCreateInput,
    PartnerContractPayload,
    PartnerContractUpdateInput,
    PartnerNoteCreateInput,
    PartnerNotePayload,
    PartnerSearchResult,
)
from schema.partners import PartnerPayload
from services import partner_contracts, partner_search, partner_standing

_CONTRACT_NULLS = frozenset({"signed_at", "starts_at", "ends_at", "amount", "currency", "sla", "url"})


async def partner_search_(
    context: RunContext,
    query: Annotated[
        str,
        strawberry.argument(
            description="At least 3 characters of a name, legal name, INN or amoCRM domain; for those who may see "
            "people, of their names, emails and phones too. Typing errors are forgiven."
        ),
    ],
    first: Annotated[int, strawberry.argument(description="How many, 1 to 50.")] = 20,
    status: Annotated[list[PartnerStatus] | None, strawberry.argument(description="Only of these standings.")] = None,
    segment: Annotated[str | None, strawberry.argument(description="Only of this segment.")] = None,
    account_manager_id: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only partners of this account manager, id of a User.")
    ] = None,
) -> dict[str, Any]:
    """Partners by what one remembers of them, best first (PAR-2)."""
    found = await partner_search.search(
        context.principal,
        query=query,
        first=first,
        statuses=status,
        segment=segment,
        manager_id=optional_key(account_manager_id, "User", "accountManagerId"),
    )
    looked_at(*(match.partner_id for match in found))
    return {
        "partners": [match.partner_id for match in found],
        "matches": [
            {
                "partner_id": encode_id("Partner", match.partner_id),
                "by_person": match.by_person,
                "score": round(match.score, 3),
            }
            for match in found
        ],
    }


async def partner_change_status(context: MutationContext, input: PartnerChangeStatusInput) -> dict[str, Any]:
    """Suspend, block, archive or restore a partner, with the reason (PAR-1)."""
    partner = await partner_standing.change_status(
        context.session,
        context.actor,
        partner_id=key_of(input.id, "Partner", "id"),
        version=input.version,
        status=input.status,
        reason=input.reason,
    )
    return {"partner": partner.id}


async def partner_contract_create(context: MutationContext, input: PartnerContractCreateInput) -> dict[str, Any]:
    """Enter a contract with a partner (PAR-3)."""
    values = given(input, nullable=_CONTRACT_NULLS)
    contract = await partner_contracts.create_contract(
        context.session,
        context.actor,
        partner_id=key_of(values.pop("partner_id"), "Partner", "partnerId"),
        values=cast(partner_contracts.ContractValues, values),
    )
    return {"contract": contract.id}


async def partner_contract_update(context: MutationContext, input: PartnerContractUpdateInput) -> dict[str, Any]:
    """Change a contract with a partner (PAR-3)."""
    contract = await partner_contracts.update_contract(
        context.session,
        context.actor,
        contract_id=key_of(input.id, "PartnerContract", "id"),
        version=input.version,
        values=cast(partner_contracts.ContractValues, given(input, nullable=_CONTRACT_NULLS)),
    )
    return {"contract": contract.id}


async def partner_note_create(context: MutationContext, input: PartnerNoteCreateInput) -> dict[str, Any]:
    """Write a note, a call or a meeting into a partner's timeline (PAR-4)."""
    note = await partner_contracts.add_note(
        context.session,
        context.actor,
        partner_id=key_of(input.partner_id, "Partner", "partnerId"),
        kind=input.kind,
        body=input.body,
    )
    return {"note": note.id}


@strawberry.type(description="Queries of partners beyond the tables.")
class PartnerCardQueries:
    """Queries of partners beyond the tables."""

    partner_search: Any = function_root(partner_search_, PartnerSearchResult, requires="partner:read")


@strawberry.type(description="Mutations of what belongs to a partner's card.")
class PartnerCardMutations:
    """Mutations of what belongs to a partner's card."""

    partner_change_status: Any = mutation(partner_change_status, PartnerPayload, requires="partner:status")
    partner_contract_create: Any = mutation(
        partner_contract_create, PartnerContractPayload, requires="partner_contract:write"
    )
    partner_contract_update: Any = mutation(
        partner_contract_update, PartnerContractPayload, requires="partner_contract:write"
    )
    partner_note_create: Any = mutation(
        partner_note_create, PartnerNotePayload, requires="partner_note:write", under_grant=True
    )
