"""A roll-up as a pytest session: `pytest --pyargs kubevitals.fleet --findings-dir PATH`. Each item is a cluster."""

import sys
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubevitals.errors import EXIT_NOT_OBSERVED, Unusable
from kubevitals.fleet import clusters_file, compare
from kubevitals.fleet.clusters import Seen, When, clusters, in_order
from kubevitals.fleet.gather import gather
from kubevitals.fleet.notification import notify
from kubevitals.fleet.result import SEEN, UNSEEN, Rollup, State
from kubevitals.fleet.rollup import rollup
from kubevitals.fleet.terminal import lines
from kubevitals.fleet.writers import DEFAULT_PAGE, WRITERS
from kubevitals.plugin import delivery_settings, settings
from kubevitals.plugin.collected import is_check
from kubevitals.plugin.fleet_options import FOLDER, PACKAGE
from kubevitals.plugin.report_files import report_paths
from kubevitals.reports import atomic_file, github
from kubevitals.reports.delivery.deliveries import Delivery, deliver
from kubevitals.reports.html import adapter
from kubevitals.reports.terminal import Level, Line, write
from kubevitals.reports.wording import moment
from kubevitals.text import clean, plural
from kubevitals.threshold import seconds

FAULTS = 20
"""How many root causes the failure of an item names."""

STATE = "kubevitals_fleet_state"
"""The attribute of pytest's report that has the state of the cluster."""

LETTERS = "dots: . healthy, F broken, w warned, k known, o not looked at"

_STATUS: dict[State, tuple[str, dict[str, bool]]] = {
    State.BROKEN: ("F", {"red": True}),
    State.WARNED: ("w", {"yellow": True}),
    State.KNOWN: ("k", {"blue": True}),
    State.HEALTHY: (".", {"green": True}),
    **{state: ("o", {"yellow": True}) for state in UNSEEN},
}


class Fleet(pytest.Directory):
    """Collects the clusters."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each cluster, the worst first."""
        session: FleetSession = self.config.pluginmanager.getplugin(PACKAGE)
        for seen in session.seen():
            yield ClusterItem.from_parent(self, name=seen.cluster.name, seen=seen)


