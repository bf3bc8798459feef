"""Products' and partners' own endpoints, called with Standard Webhooks signatures (NOT-2)."""
