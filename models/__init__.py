"""The shape of the truth: tables, constraints and row-level security."""