class ClusterItem(pytest.Item):
    """A cluster: it passes if it was looked at and nothing is broken."""

    def __init__(self, *, seen: Seen, **more: Any) -> None:
        super().__init__(**more)
        self.seen = seen
        cluster = seen.cluster
        self.extra_keyword_matches.update(filter(None, (cluster.group, cluster.owner, cluster.state)))
        self.user_properties += [("uid", cluster.uid), ("state", str(cluster.state)), ("reason", cluster.reason)]

    def runtest(self) -> None:
        """Fail unless the cluster was looked at and nothing is broken."""
        cluster = self.seen.cluster
        if cluster.state is State.BROKEN:
            roots = [f"{root.words.objects}: {root.words.says}" for root in self.seen.roots if not root.known]
            more = [f"and {len(roots) - FAULTS:,} more"] if len(roots) > FAULTS else []
            pytest.fail("\n".join([*roots[:FAULTS], *more]) or "broken", pytrace=False)
        if cluster.state not in SEEN:
            pytest.fail(f"{cluster.state}: {cluster.reason}", pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return how pytest names the item."""
        return self.path, None, self.name


class FleetSession:
    """Hooks of a roll-up."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._error: Unusable | None = None
        self._is_collected = False
        self._all: list[Seen] = []
        self._remarks: list[str] = []
        self._unwritten: list[str] = []
        self._undelivered: list[str] = []
        self._deliveries: list[Delivery[Rollup]] = []
        self._page: Path | None = None
        self._rollup: Rollup | None = None
        config.option.self_contained_html = True  # otherwise pytest-html makes a folder beside the page

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect clusters where the package of fleets is named."""
        return Fleet.from_parent(parent, path=path, name="fleet", nodeid="fleet") if path == FOLDER else None

    def seen(self) -> list[Seen]:
        """Return all clusters; none if the options cannot be used."""
        self._is_collected = True
        self._config.cwd_relative_nodeid = lambda nodeid: nodeid  # type: ignore[method-assign]
        try:
            self._read()
        except Unusable as error:
            self._error = error
        return self._all

    def _read(self) -> None:
        config, folder = self._config, self._config.getoption("findings_dir")
        if not folder:
            raise Unusable("a roll-up needs the findings files of all clusters: add --findings-dir PATH")
        if delivery_settings.asked("--push", config):
            raise Unusable("a roll-up pushes no metrics: omit --push, and give --metrics PATH")
        how, period = delivery_settings.notification(config), delivery_settings.period(config)
        if how:
            self._deliveries = [Delivery(how.option, lambda result: notify(result, *how, period))]
        listed = clusters_file.load(path) if (path := config.getoption("clusters")) else None
        self._when = When(
            settings.given_time(config) or datetime.now(UTC), seconds("--stale-after", config.getoption("stale_after"))
        )
        self._earlier = compare.load(path) if (path := config.getoption("compare")) else compare.Earlier()
        candidates, self._remarks = gather(folder, listed, self._when.now)
        seen = clusters(candidates, self._when, folder, self._page_path())
        vanished = self._earlier.vanished(seen) if listed is None else []
        self._all = in_order([*seen, *vanished])

    def _page_path(self) -> Path:
        return Path(self._config.getoption("htmlpath", None) or self._config.invocation_params.dir / DEFAULT_PAGE)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Make the result of the clusters that are selected."""
        if isinstance(sys.exception(), KeyboardInterrupt | pytest.UsageError):
            return  # pytest ends its collection this way, too
        if not self._is_collected:
            raise pytest.UsageError("--findings-dir is for roll-ups: add --pyargs kubevitals.fleet, and no checks")
        if self._config.option.collectonly and not self._error:
            return
        adapter.cancel(self._config)
        if hasattr(self._config, "workerinput"):
            session.items.clear()
            session.shouldstop = "a roll-up is made in one process: omit -n, or give -n 0"
            return
        if any(map(is_check, session.items)):
            self._error = Unusable("--pyargs kubevitals.fleet runs no checks: run them before, with --findings PATH")
        if self._error:
            raise pytest.UsageError(str(self._error))
        selected = [item.seen for item in session.items if isinstance(item, ClusterItem)]
        self._make(selected)

    def _make(self, selected: Sequence[Seen]) -> None:
        left_out = {id(seen) for seen in self._all} - set(map(id, selected))
        earlier = self._earlier.without(seen for seen in self._all if id(seen) in left_out)
        remarks = list(self._remarks)
        if left_out:
            remarks.insert(0, f"{len(selected):,} of {plural(len(self._all), 'cluster')} selected")
        if selected:
            self._rollup = rollup(selected, self._when, earlier, remarks)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Say what is rolled up, and what the letters mean that follow."""
        if not self._rollup or self._config.get_verbosity() < -1:
            return []
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter and not self._config.get_verbosity():
            reporter.showfspath = False
        folder = clean(str(self._config.getoption("findings_dir")))
        count = plural(len(self._rollup.clusters), "cluster")
        return [f"fleet: {count} in {folder}, as of {moment(self._rollup.taken)}", LETTERS]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the state of the cluster on pytest's report."""
        report = yield
        if isinstance(item, ClusterItem) and report.when == "call":
            setattr(report, STATE, item.seen.cluster.state)
        return report

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]] | str] | None:
        """Give each state a category of its own, so that pytest lists no cluster among its failures."""
        if not (state := getattr(report, STATE, None)):
            return None
        letter, markup = _STATUS[state]
        return str(state), letter if self._config.get_verbosity() > -2 else "", (state.upper(), markup)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Write the reports, and decide the exit code."""
        if self._rollup:
            self._write(self._rollup)
            self._undelivered += deliver(self._deliveries, self._rollup)
        yield
        if self._rollup and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = self._exit_code(self._rollup)

    def _write(self, result: Rollup) -> None:
        paths = {"--html": self._page_path(), **report_paths(self._config)}
        for option, path in paths.items():
            try:
                atomic_file.prepare(path)
                atomic_file.write(path, WRITERS[option](result, path))
            except OSError as error:
                self._unwritten.append(f"{option} {clean(str(path))} cannot be written: {error.strerror}")
            else:
                self._page = path if option == "--html" else self._page

    def _exit_code(self, result: Rollup) -> int:
        """Return 1 if a cluster is broken, else 10 if one was not looked at or a report is not written, else 0."""
        if result.states.get(State.BROKEN):
            return pytest.ExitCode.TESTS_FAILED
        return EXIT_NOT_OBSERVED if self._unwritten or any(map(result.states.get, UNSEEN)) else pytest.ExitCode.OK

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the result."""
        if not self._rollup:
            return
        verbosity = self._config.get_verbosity()
        page = [f"page: {clean(str(self._page))}"] if self._page and verbosity >= 0 else []
        with github.commands_stopped(terminalreporter):
            for line in (*lines(self._rollup, verbosity), *self._unwritten, *self._undelivered, *page):
                text = line.lstrip()
                write(Line(Level.QQ, text, indent=len(line) - len(text)), terminalreporter._tw)  # noqa: SLF001
