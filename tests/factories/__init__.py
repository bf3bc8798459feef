"""Builders of valid worlds, made by the real verbs."""
