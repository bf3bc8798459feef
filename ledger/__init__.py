"""The double-entry journal: accounts, posting and invariants."""
