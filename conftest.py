"""Loads the plugin when pytest runs from a clone, and shares tests among the workers of pytest-xdist by whole files."""

import os
from typing import Any

import pytest

pytest_plugins = ["kubevitals.plugin.hooks"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the workers for `-n auto`: two for each core, up to eight, since many tests wait for a time limit."""
    cores = os.cpu_count() or 1
    return max(cores, min(2 * cores, 8))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares fixtures, unless the user chooses another way with --dist."""
    if config.option.dist != "load":
        return None
    from tests.sharing import ByFile

    config.option.loadscopereorder = False
    return ByFile(config, log)
