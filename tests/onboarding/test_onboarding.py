"""Runs of installs through the steps of a product: by the product, by our people, by the partner (ONB-1)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.onboarding import PROGRESS_SQL, OnboardingTaskStatus, TaskState, progress_percent
from policies.roles import ROLES
from services import installs
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner, a_product, an_install
from tests.onboarding.conftest import Backend, add_step, run_id

RUN = """
query($id: ID!) { onboarding(id: $id) { status progressPercent needsHelp helpText helpAskedBy
  tasks { status reportedBy step { key titleRu } } changes(first: 50) { nodes { action step { key } } } } }
"""
REPORT = """
mutation($input: OnboardingReportInput!) { onboardingReport(input: $input) {
  onboarding { status progressPercent } userErrors { code field } } }
"""
STEP = """
mutation($input: OnboardingStepUpdateInput!) { onboardingStepUpdate(input: $input) {
  step { version archivedAt } userErrors { code field } } }
"""
CREATE = """
mutation($input: OnboardingStepCreateInput!) { onboardingStepCreate(input: $input) {
  step { key position required } userErrors { code field } } }
"""
HELP = """
mutation($input: OnboardingAskForHelpInput!) { onboardingAskForHelp(input: $input) {
  onboarding { needsHelp helpAskedBy } userErrors { code field } } }
