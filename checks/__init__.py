"""The checks: one file a cause."""
