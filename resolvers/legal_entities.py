"""Doors to our legal entities (INV-4)."""

from __future__ import annotations

from typing import Any, cast

import strawberry

from resolvers.inputs import given, key_of
from resolvers.mutation import MutationContext, mutation
from schema.legal_entities import LegalEntityCreateInput, LegalEntityPayload, LegalEntityUpdateInput
from services import legal_entities

_NULLS = frozenset({"kpp", "ogrn", "accountant", "vat_rate"})


async def legal_entity_create(context: MutationContext, input: LegalEntityCreateInput) -> dict[str, Any]:
    """Enter a legal entity of ours, with the bank details and VAT rate of its invoices (INV-4)."""
    values = given(input, nullable=_NULLS)
    entity = await legal_entities.create(
        context.session,
        context.actor,
        code=values.pop("code"),
        values=cast(legal_entities.LegalEntityValues, values),
    )
    return {"legal_entity": entity.id}


async def legal_entity_update(context: MutationContext, input: LegalEntityUpdateInput) -> dict[str, Any]:
    """Change a legal entity of ours; documents that were issued stay as they are (INV-4)."""
    entity = await legal_entities.change(
        context.session,
        context.actor,
        legal_entity_id=key_of(input.id, "LegalEntity", "id"),
        version=input.version,
        values=cast(legal_entities.LegalEntityValues, given(input, nullable=_NULLS)),
    )
    return {"legal_entity": entity.id}


@strawberry.type(description="Mutations of our legal entities.")
class LegalEntityMutations:
    """Mutations of our legal entities."""

    legal_entity_create: Any = mutation(legal_entity_create, LegalEntityPayload, requires="legal_entity:write")
    legal_entity_update: Any = mutation(legal_entity_update, LegalEntityPayload, requires="legal_entity:write")
