"""Actors of the money path."""
