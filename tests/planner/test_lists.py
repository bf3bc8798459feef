"""No list reads or sorts a whole table: every page that the schema can be asked for is read by an index.

The pages come from the schema: each connection, root and nested, for our staff, for a partner and under an access
grant, in each of its orders, both ways, with a cursor and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import asyncpg
import pytest

from models.reach import GRANTEE_OWN
from planner.pages import BY_KEY
from planner.sources import FilterTerm
from tests.marked import fill
from tests.planner.lists import (
    CALLERS,
    PAGES,
    UNINDEXED,
    UNORDERED,
    Caller,
    Listed,
    beginnings,
    compiled,
    connections,
    cut,
    explained,
    nodes,
    pretend,
    readers,
)

# Tables that stay small, whatever the company grows to: a page may read all of one.
SMALL: Mapping[str, str] = MappingProxyType(
    {
        "coin_packages": "what is on sale",
        "currency_rates": "one for each currency and day",
        "event_circuits": "one for each address that products are told at",
        "legal_entities": "our own",
        "modules": "parts of products",
        "onboarding_steps": "steps of products",
        "permissions": "the vocabulary",
        "plan_modules": "parts of plans",
        "plan_prices": "prices of plans",
        "plans": "tariffs",
        "products": "what we sell",
        "reconciliations": "one for each gateway and day",
        "roles": "sets of permissions",
    }
)
# Orders that no index serves, for to keep it would cost more than such pages do.
SORTED: Mapping[str, str] = MappingProxyType(
    {
        "wallets.BALANCE": "every charge would write it, and move the wallet's row for it",
        "wallets.LAST_ACTIVITY_AT": "every charge would write it, and move the wallet's row for it",
        "wallets.SPENT": "every charge would write it, and move the wallet's row for it",
    }
)
# Lists, and orders of those that a partner or another row holds, which are few once an index has found them: these may
# be sorted.
FEW: Mapping[str, str] = MappingProxyType(
    {
        "Invoice.documents": "one of each kind",
        "Partner.installs": "one for each product",
        "Payment.closingReceipts": "one",
        "Query.installs": "one for each product",
        "Query.onboardingChanges": "steps of a partner's installs",
        "Query.partnerActivities": "one",
        "Query.sessions": "sign-ins of a partner's users",
        "Query.subscriptionChanges": "changes of a partner's subscriptions",
        "Reconciliation.differences": "what differs of one day",
        "Subscription.notices": "a few before each end",
        "api_tokens.EXPIRES_AT": "those of a partner's users",
        "idempotency_records.EXPIRES_AT": "a partner's of the last days",
        "invoices.DUE_AT": "a partner's, or an install's",
        "invoices.TOTAL": "a partner's, or an install's",
        "onboardings.MOVED_AT": "one for each install",
        "outbox_messages.AVAILABLE_AT": "a partner's of the last days",
        "outside_payments.PAID_AT": "lines of one bank statement",
        "sessions.LAST_USED_AT": "sign-ins of one user, or of a partner's users",
        "subscriptions.ENDS_AT": "a partner's, or an install's",
    }
)
COUNT, PAGE = "{ totalCount }", "{ nodes { id } }"
# Filters, or values of theirs, that no index begins with: such a page walks its order and leaves rows out.
WALKED: Mapping[str, str] = MappingProxyType(
    {
        "audit_events.entity_id": "a number of what, `entityType` says, and both have an index",
        "bulk_operation_problems.code": "asked of one operation, whose problems have an index",
        "bulk_operations.kind": "begun by people, so they are few",
        "bulk_operations.status": "begun by people, so they are few",
        "closing_receipts.due_before": "asked of those that wait, which have an index",
        "closing_receipts.due_from": "asked of those that wait, which have an index",
        "contacts.is_primary False": "most",
        "dead_letters.kind": "asked of the open ones, which have an index",
        "gateway_notifications.status APPLIED": "most",
        "idempotency_records.mutation": "kept for some days",
        "invoice_documents.kind": "a half each",
        "invoices.kind": "one in a few",
        "invoices.top_up False": "most",
        "mails.status SENT": "most",
        "mails.template": "one in a few",
        "oauth_tokens.active False": "most",
        "oauth_tokens.authorization_lost False": "most",
        "oauth_tokens.expires_before": "asked of the active ones, which have an index",
        "onboarding_tasks.status": "one in a few",
        "onboardings.needs_help False": "most",
        "outbox_messages.kind": "one in a few, and kept for some days",
        "outbox_messages.status DONE": "most",
        "outside_payments.reason": "asked of the new ones, which have an index",
        "partner_contracts.status": "one in a few",
        "partner_documents.kind": "one in a few",
        "partner_documents.status DELETED": "one in a few",
        "partner_documents.status REJECTED": "one in a few",
        "partner_notes.kind": "one in a few",
        "payments.method": "one in a few",
        "product_events.status DELIVERED": "most",
        "product_events.type": "one in a few",
        "reconciliation_differences.kind": "one in a few",
        "reconciliation_differences.repaired True": "most",
        "subscriptions.auto_renew": "one in a few",
        "subscriptions.term": "one in a few",
        "users.status": "one in a few",
        "wallet_holds.status CAPTURED": "most",
        "wallet_holds.status EXPIRED": "one in a few",
        "wallet_holds.status RELEASED": "one in a few",
        "wallet_lots.open False": "most",
        "wallet_transactions.kind USAGE": "most",
        "wallets.active_before": "every charge would write the index, and move the wallet's row for it",
        "wallets.active_from": "every charge would write the index, and move the wallet's row for it",
        "wallets.balance_before": "every charge would write the index, and move the wallet's row for it",
        "wallets.balance_from": "every charge would write the index, and move the wallet's row for it",
        "wallets.low False": "most",
    }
)


async def test_each_page_is_read_by_an_index(owner: asyncpg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    await fill(owner)
    await pretend(owner)
    faults, pages, spared = [], 0, set()
    for listed in connections():
        if listed.table.name in SMALL:
            continue
        for order in listed.orders():
            for who, caller in CALLERS.items():
                sql = compiled(listed.pages(order), caller)
                if sql is None:
                    continue
                pages += len(PAGES)
                fault = await _unordered(owner, listed, caller, sql)
                name = _spared(listed, order, caller) if fault else None
                if name is not None:
                    spared.add(name)
                    fault = await _unfound(owner, listed, caller, sql)
                if fault:
                    faults.append(f"{listed.coordinate} by {order} for {who}: {fault}")
    with capsys.disabled():
        print(f"\nlists: {pages} pages, {len(spared)} lists or orders sort what an index finds")
    assert faults == []
    assert {*FEW, *SORTED} <= spared, "an index serves what is said to have none"
    await owner.execute("DROP INDEX ix_payments_created_at_id")
    listed, caller = next(one for one in connections() if one.coordinate == "Query.payments"), CALLERS["staff"]
    without = await _unordered(owner, listed, caller, compiled(listed.pages("CREATED_AT"), caller) or "")
    assert without == "DESC, first: Sort", "the pages would be read so without their index"


async def test_each_filter_is_entered_by_an_index(
    owner: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(owner)
    await pretend(owner)
    begins = await beginnings(owner)
    staff, asked, walked = CALLERS["staff"], 0, set()
    for listed in connections():
        if listed.table.name in SMALL or listed.link is not None:
            continue
        for name, term, argument, value in listed.filters():
            if term.column.name == "created_at":
                assert listed.orders()[BY_KEY] is not None, (
                    f"{listed.coordinate} between two moments begins at the newest"
                )
            asked += 1
            # To be counted, rows need not be in an order; a page may be in the order of the filter itself.
            for body, without in ((COUNT, UNINDEXED), (PAGE, UNORDERED)):
                sql = compiled(listed.filtered(argument, body), staff, value=value)
                plan = await explained(owner, sql or "", staff, without)
                read = [node for node in readers(plan, listed.table) if node["Node Type"] != "Bitmap Index Scan"]
                assert read, (listed.coordinate, argument)
                if all(any(_enters(below, term, begins) for below in nodes(node)) for node in read):
                    break
            else:
                field = f"{listed.table.name}.{name}"
                member = f"{field} {value[0] if isinstance(value, list) else value}"
                walked.add(member if member in WALKED else field)
    with capsys.disabled():
        print(f"\nfilters: {asked} conditions, {len(walked)} walk the order")
    assert walked == set(WALKED)


def _enters(node: dict[str, Any], term: FilterTerm, begins: Mapping[str, str]) -> bool:
    """Whether a node enters an index by what a filter's condition is on, or reads one over just such rows."""
    condition, begin = node.get("Index Cond", ""), begins.get(node.get("Index Name", ""), "")
    if term.kind == "meets":
        return bool(condition)
    if term.kind == "listed":
        return "partner_id" in condition
    column, rows = term.column.name, begin.partition(" ")[2]
    just_such = column in rows and "IS NOT NULL" not in rows
    return just_such or (column in begin.partition(" ")[0] and column in condition)


