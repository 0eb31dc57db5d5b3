"""Checks that need the probe are judged after all others, so that an interrupt of the probe loses only them."""

from contextlib import suppress

import pytest
from _pytest.runner import runtestprotocol  # noqa: PLC2701

from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import probed
from kubevitals.reports import progress

WAITS = pytest.StashKey[bool]()
"""Whether a check has found out that it needs the probe."""


class ProbeLast:
    """Hooks of a run with a probe."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        cluster.probe_waits = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a check, or put it last if it needs the probe; the first of those starts the probe."""
        if item.stash.get(WAITS, False) and self._cluster.probe_waits:
            self._run_probe(item.config)
        if not self._cluster.probe_waits:
            return None
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if item.stash.get(WAITS, False):
            item.session.items.append(item)
            return True
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run_probe(self, config: pytest.Config) -> None:
        """Run the probe between two checks, where pytest does not capture its progress. The cluster keeps the result.

        If the probe fails, each check that needs it says so.
        """
        self._cluster.probe_waits = False
        progress.begin(config)
        with suppress(NotObserved):
            probed(self._cluster)
        progress.show(config, "")
