"""The names of checks: ``cause[variant]``."""


def check_name(cause: str, variant: str) -> str:
    """Return the name of the check for a variant of a cause."""
    return f"{cause}[{variant}]"


def cause_in(check: str) -> str:
    """Return the cause in the name of a check. The name may be that of a cause, without a variant."""
    return check.partition("[")[0]


def variant_in(check: str) -> str:
    """Return the variant in the name of a check; nothing if it is the name of a cause."""
    return check.partition("[")[2].removesuffix("]")
