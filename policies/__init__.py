"""Permissions, roles and row scopes."""
