"""The pytest plugin: from a check's findings to pytest's reports. It does nothing where no check is collected."""

import sys
from collections.abc import Generator, Iterable
from inspect import signature
from pathlib import Path
from typing import cast

import pytest
from _pytest.junitxml import xml_key

from kubevitals import github, options
from kubevitals.assemble import assemble, cluster_info
from kubevitals.diagnosis import declared
from kubevitals.errors import Unusable
from kubevitals.file_reports import FileReports
from kubevitals.finding import Severity
from kubevitals.html import HtmlReport
from kubevitals.inventory import Cluster
from kubevitals.partial import Partial
from kubevitals.probe import options as probe_options
from kubevitals.run import REPORTED, RUN, VERDICT, Run
from kubevitals.terminal import FindingsRepr, load, summarize
from kubevitals.verdict import Outcome, Rule, Verdict, judge, variant_name

_STATUS = {
    Outcome.WARNED: ("w", {"yellow": True}),
    Outcome.KNOWN: ("k", {"blue": True}),
    Outcome.NOT_OBSERVED: ("o", {"yellow": True}),
    Outcome.NOT_APPLICABLE: ("-", {"light": True}),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print what the probe would create, where no more is asked for."""
    if not config.getoption("probe_dry_run") or config.option.help:
        return None
    try:
        sys.stdout.write(probe_options.dry_run(config))
    except Unusable as error:
        raise pytest.UsageError(str(error)) from None
    return pytest.ExitCode.OK


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker that makes a test a check, and refuse reports that could not be written in the end."""
    try:
        options.check_report_paths(config)
    except Unusable as error:
        raise pytest.UsageError(str(error)) from None
    config.addinivalue_line(
        "markers", "cause(chapter): a check of kubevitals, and the chapter of the guide it belongs to"
    )
    if config.getoption("kubelet_insecure_tls"):
        config.addinivalue_line("filterwarnings", "ignore::urllib3.exceptions.InsecureRequestWarning")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name an item after the variant that its rule finds."""
    return variant_name(val) if callable(val) and hasattr(val, "__name__") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Open the cluster once there are checks to run, and not before: collecting asks the cluster nothing."""
    checks = [item for item in session.items if item.get_closest_marker("cause")]
    config = session.config
    if not checks or config.option.collectonly:
        return
    try:
        known = options.known_issues(config)
        earlier = options.earlier(config)
        cluster = options.open_cluster(config, options.thresholds_of(_modules(checks)))
    except Unusable as error:
        raise _refusal(error, config) from None
    run = config.stash[RUN] = Run(
        cluster,
        known,
        Severity(config.getoption("fail_on")),
        causes=frozenset(cause_of(path) for item in checks for path in item.path.parent.glob("test_*.py")),
        chapters={cause_of(item.path): chapter_of(item) for item in checks},
        rules=declared(_modules(checks)),
        planned=[check_of(item) for item in checks if isinstance(item, pytest.Function)],
        history=earlier,
        only_new=config.getoption("only_new"),
    )
    _start_reports(run, session)


def _refusal(error: Unusable, config: pytest.Config) -> pytest.UsageError:
    """Return what ends the run with one line, before any report is written over an earlier one."""
    HtmlReport.cancel(config)
    return pytest.UsageError(str(error))


def _start_reports(run: Run, session: pytest.Session) -> None:
    plugins = session.config.pluginmanager
    html = HtmlReport(run)
    plugins.register(html, "kubevitals.html")
    plugins.register(FileReports(run, options.report_paths(session.config)), "kubevitals.files")
    if github.in_actions():
        plugins.register(github.Annotations(run), "kubevitals.github")
    html.start(session)
    partial = Partial(run)
    plugins.register(partial, "kubevitals.partial")
    partial.start(session.config)


def _modules(checks: Iterable[pytest.Item]) -> list[object]:
    """Return all modules that declare thresholds: those of the checks, and of the library that they use."""
    own = [module for name, module in sys.modules.items() if name.startswith("kubevitals.")]
    return [*own, *(item.module for item in checks if isinstance(item, pytest.Function))]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say which cluster is looked at."""
    run = config.stash.get(RUN, None)
    if not run:
        return []
    lines = load(run.cluster, config)
    try:
        run.cluster.check_scope()
        run.history.refuse_another(cluster_info(run.cluster))
    except Unusable as error:
        raise _refusal(error, config) from None
    return lines


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster, or the recording of one, that the options name."""
    return request.config.stash[RUN].cluster


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Judge what a check finds, instead of asserting."""
    if not pyfuncitem.get_closest_marker("cause"):
        return None
    config = pyfuncitem.config
    run = config.stash[RUN]
    arguments = {name: pyfuncitem.funcargs[name] for name in signature(pyfuncitem.obj).parameters}
    variant = variant_name(variant_of(pyfuncitem))
    verdict = judge(
        cause_of(pyfuncitem.path), variant, lambda: pyfuncitem.obj(**arguments), run.known, run.fail_on, run.exempts
    )
    run.verdicts.append(verdict)
    pyfuncitem.stash[VERDICT] = verdict
    pyfuncitem.user_properties += _properties(verdict)
    if verdict.outcome is Outcome.BROKEN:
        pytest.fail("broken", pytrace=False)
    if verdict.outcome is Outcome.NOT_OBSERVED and config.getoption("require_observed") and not verdict.unasked:
        pytest.fail(f"not observed: {verdict.unseen}", pytrace=False)
    if verdict.outcome in (Outcome.NOT_OBSERVED, Outcome.NOT_APPLICABLE):
        pytest.skip(str(verdict.unseen or verdict.inapplicable))
    return True


def cause_of(path: Path) -> str:
    """Return the cause that a file of checks is of: ``checks/test_volume_claim.py`` is of ``volume-claim``."""
    return path.stem.removeprefix("test_").replace("_", "-")


def chapter_of(item: pytest.Item) -> str:
    """Return the chapter of the guide that an item belongs to."""
    marker = item.get_closest_marker("cause")
    return str(marker.kwargs.get("chapter", "")) if marker else ""


def variant_of(item: pytest.Function) -> Rule:
    """Return the rule that an item applies."""
    return cast("Rule", item.callspec.params["variant"])


def check_of(item: pytest.Function) -> str:
    """Return the name of an item's check, ``cause[variant]``."""
    return f"{cause_of(item.path)}[{variant_name(variant_of(item))}]"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the verdict on the report, for every reporter there is."""
    report = yield
    verdict = item.stash.get(VERDICT, None)
    if verdict and report.when == "call":
        setattr(report, REPORTED, verdict)
        item.config.stash[RUN].seconds[verdict.check] = report.duration
        if report.failed:
            report.longrepr = FindingsRepr(verdict, item.config.stash[RUN])
    return report


def _properties(verdict: Verdict) -> list[tuple[str, str]]:
    found = (("finding", f"{finding.obj} {finding.says}") for finding in verdict.all_findings)
    return [("outcome", str(verdict.outcome)), *found]


def pytest_report_teststatus(
    report: pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Give the outcomes that pytest does not have a category of their own; healthy and broken are passed and failed."""
    verdict: Verdict | None = getattr(report, REPORTED, None)
    if verdict is None or report.failed or verdict.outcome not in _STATUS:
        return None
    letter, markup = _STATUS[verdict.outcome]
    return verdict.outcome, letter, (verdict.outcome.upper(), markup)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Show what pytest's own sections leave out, and count every outcome."""
    run = config.stash.get(RUN, None)
    if run and exitstatus != pytest.ExitCode.USAGE_ERROR:
        summarize(run, terminalreporter)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Make the diagnosis, for all reports. Fail a run that observed nothing, or could not write what it found."""
    run = session.config.stash.get(RUN, None)
    if run and (run.verdicts or session.exitstatus in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)):
        run.report = assemble(run)
        for root in run.report.roots:
            _junit_property(session.config, "root", str(root))
    yield
    if run and run.report and session.exitstatus == pytest.ExitCode.OK and (run.unwritten or not run.observed):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _junit_property(config: pytest.Config, name: str, value: str) -> None:
    """Give the suite in JUnit's report a property, where there is such a report."""
    if junit := config.stash.get(xml_key, None):
        junit.add_global_property(name, value)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the source; a recording is complete from here on."""
    if run := config.stash.get(RUN, None):
        run.cluster.close()