def _spared(listed: Listed, order: str, caller: Caller) -> str | None:
    """By what name the pages are excused from their order; None where they are not."""
    names = (listed.coordinate, f"{listed.table.name}.{order}")
    few = FEW if listed.held_by(caller) is not None else {}
    excused = next((name for name in names if name in few or name in SORTED), None)
    # A partner's rows or one's own: each are found by an index, and no index has both in order.
    both = listed.table.name in GRANTEE_OWN and caller is CALLERS["support"] and listed.link is None
    return excused or (listed.table.name if both else None)


async def _unordered(owner: asyncpg.Connection, listed: Listed, caller: Caller, sql: str) -> str:
    """What keeps a page from being read in its order from where it begins; empty where nothing does."""
    pages = cut(await explained(owner, sql, caller, UNORDERED), listed.table)
    held = listed.held_by(caller)
    for (direction, window, edge), page in zip(PAGES, pages, strict=True):
        asked = f"{direction}, {window} {edge}".strip()
        for node in nodes(page):
            if node["Node Type"] in ("Sort", "Incremental Sort", "Seq Scan", "Bitmap Heap Scan"):
                return f"{asked}: {node['Node Type']}"
        for node in readers(page, listed.table):
            condition = node.get("Index Cond", "")
            if held is not None and held not in condition:
                return f"{asked}: {node['Index Name']} is not entered by {held}"
            if edge and not {"<", ">"} & set(condition):
                return f"{asked}: {node['Index Name']} is not entered at the cursor"
    return ""


async def _unfound(owner: asyncpg.Connection, listed: Listed, caller: Caller, sql: str) -> str:
    """What keeps the rows of a held page from being found by an index; empty where nothing does."""
    held = listed.held_by(caller)
    if held is None:
        return ""
    for page in cut(await explained(owner, sql, caller, UNINDEXED), listed.table):
        for node in readers(page, listed.table):
            if not any(held in below.get("Index Cond", "") for below in nodes(node)):
                return f"{node['Node Type']} {node.get('Index Name', '')} does not find the rows by {held}"
    return ""
