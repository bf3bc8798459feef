"""Doors to access grants and to the reasons for looking at partners' data (ACC-5)."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from core.database import transaction
from core.ids import encode_id
from core.looks import looked_at
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from schema.access_grants import (
    AccessGrantApproveInput,
    AccessGrantDenyInput,
    AccessGrantInput,
    AccessGrantPartner,
    AccessGrantPayload,
    AccessGrantRequestInput,
    AccessReasonPayload,
    AccessReasonSetInput,
)
from services import access_grants


async def access_grant_partners(
    context: RunContext,
    query: Annotated[
        str, strawberry.argument(description="At least 3 characters of the partner's name, or its number.")
    ],
) -> list[dict[str, Any]]:
    """Partners that access can be asked for, at most 20: their names and ids, and nothing else (ACC-5)."""
    async with transaction() as session:
        found = await access_grants.partners_to_ask_for(session, context.principal, query=query)
    looked_at(*(partner.partner_id for partner in found))
    return [{"partner_id": encode_id("Partner", partner.partner_id), "name": partner.name} for partner in found]


async def access_grant_request(context: MutationContext, input: AccessGrantRequestInput) -> dict[str, Any]:
    """Ask for access to one partner's data, with the reason and for how long; somebody else decides (ACC-5)."""
    grant = await access_grants.request(
        context.session,
        context.actor,
        partner_id=key_of(input.partner_id, "Partner", "partnerId"),
        reason=input.reason,
        ticket=input.ticket,
        minutes=input.minutes,
    )
    return {"access_grant": grant.id}


async def access_grant_approve(context: MutationContext, input: AccessGrantApproveInput) -> dict[str, Any]:
    """Give the access that somebody else has asked for, from now on (ACC-5)."""
    grant = await access_grants.approve(
        context.session,
        context.actor,
        grant_id=key_of(input.id, "AccessGrant", "id"),
        minutes=input.minutes,
        note=input.note,
    )
    return {"access_grant": grant.id}


async def access_grant_deny(context: MutationContext, input: AccessGrantDenyInput) -> dict[str, Any]:
    """Refuse the access that somebody else has asked for (ACC-5)."""
    grant = await access_grants.deny(
        context.session, context.actor, grant_id=key_of(input.id, "AccessGrant", "id"), note=input.note
    )
    return {"access_grant": grant.id}


async def access_grant_revoke(context: MutationContext, input: AccessGrantInput) -> dict[str, Any]:
    """End an access grant at once, or take a request back: whoever asked, or whoever may approve (ACC-5)."""
    grant = await access_grants.revoke(context.session, context.actor, grant_id=key_of(input.id, "AccessGrant", "id"))
    return {"access_grant": grant.id}


async def access_grant_use(context: MutationContext, input: AccessGrantInput) -> dict[str, Any]:
    """Choose which of several grants the session works under: one partner's data at a time (ACC-5)."""
    grant = await access_grants.use(context.session, context.actor, grant_id=key_of(input.id, "AccessGrant", "id"))
    return {"access_grant": grant.id}


async def access_reason_set(context: MutationContext, input: AccessReasonSetInput) -> dict[str, Any]:
    """Say once a working session why one looks at partners' data; it stands in each access log entry (ACC-5)."""
    return {"reason": await access_grants.state_reason(context.session, context.actor, reason=input.reason)}


@strawberry.type(description="Queries of access grants.")
class AccessGrantQueries:
    """Queries of access grants."""

    access_grant_partners: Any = function_root(
        access_grant_partners, list[AccessGrantPartner], requires=access_grants.REQUEST
    )


@strawberry.type(description="Mutations of access grants.")
class AccessGrantMutations:
    """Mutations of access grants."""

    access_grant_request: Any = mutation(access_grant_request, AccessGrantPayload, requires=access_grants.REQUEST)
    access_grant_approve: Any = mutation(access_grant_approve, AccessGrantPayload, requires=access_grants.APPROVE)
    access_grant_deny: Any = mutation(access_grant_deny, AccessGrantPayload, requires=access_grants.APPROVE)
    access_grant_revoke: Any = mutation(access_grant_revoke, AccessGrantPayload, requires="access_grant:read")
    access_grant_use: Any = mutation(access_grant_use, AccessGrantPayload, requires=access_grants.REQUEST)
    access_reason_set: Any = mutation(access_reason_set, AccessReasonPayload, requires="viewer:self")
