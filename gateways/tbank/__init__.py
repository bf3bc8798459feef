"""T-Bank internet acquiring, API v2 (GW-1)."""
