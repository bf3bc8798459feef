"""The `kontora` command."""
