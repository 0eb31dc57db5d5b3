"""What each run of pytest in this process would read and compile again, read and compiled once."""

import importlib.metadata
import sys
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path

import pytest
import pytest_html.plugin
from _pytest.fixtures import FixtureManager
from pytest_html.util import _read_template


def read_once(environment: pytest.MonkeyPatch) -> None:
    """Keep the metadata of the installed packages, in which pytest looks for plugins, and pytest-html's template.

    pytest's own plugins are not searched again for fixtures that other decorators hide.
    """
    _installed_packages(environment)
    template = cache(lambda: _read_template([Path(pytest_html.plugin.__file__).with_name("resources")]))
    environment.setattr(pytest_html.plugin, "_read_template", lambda _: template())
    environment.setattr(FixtureManager, "_check_for_wrapped_fixture", lambda *_: None, raising=False)


def _installed_packages(environment: pytest.MonkeyPatch) -> None:
    """Keep what is installed in the folders of `sys.path`: where a test adds one, they are looked through again."""
    distributions = importlib.metadata.distributions
    found = cache(lambda *_: tuple(distributions()))
    environment.setattr(importlib.metadata, "distributions", lambda: found(*sys.path))
    for name in ("entry_points", "metadata"):
        environment.setattr(Distribution, name, property(cache(getattr(Distribution, name).fget)))
