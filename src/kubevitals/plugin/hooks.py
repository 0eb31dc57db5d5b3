"""The hooks of the pytest plugin, which judge findings and report them. They do nothing if no check is collected."""

import gc
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from inspect import signature

import pytest

from kubevitals.diagnosis.assemble import assemble, cluster_info
from kubevitals.diagnosis.run import REPORTED, RUN, VERDICT, Run
from kubevitals.diagnosis.verdict import Outcome, Verdict, judge
from kubevitals.errors import ProbeWaits, Unusable
from kubevitals.findings.declaration import variant_name
from kubevitals.findings.finding import Finding, with_kubectl_options
from kubevitals.inventory.cluster import Cluster
from kubevitals.plugin import (
    collected,
    delivery_options,
    fleet_options,
    given_options,
    named_checks,
    options,
    probe_options,
    settings,
)
from kubevitals.plugin.crashed import UNREAD, Crash, Unread
from kubevitals.plugin.exit_code import exit_code
from kubevitals.plugin.option_group import group_of
from kubevitals.plugin.probe_last import WAITS
from kubevitals.plugin.report_files import check_report_paths
from kubevitals.plugin.start import new_run, start_reports
from kubevitals.redaction import unredacted
from kubevitals.reports import junit, progress
from kubevitals.reports.delivery.deliveries import Deliveries
from kubevitals.reports.failure import Failure
from kubevitals.reports.html.hooks import HtmlReport
from kubevitals.reports.terminal import Level, header
from kubevitals.text import clean

_STATUS = {
    Outcome.HEALTHY: (".", {"green": True}),
    Outcome.BROKEN: ("F", {"red": True}),
    Outcome.WARNED: ("w", {"yellow": True}),
    Outcome.KNOWN: ("k", {"blue": True}),
    Outcome.NOT_OBSERVED: ("o", {"yellow": True}),
    Outcome.NOT_APPLICABLE: ("-", {"light": True}),
}


_CRASHED = "crashed", "E", ("CRASHED", {"red": True})
_REMARKS = pytest.StashKey[list[str]]()
"""What the report says about the files of this run."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options, and refuse those of the command line that pytest could not parse."""
    options.declare(group_of(parser))
    if config := pluginmanager.getplugin("pytestconfig"):
        given_options.refuse_unparsable(config.invocation_params.args)


