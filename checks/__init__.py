"""The checks: one file per cause."""
