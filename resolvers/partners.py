"""Doors to partners and their people (PAR-1)."""

from __future__ import annotations

from typing import Any, cast

import strawberry

from core.errors import NotFound
from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from schema.partners import (
    ContactCreateInput,
    ContactDeleteInput,
    ContactDeletePayload,
    ContactPayload,
    ContactUpdateInput,
    PartnerAssignManagerInput,
    PartnerAssignManagerPayload,
    PartnerCreateInput,
    PartnerPayload,
    PartnerUpdateInput,
)
from services import partner_contacts, partners

_PARTNER_NULLS = frozenset(
    {
        "legal_name",
        "inn",
        "kpp",
        "ogrn",
        "segment",
        "status_reason",
        "connected_at",
        "branch_count",
        "account_manager_id",
        "amocrm_account_id",
        "amocrm_domain",
    }
)
_CONTACT_NULLS = frozenset({"email", "phone", "position"})


async def partner_create(context: MutationContext, input: PartnerCreateInput) -> dict[str, Any]:
    """Make a partner's card (PAR-1)."""
    partner = await partners.create(context.session, context.actor, values=_partner_values(input))
    return {"partner": partner.id}


async def partner_update(context: MutationContext, input: PartnerUpdateInput) -> dict[str, Any]:
    """Change a partner's card; a change of somebody else in between is a conflict (PAR-1)."""
    partner = await partners.update_card(
        context.session,
        context.actor,
        partner_id=key_of(input.id, "Partner", "id"),
        version=input.version,
        values=_partner_values(input),
    )
    return {"partner": partner.id}


async def partner_assign_manager(context: MutationContext, input: PartnerAssignManagerInput) -> dict[str, Any]:
    """Give up to 1,000 partners another account manager at once, with a result for each (PAR-1)."""
    keys = [key_of(value, "Partner", "ids") for value in input.ids]
    found = await partners.assign_manager(
        context.session,
        context.actor,
        partner_ids=keys,
        manager_id=optional_key(input.account_manager_id, "User", "accountManagerId"),
    )
    results = [
        {"partner_id": value, "changed": found.get(key, False), "code": None if key in found else NotFound.code}
        for value, key in zip(input.ids, keys, strict=True)
    ]
    return {"results": results}


async def contact_create(context: MutationContext, input: ContactCreateInput) -> dict[str, Any]:
    """Add a person at a partner (PAR-1)."""
    values = given(input, nullable=_CONTACT_NULLS)
    partner_id = key_of(values.pop("partner_id"), "Partner", "partnerId")
    contact = await partner_contacts.create_contact(
        context.session, context.actor, partner_id=partner_id, values=cast(partner_contacts.ContactValues, values)
    )
    return {"contact": contact.id}


async def contact_update(context: MutationContext, input: ContactUpdateInput) -> dict[str, Any]:
    """Change a person at a partner; a change of somebody else in between is a conflict (PAR-1)."""
    contact = await partner_contacts.update_contact(
        context.session,
        context.actor,
        contact_id=key_of(input.id, "Contact", "id"),
        version=input.version,
        values=cast(partner_contacts.ContactValues, given(input, nullable=_CONTACT_NULLS)),
    )
    return {"contact": contact.id}


async def contact_delete(context: MutationContext, input: ContactDeleteInput) -> dict[str, Any]:
    """Delete a person at a partner; the primary contact of several needs a successor first (PAR-1)."""
    await partner_contacts.delete_contact(
        context.session, context.actor, contact_id=key_of(input.id, "Contact", "id"), version=input.version
    )
    return {}


def _partner_values(asked: PartnerCreateInput | PartnerUpdateInput) -> partners.PartnerValues:
    values = given(asked, nullable=_PARTNER_NULLS)
    if "account_manager_id" in values:
        values["account_manager_id"] = optional_key(values["account_manager_id"], "User", "accountManagerId")
    return cast(partners.PartnerValues, values)


@strawberry.type(description="Mutations of partners and contacts.")
class PartnerMutations:
    """Mutations of partners and contacts."""

    partner_create: Any = mutation(partner_create, PartnerPayload, requires="partner:write")
    partner_update: Any = mutation(partner_update, PartnerPayload, requires="partner:write")
    partner_assign_manager: Any = mutation(
        partner_assign_manager, PartnerAssignManagerPayload, requires="partner:write"
    )
    contact_create: Any = mutation(contact_create, ContactPayload, requires="partner:write")
    contact_update: Any = mutation(contact_update, ContactPayload, requires="partner:write")
    contact_delete: Any = mutation(contact_delete, ContactDeletePayload, requires="partner:write")
