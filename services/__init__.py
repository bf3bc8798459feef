"""Verbs: one business action is one function is one transaction."""
