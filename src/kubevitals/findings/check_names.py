"""What checks are called: ``cause[variant]``."""


def check_name(cause: str, variant: str) -> str:
    """Return the name of a cause's variant."""
    return f"{cause}[{variant}]"


def cause_in(check: str) -> str:
    """Return the cause in a check's name, which may be a cause's name alone."""
    return check.partition("[")[0]


def variant_in(check: str) -> str:
    """Return the variant in a check's name; nothing where it is a cause's name alone."""
    return check.partition("[")[2].removesuffix("]")
