"""Pure business rules without I/O."""