"""


async def keys(owner: asyncpg.Connection, id: str) -> list[tuple[str, str]]:
    told = await payload(RUN, id=id)
    return [(task["step"]["key"], task["status"]) for task in told["tasks"]]


async def test_a_product_leads_an_install_through_its_steps(backend: Backend, owner: asyncpg.Connection) -> None:
    told = (await backend.call("")).json()
    assert (told["status"], told["progressPercent"], told["needsHelp"]) == ("RUNNING", 0, False)
    assert [step["key"] for step in told["steps"]] == ["dictionaries", "schedule", "import"]
    assert (await backend.report(dictionaries="DONE", schedule="IN_PROGRESS"))["progressPercent"] == 50
    # Late and repeated: nothing moves back, and the last movement stays.
    moved = await owner.fetchval("SELECT moved_at FROM onboardings")
    assert (await backend.report(dictionaries="IN_PROGRESS", schedule="IN_PROGRESS"))["changed"] == []
    assert await owner.fetchval("SELECT moved_at FROM onboardings") == moved
    done = await backend.report(schedule="DONE")
    assert (done["status"], done["progressPercent"], done["changed"]) == ("FINISHED", 100, ["schedule"])
    history = (await payload(RUN, id=await run_id(owner, backend.install)))["changes"]["nodes"]
    assert [change["action"] for change in reversed(history)] == [
        "started",
        "done",
        "in_progress",
        "done",
        "finished",
    ]
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'onboarding.report'") == 2
    assert await owner.fetchval("SELECT count(*) FROM product_events WHERE type LIKE 'onboarding%'") == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("/steps", {"steps": [{"key": "nope", "status": "DONE"}]}, 404, "UNKNOWN_STEP", "steps.0.key"),
        (
            "/steps",
            {"steps": [{"key": "import", "status": "DONE"}, {"key": "schedule", "status": "SKIPPED"}]},
            422,
            "STEP_REQUIRED",
            "steps.1.status",
        ),
        ("/steps", {"steps": [{"key": "import", "status": "READY"}]}, 400, "MALFORMED", "steps.0.status"),
        ("/steps", {"steps": []}, 400, "MALFORMED", "steps"),
        ("/steps", {"stepz": []}, 400, "MALFORMED", "stepz"),
        ("/steps", {"steps": ["x"]}, 400, "MALFORMED", "steps.0"),
        ("/help", {"text": "  "}, 422, "INVALID_VALUE", "text"),
        ("/help", {"text": 5}, 400, "MALFORMED", "text"),
        ("/help", {"text": "x" * 2_001}, 400, "MALFORMED", "text"),
    ],
)
async def test_wrong_reports_name_their_field_and_change_nothing(
    backend: Backend, owner: asyncpg.Connection, path: str, body: Any, status: int, code: str, field: str
) -> None:
    answer = await backend.call(path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["field"] == field
    assert await owner.fetchval("SELECT count(*) FROM onboarding_tasks WHERE status <> 'TODO'") == 0
    assert not await owner.fetchval("SELECT bool_or(needs_help) FROM onboardings")


async def test_a_product_reaches_its_own_installs_only(backend: Backend, owner: asyncpg.Connection) -> None:
    other = await a_product()
    body = {"steps": [{"key": "schedule", "status": "DONE"}]}
    assert (await backend.call("/steps", body, token=other.project_token)).status_code == 404
    assert (await backend.call("", token=other.project_token)).status_code == 404
    assert (await backend.call("/steps", body, token="kpt_wrong")).status_code == 401
    bare = await an_install((await a_partner()).id, other.product.id)
    answer = await backend.call("/steps", body, install=bare.id, token=other.project_token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NO_STEPS")
    assert await owner.fetchval("SELECT count(*) FROM onboardings") == 1


async def test_steps_come_and_go_while_runs_go_on(backend: Backend, owner: asyncpg.Connection) -> None:
    id = await run_id(owner, backend.install)
    await backend.report(dictionaries="DONE")
    made = await payload(
        CREATE,
        input={
            "productId": encode_id("Product", backend.product),
            "key": "pay",
            "titleRu": "Оплата",
            "titleEn": "Payment",
            "position": 5,
        },
    )
    assert made["step"] == {"key": "pay", "position": 5, "required": True}
    assert [key for key, _ in await keys(owner, id)] == ["pay", "dictionaries", "schedule", "import"]
    assert (await payload(RUN, id=id))["progressPercent"] == 33
    for key in ("pay", "schedule"):
        step = await owner.fetchrow("SELECT id, version FROM onboarding_steps WHERE key = $1", key)
        assert step is not None
        gone = {"id": encode_id("OnboardingStep", step["id"]), "version": step["version"], "archived": True}
        assert (await payload(STEP, input=gone))["userErrors"] == []
        stale = await payload(STEP, input={**gone, "archived": False})
        assert stale["userErrors"] == [{"code": "VERSION_CONFLICT", "field": ["input", "version"]}]
    # What was left is done: the run is finished by the archiving.
    told = await payload(RUN, id=id)
    assert (told["status"], told["progressPercent"]) == ("FINISHED", 100)
    assert [key for key, _ in await keys(owner, id)] == ["dictionaries", "import"]
    # A finished run takes a new step only when the product says that it matters there.
    await add_step(backend.product, "sms")
    assert "sms" not in dict(await keys(owner, id))
    again = await backend.report(sms="IN_PROGRESS")
    assert (again["status"], again["progressPercent"]) == ("RUNNING", 50)
    bad = {"productId": encode_id("Product", backend.product), "titleRu": "x", "titleEn": "x"}
    taken = await payload(CREATE, input={**bad, "key": "sms"})
    assert taken["userErrors"] == [{"code": "TAKEN", "field": ["input", "key"]}]
    odd = await payload(CREATE, input={**bad, "key": "Два слова"})
    assert odd["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "key"]}]


async def test_our_people_correct_and_a_disabled_install_stops(backend: Backend, owner: asyncpg.Connection) -> None:
    id = await run_id(owner, backend.install)
    await backend.report(dictionaries="DONE", schedule="DONE")
    back = {"id": id, "tasks": [{"key": "schedule", "status": "TODO"}]}
    assert (await payload(REPORT, input=back))["onboarding"] == {"status": "RUNNING", "progressPercent": 50}
    async with transaction() as session:
        await installs.disable(session, STAFF, install_id=backend.install)
    assert (await payload(RUN, id=id))["status"] == "STOPPED"
    refused = await payload(REPORT, input=back)
    assert refused["userErrors"] == [{"code": "ONBOARDING_STOPPED", "field": ["input", "id"]}]
    late = await backend.call("/steps", {"steps": [{"key": "schedule", "status": "DONE"}]})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "INSTALL_DISABLED")
    await add_step(backend.product, "sms")
    await an_install(backend.partner, backend.product)
    told = await payload(RUN, id=id)
    assert (told["status"], told["progressPercent"]) == ("RUNNING", 33)


async def test_the_partner_sees_its_own_and_calls_for_help(backend: Backend, owner: asyncpg.Connection) -> None:
    other = await an_install((await a_partner()).id, backend.product)
    mine, foreign = await run_id(owner, backend.install), await run_id(owner, other.id)
    seen = await payload("{ onboardings { nodes { id tasks { step { titleEn } } } } }", backend.owner_user)
    assert [node["id"] for node in seen["nodes"]] == [mine]
    assert len(seen["nodes"][0]["tasks"]) == 3
    asked = await payload(HELP, backend.owner_user, input={"id": mine, "text": "Call Anna, +7 999"})
    assert asked["onboarding"] == {"needsHelp": True, "helpAskedBy": "PARTNER"}
    hidden = await payload(HELP, backend.owner_user, input={"id": foreign, "text": "x"})
    assert hidden["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "id"]}]
    trail = await owner.fetchval("SELECT string_agg(after::text, '') FROM audit_events")
    assert "Anna" not in trail
    denied = await run(REPORT, backend.owner_user, input={"id": mine, "tasks": [{"key": "import", "status": "DONE"}]})
    assert denied["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    support = Principal(kind="staff", permissions=ROLES["SUPPORT"][1], roles=("SUPPORT",))
    forbidden = await run(HELP, support, input={"id": mine, "text": "x"})
    assert forbidden["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    calling = await payload("{ onboardings(filter: {needsHelp: true}) { nodes { id helpText } } }")
    assert calling["nodes"] == [{"id": mine, "helpText": "Call Anna, +7 999"}]
    assert (await backend.call("/help", {"text": "And Ivan"})).json()["needsHelp"] is True
    assert (await payload(RUN, id=mine))["helpAskedBy"] == "PRODUCT"
    resolve = """mutation($input: OnboardingResolveHelpInput!) { onboardingResolveHelp(input: $input) {
      onboarding { needsHelp helpText } userErrors { code } } }"""
    for _ in range(2):
        solved = await payload(resolve, input={"id": mine})
        assert solved["onboarding"] == {"needsHelp": False, "helpText": None}


async def test_the_stuck_are_listed_longest_first_by_the_index(backend: Backend, owner: asyncpg.Connection) -> None:
    stuck = """query($days: Int!) { onboardings(filter: {status: RUNNING, unmovedForDays: $days, unassigned: true},
      orderBy: {field: MOVED_AT, direction: ASC}) { nodes { databaseId } } }"""
    first = backend.install
    clock.travel(clock.now() + timedelta(days=3))
    second = (await an_install((await a_partner()).id, backend.product)).id
    clock.travel(clock.now() + timedelta(days=5))
    ids = dict(await owner.fetch("SELECT install_id, id::text FROM onboardings"))

    async def listed(days: int) -> list[str]:
        return [node["databaseId"] for node in (await payload(stuck, days=days))["nodes"]]

    assert await listed(4) == [ids[first], ids[second]]
    assert await listed(7) == [ids[first]]
    assert await listed(9) == []
    out = await run(stuck, days=-1)
    assert out["errors"][0]["extensions"]["code"] == "INVALID_PAGE"
    user = await owner.fetchval(
        "INSERT INTO users (kind, email, full_name, password_hash) VALUES ('STAFF', 'a@b.test', 'A', 'x') RETURNING id"
    )
    assign = """mutation($input: OnboardingAssignInput!) { onboardingAssign(input: $input) {
      onboarding { responsible { databaseId } } userErrors { code field } } }"""
    asked = {"id": encode_id("Onboarding", int(ids[first])), "responsibleId": encode_id("User", user)}
    named = await payload(assign, input=asked)
    assert named["onboarding"] == {"responsible": {"databaseId": str(user)}}
    assert await listed(4) == [ids[second]]
    gone = await owner.fetchval(
        "INSERT INTO users (kind, status, email, full_name) VALUES ('STAFF', 'BLOCKED', 'g@b.test', 'G') RETURNING id"
    )
    for other in (999, gone):
        nobody = await payload(assign, input={**asked, "responsibleId": encode_id("User", other)})
        assert nobody["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "responsibleId"]}]
    await owner.execute("SET enable_seqscan = off")
    plan = await owner.fetch(
        "EXPLAIN SELECT id FROM onboardings WHERE status = 'RUNNING' AND moved_at < now() ORDER BY moved_at, id LIMIT 20"
    )
    assert "ix_onboardings_movement" in str(plan)
    assert "Sort" not in str(plan)


async def test_reports_race_with_the_archiving_of_what_is_left(backend: Backend, owner: asyncpg.Connection) -> None:
    """Whoever comes first, a run with nothing left to do is finished."""
    for number in range(6):
        await add_step(backend.product, f"extra-{number}")
    await backend.report(dictionaries="DONE", schedule="DONE", **{f"extra-{n}": "DONE" for n in range(0, 6, 2)})
    steps = await owner.fetch("SELECT id FROM onboarding_steps WHERE key = ANY ($1)", [f"extra-{n}" for n in (3, 5)])
    archived = [
        payload(STEP, input={"id": encode_id("OnboardingStep", step["id"]), "version": 1, "archived": True})
        for step in steps
    ]
    await asyncio.gather(*archived, *(backend.report(**{"extra-1": "DONE"}) for _ in range(4)))
    assert await owner.fetchrow("SELECT status, count(*) OVER () FROM onboardings") == ("FINISHED", 1)


async def test_an_install_older_than_the_steps_is_started_by_hand(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product.id
    install = await an_install((await a_partner()).id, product)
    start = """mutation($input: OnboardingStartInput!) { onboardingStart(input: $input) {
      onboarding { status tasks { status } } userErrors { code field } } }"""
    asked = {"installId": encode_id("Install", install.id)}
    assert (await payload(start, input=asked))["userErrors"] == [{"code": "NO_STEPS", "field": ["input", "installId"]}]
    await add_step(product, "only", required=False)
    for _ in range(2):
        begun = await payload(start, input=asked)
        assert begun["onboarding"] == {"status": "RUNNING", "tasks": [{"status": "TODO"}]}
    assert await owner.fetchval("SELECT count(*) FROM onboarding_changes") == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tasks=st.lists(st.tuples(st.booleans(), st.sampled_from(OnboardingTaskStatus)), max_size=6))
async def test_sql_and_rules_agree_on_progress(
    backend: Backend, owner: asyncpg.Connection, tasks: list[tuple[bool, OnboardingTaskStatus]]
) -> None:
    async with owner.transaction():
        await owner.execute("DELETE FROM onboarding_tasks")
        run = await owner.fetchrow("SELECT id, partner_id FROM onboardings")
        assert run is not None
        for place, (required, status) in enumerate(tasks):
            step = await owner.fetchval(
                """INSERT INTO onboarding_steps (product_id, key, title_ru, title_en, required, position)
                VALUES ($1, $2, 'x', 'x', $3, 1)
                ON CONFLICT (product_id, key) DO UPDATE SET required = excluded.required RETURNING id""",
                backend.product,
                f"k{place}",
                required,
            )
            await owner.execute(
                "INSERT INTO onboarding_tasks (partner_id, onboarding_id, step_id, status) VALUES ($1, $2, $3, $4)",
                run["partner_id"],
                run["id"],
                step,
                status,
            )
        found = await owner.fetchval(PROGRESS_SQL.format(run="$1::bigint"), run["id"])
    assert found == progress_percent(TaskState(*task) for task in tasks)
