"""Loads the plugin when pytest runs from a clone, and gives each worker of pytest-xdist whole files of tests."""

from typing import Any

import pytest

pytest_plugins = ["kubevitals.plugin.hooks"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares fixtures, unless the user chooses another way with --dist."""
    if config.option.dist != "load":
        return None
    from tests.sharing import ByFile

    config.option.loadscopereorder = False
    return ByFile(config, log)
