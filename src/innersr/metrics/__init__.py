"""How good a result is: one measure per file."""
