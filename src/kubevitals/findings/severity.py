"""How bad a finding is: two levels, which facts may know, too."""

from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is."""

    WARNING = "warning"
    """A risk, or something that is over."""
    ERROR = "error"
    """Broken now."""
