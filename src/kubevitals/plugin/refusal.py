"""How a run is refused: with one line, and before a report replaces an earlier one."""

import pytest

from kubevitals.errors import Unusable
from kubevitals.reports.html import adapter


def refusal(error: Unusable, config: pytest.Config) -> pytest.UsageError:
    """Return the error that ends the run; no report is written."""
    adapter.cancel(config)
    return pytest.UsageError(str(error))