@pytest.hookimpl(trylast=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Declare and refuse what depends on the options of other plugins, now that all have declared theirs."""
    given_options.declare_kubeconfig(early_config, parser)
    given_options.refuse_misspelt(args, parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print what the probe would create, if --probe-dry-run is given."""
    if not config.getoption("probe_dry_run") or config.option.help:
        return None
    try:
        sys.stdout.write(probe_options.dry_run(config))
    except Unusable as error:
        raise pytest.UsageError(str(error)) from None
    return pytest.ExitCode.OK


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of checks, and refuse report files that could not be written at the end."""
    if config.getoption("no_redact"):
        kept = ExitStack()
        kept.enter_context(unredacted())
        config.add_cleanup(kept.close)
    config.pluginmanager.register(config.stash.setdefault(UNREAD, Unread()), "kubevitals.unread")
    config.pluginmanager.register(named_checks, "kubevitals.named_checks")
    fleet_options.register(config)
    try:
        config.stash[_REMARKS] = check_report_paths(config)
        if config.getoption("installed_checks"):
            config.args += collected.installed()
    except Unusable as error:
        raise pytest.UsageError(str(error)) from None
    config.addinivalue_line("markers", "cause(chapter): marks a check of kubevitals, with its chapter of the guide")
    config.addinivalue_line("filterwarnings", "ignore:Unverified HTTPS request")  # the kubeconfig or an option says so


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Open the cluster once there are checks to run; collection itself makes no requests."""
    config = session.config
    if isinstance(sys.exception(), KeyboardInterrupt | pytest.UsageError):
        return  # pytest ends its collection this way, too
    try:
        planned = collected.checks(session, config.stash[UNREAD].files)
        if not planned.items:
            return
        gc.freeze()  # what was imported stays: no garbage collection needs to look at it, not even the one at the end
        if config.option.collectonly:
            return
        if hasattr(config, "workerinput"):
            _refuse_to_share(session)
            return
        deliveries = delivery_options.deliveries(config)
        run = config.stash[RUN] = new_run(planned, config)
    except Unusable as error:
        raise _refusal(error, config) from None
    config.option.continue_on_collection_errors = True
    files = config.stash[_REMARKS]
    run.remarks += files
    run.remarks += [f"{clean(file)} could not be imported: {why}" for file, why in planned.unread.items()]
    start_reports(run, session)
    config.pluginmanager.register(Deliveries(run, deliveries), "kubevitals.deliveries")


def _refuse_to_share(session: pytest.Session) -> None:
    """End a run that pytest-xdist distributes: all checks share one set of answers and one report."""
    session.items.clear()
    session.shouldstop = "checks share what they read of the cluster, so they run in one process: omit -n, or give -n 0"


def _refusal(error: Unusable, config: pytest.Config) -> pytest.UsageError:
    """Return the error that ends the run with one line, before a report replaces an earlier one."""
    HtmlReport.cancel(config)
    return pytest.UsageError(str(error))


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Say which cluster is checked, and what the letters mean that follow."""
    run = config.stash.get(RUN, None)
    if not run:
        return []
    progress.load(run.cluster, config)
    try:
        run.cluster.remarks += [*filter(None, [run.cluster.fetcher.clock]), *run.cluster.fetcher.check_scope()]
        run.inputs.history.refuse_another(cluster_info(run.cluster))
    except Unusable as error:
        raise _refusal(error, config) from None
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    if not reporter:
        return []
    if config.get_verbosity() == Level.DEFAULT and all(map(collected.is_check, items)):
        reporter.showfspath = False
    return list(header(run.cluster, reporter))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster or recording that the options choose."""
    run = request.config.stash.get(RUN, None)
    if run is None:
        pytest.fail("no test here is declared with kubevitals.check, so there is no cluster", pytrace=False)
    return run.cluster


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a check and judge its findings."""
    if not collected.is_check(pyfuncitem):
        return None
    config = pyfuncitem.config
    run, variant = config.stash[RUN], variant_name(collected.variant_of(pyfuncitem))
    cause, inputs = collected.cause_of(pyfuncitem.path), run.inputs
    try:
        verdict = judge(cause, variant, lambda: _findings(pyfuncitem), inputs.known, inputs.fail_on, inputs.exempts)
    except ProbeWaits:
        pyfuncitem.stash[WAITS] = True
        return True
    run.verdicts.append(verdict)
    pyfuncitem.stash[VERDICT] = verdict
    pyfuncitem.user_properties += junit.properties(verdict)
    if verdict.outcome is Outcome.BROKEN:
        pytest.fail("broken", pytrace=False)
    if verdict.unseen and verdict.outcome is Outcome.NOT_OBSERVED and _is_required(verdict, config):
        run.required += 1
        verdict.unseen.asked = True
        pytest.fail(f"not observed: {verdict.unseen}", pytrace=False)
    if verdict.outcome in (Outcome.NOT_OBSERVED, Outcome.NOT_APPLICABLE):
        pytest.skip(str(verdict.unseen or verdict.inapplicable))
    return True


def _is_required(verdict: Verdict, config: pytest.Config) -> bool:
    return config.getoption("require_observed") and not verdict.unasked


def _findings(item: pytest.Function) -> Iterable[Finding]:
    """Return a check's findings; their kubectl commands have the kubeconfig and the context that the user chose."""
    findings: Iterable[Finding] = item.obj(**{name: item.funcargs[name] for name in signature(item.obj).parameters})
    chosen = settings.kubectl_options(item.config)
    return (with_kubectl_options(finding, chosen) for finding in findings) if chosen else findings


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the verdict on pytest's report, for all reporters; or the crash of the check."""
    report = yield
    verdict = item.stash.get(VERDICT, None)
    if not verdict and report.failed and call.excinfo and collected.is_check(item):
        crash = Crash(call.excinfo.value, item.path)
        report.longrepr = crash
        item.config.stash[RUN].remarks.append(f"{collected.check_of(item)}: {crash.message}")
    if verdict and report.when == "call":
        setattr(report, REPORTED, verdict)
        item.config.stash[RUN].seconds[verdict.check] = report.duration
        if report.failed:
            report.longrepr = Failure(verdict)
    return report


def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
    """Give each outcome a category of its own, so that pytest lists no check among its failures and summaries."""
    if isinstance(report.longrepr, Crash):
        status = _CRASHED
    elif verdict := getattr(report, REPORTED, None):
        letter, markup = _STATUS[verdict.outcome]
        status = verdict.outcome, letter, (verdict.outcome.upper(), markup)
    else:
        return None
    return status if config.get_verbosity() > Level.QQ else (status[0], "", "")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Make the diagnosis, for all reports, and decide the exit code."""
    run = session.config.stash.get(RUN, None)
    if run and (run.verdicts or session.exitstatus in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)):
        run.report = assemble(run)
        junit.complete(session.config, run, run.report, per_finding=session.config.getoption("junit_per_finding"))
        _close(run, session.config)
        run.cluster.forget()
    yield
    if run and run.report and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        session.exitstatus = exit_code(run, session)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the source of a run that has come to no report."""
    if run := config.stash.get(RUN, None):
        _close(run, config)


def _close(run: Run, config: pytest.Config) -> None:
    """Close the source, which completes a recording."""
    try:
        run.cluster.close()
    except OSError as error:
        run.cannot_write(f"--record {config.getoption('record')}", error)
