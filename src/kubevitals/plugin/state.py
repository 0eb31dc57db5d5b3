"""--state: what an earlier run found is read from a ConfigMap, and what this one finds is written there.

Whatever goes wrong with it is said in one line, and fails nothing.
"""

import re

import pytest

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.result import ClusterInfo
from kubevitals.diagnosis.run import Run
from kubevitals.diagnosis.state import decoded, encoded
from kubevitals.errors import NotObserved, Unusable
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.config_map import KEY, LIMIT, ConfigMapText, Writer
from kubevitals.text import clean, plural

LIVE = pytest.StashKey[Writer]()
"""The cluster of this run, if it is a live one."""

_NAMES = re.compile(r"configmap/([a-z0-9-]{1,63})/([a-z0-9.-]{1,253})")


class State:
    """The state in a ConfigMap, and the hook that writes it.

    Attributes:
        newest: what the earlier run found; empty if that is not known.
    """

    def __init__(self, option: str, text: ConfigMapText, cluster: Cluster) -> None:
        self._option, self._text = f"--state {option}", text
        self._run: Run | None = None
        self.newest = History()
        self._usable = False
        try:
            self.newest = decoded(text.read(), ClusterInfo(cluster.context, cluster.uid))
            self._usable = True
            if not self.newest.report:
                cluster.remarks.append(f"{self._option}: no earlier run to compare with: nothing is new or resolved")
        except NotObserved as error:
            cluster.remarks.append(f"{self._option} is not read, so nothing is compared or kept: {error}")
        except Unusable as error:
            hint = f"empty its key {KEY} to begin again"
            cluster.remarks.append(f"{self._option} is not used, so nothing is compared or kept: {error}; {hint}")

    def start(self, run: Run) -> None:
        """Write the result of this run when it is complete."""
        self._run = run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write what the next run compares with."""
        if not self._usable or not self._run or not self._run.report:
            return
        state = encoded(self._run.report, LIMIT)
        try:
            self._text.write(state.text)
        except NotObserved as error:
            self._run.remarks.append(
                f"{self._option} is not written, so the next run compares with an older one: {error}"
            )
            return
        if state.left_out:
            self._run.remarks.append(
                f"{self._option} has no room for {plural(state.left_out, 'finding')}: the next run calls them new"
            )


def opened(config: pytest.Config, cluster: Cluster) -> State | None:
    """Return the state that the options choose; nothing without --state.

    Raises:
        Unusable: the option is not CONFIGMAP's name, or another option names the earlier run.
    """
    if not (option := config.getoption("state")):
        return None
    if not (names := _NAMES.fullmatch(option)):
        raise Unusable(f"--state {clean(option, 80)}: give configmap/NAMESPACE/NAME")
    for other in ("compare", "history"):
        if config.getoption(other):
            raise Unusable(f"--state and --{other} both name the earlier run: omit one of them")
    if not (live := config.stash.get(LIVE, None)):
        raise Unusable("--state needs a cluster: omit --state or --snapshot")
    return State(clean(option), ConfigMapText(live, names[1], names[2]), cluster)
