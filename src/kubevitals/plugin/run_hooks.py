"""The hooks of a run of checks, which judge findings and report them."""

from collections.abc import Generator, Iterable, Sequence
from inspect import signature

import pytest

from kubevitals.diagnosis.assemble import assemble, cluster_info
from kubevitals.diagnosis.run import REPORTED, Run
from kubevitals.diagnosis.verdict import Outcome, Verdict, judge
from kubevitals.errors import ProbeWaits, Unusable
from kubevitals.findings.declaration import variant_name
from kubevitals.findings.finding import Finding, with_kubectl_options
from kubevitals.plugin import collected, settings
from kubevitals.plugin.crashed import Crash
from kubevitals.plugin.exit_code import exit_code
from kubevitals.plugin.probe_last import WAITS
from kubevitals.plugin.refusal import refusal
from kubevitals.reports import junit, progress
from kubevitals.reports.failure import Failure
from kubevitals.reports.terminal import Level, header

_STATUS = {
    Outcome.HEALTHY: (".", {"green": True}),
    Outcome.BROKEN: ("F", {"red": True}),
    Outcome.WARNED: ("w", {"yellow": True}),
    Outcome.KNOWN: ("k", {"blue": True}),
    Outcome.NOT_OBSERVED: ("o", {"yellow": True}),
    Outcome.NOT_APPLICABLE: ("-", {"light": True}),
}

_CRASHED = "crashed", "E", ("CRASHED", {"red": True})

_VERDICT = pytest.StashKey[Verdict]()


class RunHooks:
    """Hooks of a run, from its first request to its exit code."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_report_collectionfinish(self, config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
        """Say which cluster is checked, and what the letters mean that follow."""
        cluster = self._run.cluster
        progress.load(cluster, config)
        try:
            cluster.remarks += [*filter(None, [cluster.fetcher.clock]), *cluster.fetcher.check_scope()]
            self._run.inputs.history.refuse_another(cluster_info(cluster))
        except Unusable as error:
            raise refusal(error, config) from None
        reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
        if not reporter:
            return []
        if config.get_verbosity() == Level.DEFAULT and all(map(collected.is_check, items)):
            reporter.showfspath = False
        return list(header(cluster, reporter))

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run a check and judge its findings."""
        if not collected.is_check(pyfuncitem):
            return None
        cause, variant = collected.cause_of(pyfuncitem.path), variant_name(collected.variant_of(pyfuncitem))
        inputs = self._run.inputs
        try:
            verdict = judge(cause, variant, lambda: _findings(pyfuncitem), inputs.known, inputs.fail_on, inputs.exempts)
        except ProbeWaits:
            pyfuncitem.stash[WAITS] = True
            return True
        self._run.verdicts.append(verdict)
        pyfuncitem.stash[_VERDICT] = verdict
        pyfuncitem.user_properties += junit.properties(verdict)
        if verdict.outcome is Outcome.BROKEN:
            pytest.fail("broken", pytrace=False)
        if verdict.unseen and verdict.outcome is Outcome.NOT_OBSERVED and _is_required(verdict, pyfuncitem.config):
            self._run.required += 1
            verdict.unseen.asked = True
            pytest.fail(f"not observed: {verdict.unseen}", pytrace=False)
        if verdict.outcome in (Outcome.NOT_OBSERVED, Outcome.NOT_APPLICABLE):
            pytest.skip(str(verdict.unseen or verdict.inapplicable))
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the verdict on pytest's report, for all reporters; or the crash of the check."""
        report = yield
        verdict = item.stash.get(_VERDICT, None)
        if not verdict and report.failed and call.excinfo and collected.is_check(item):
            crash = Crash(call.excinfo.value, item.path)
            report.longrepr = crash
            self._run.remarks.append(f"{collected.check_of(item)}: {crash.message}")
        if verdict and report.when == "call":
            setattr(report, REPORTED, verdict)
            self._run.seconds[verdict.check] = report.duration
            if report.failed:
                report.longrepr = Failure(verdict)
        return report

    @staticmethod
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
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Make the diagnosis, for all reports, and decide the exit code."""
        run, config = self._run, session.config
        if run.verdicts or session.exitstatus in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
            run.report = assemble(run)
            junit.complete(config, run, run.report, per_finding=config.getoption("junit_per_finding"))
            self._close(config)
            run.cluster.forget()
        yield
        if run.report and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = exit_code(run, session)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Close the source of a run that has come to no report."""
        self._close(config)

    def _close(self, config: pytest.Config) -> None:
        """Close the source, which completes a recording."""
        try:
            self._run.cluster.close()
        except OSError as error:
            self._run.cannot_write(f"--record {config.getoption('record')}", error)


def _is_required(verdict: Verdict, config: pytest.Config) -> bool:
    return config.getoption("require_observed") and not verdict.unasked


def _findings(item: pytest.Function) -> Iterable[Finding]:
    """Return a check's findings; their kubectl commands have the kubeconfig and the context that the user chose."""
    findings: Iterable[Finding] = item.obj(**{name: item.funcargs[name] for name in signature(item.obj).parameters})
    chosen = settings.kubectl_options(item.config)
    return (with_kubectl_options(finding, chosen) for finding in findings) if chosen else findings
