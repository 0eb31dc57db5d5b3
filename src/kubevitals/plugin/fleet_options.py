"""The command-line options of a roll-up over many clusters."""

from pathlib import Path

import pytest

from kubevitals.plugin.option_group import Group

PACKAGE = "kubevitals.fleet"
FOLDER = Path(__file__).parents[1] / "fleet"
"""What pytest collects for `--pyargs kubevitals.fleet`."""

PERIOD = "26h"
"""A run a day, and two hours by which one may be late."""


def register(config: pytest.Config) -> None:
    """Register the hooks of a roll-up, if this session is one. No other session imports what they need."""
    if config.getoption("findings_dir") or not {PACKAGE, str(FOLDER)}.isdisjoint(config.args):
        from kubevitals.plugin.fleet_session import FleetSession

        config.pluginmanager.register(FleetSession(config), PACKAGE)


def add(group: Group) -> None:
    """Declare the options."""
    group.addoption(
        "--findings-dir",
        metavar="PATH",
        type=Path,
        help="with --pyargs kubevitals.fleet: the folder of the findings files (*.json) of all clusters, or of one "
        "folder for each cluster",
    )
    group.addoption(
        "--clusters",
        metavar="PATH",
        type=Path,
        help="with --findings-dir: a YAML file of the clusters that there must be, with groups, owners and periods",
    )
    group.addoption(
        "--stale-after",
        metavar="DURATION",
        default=PERIOD,
        help=f"with --findings-dir: how old findings may be before their cluster counts as stale, where the clusters "
        f"file gives no period (default: {PERIOD})",
    )
