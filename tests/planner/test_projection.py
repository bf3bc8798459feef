"""Whatever a caller may do, the schema made for it is a valid one (ACC-3)."""

from __future__ import annotations

import pytest
from graphql import validate_schema

from planner.projection import project
from policies.permissions import PERMISSIONS
from resolvers.root import planner


@pytest.mark.parametrize("permission", ["", *PERMISSIONS])
def test_a_schema_of_one_permission_is_valid(permission: str) -> None:
    schema = project(planner.schema, frozenset({"viewer:self", permission} - {""}))
    assert validate_schema(schema) == []
