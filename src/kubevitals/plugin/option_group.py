"""Where options are declared."""

from typing import Any, Protocol

import pytest


class Group(Protocol):
    """Takes the declarations of options, with the arguments of argparse."""

    def addoption(self, *opts: str, **attrs: Any) -> None:
        """Declare an option."""


def group_of(parser: pytest.Parser) -> Group:
    """Return the group of kubevitals' options among those of pytest."""
    return parser.getgroup("kubevitals", "kubevitals: health of a Kubernetes cluster")
