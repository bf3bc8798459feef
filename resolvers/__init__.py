"""Doors: each file composes one domain's queries and mutations from services and the planner."""
