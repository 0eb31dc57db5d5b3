"""Begins a run once its checks are collected: opens the cluster, and registers the reports."""

from collections.abc import Sequence

import pytest

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.run import Inputs, Run
from kubevitals.findings import explains
from kubevitals.findings.finding import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.plugin import delivery_settings, settings, state
from kubevitals.plugin.collected import Collected
from kubevitals.plugin.interrupted import InterruptibleRun
from kubevitals.plugin.probe_last import ProbeLast
from kubevitals.plugin.report_files import report_paths
from kubevitals.plugin.run_hooks import RunHooks
from kubevitals.reports import github, junit
from kubevitals.reports.delivery.deliveries import Deliveries
from kubevitals.reports.html.hooks import HtmlReport
from kubevitals.reports.kept import HistoryReport
from kubevitals.reports.terminal import TerminalReport
from kubevitals.reports.writers import FileReports
from kubevitals.text import clean


def begin(planned: Collected, session: pytest.Session, remarks: Sequence[str]) -> Cluster:
    """Open the cluster that is checked, and register the hooks of the run; `remarks` are about its report files.

    Raises:
        Unusable: an option cannot be used, or no cluster can be opened.
    """
    config = session.config
    deliveries = delivery_settings.deliveries(config)
    run = _new_run(planned, config)
    config.option.continue_on_collection_errors = True
    run.remarks += remarks
    run.remarks += [f"{clean(file)} could not be imported: {why}" for file, why in planned.unread.items()]
    config.pluginmanager.register(RunHooks(run), "kubevitals.run")
    _start_reports(run, session)
    config.pluginmanager.register(Deliveries(run, deliveries), "kubevitals.deliveries")
    return run.cluster


def _new_run(planned: Collected, config: pytest.Config) -> Run:
    known, earlier = settings.expected(config), settings.earlier(config)
    cluster = settings.open_cluster(config, planned.thresholds)
    kept, kept_state = settings.kept(config, cluster), state.opened(config, cluster)
    inputs = Inputs(
        cluster,
        known,
        Severity(config.getoption("fail_on")),
        causes=planned.causes,
        variants=planned.variants,
        chapters=planned.chapters,
        docstrings=planned.docstrings,
        rules=explains.declared(planned.modules),
        planned=planned.checks,
        history=earlier or next((one.newest for one in (kept, kept_state) if one), History()),
        kept=kept,
        only_new=config.getoption("only_new"),
        period=delivery_settings.period(config),
    )
    run = Run(inputs)
    if kept_state:
        kept_state.start(run)
        config.pluginmanager.register(kept_state, "kubevitals.state")
    return run


def _start_reports(run: Run, session: pytest.Session) -> None:
    """Register the reports of a run, and what else accompanies it."""
    plugins = session.config.pluginmanager
    html = HtmlReport(run)
    plugins.register(html, "kubevitals.html")
    plugins.register(FileReports(run, report_paths(session.config)), "kubevitals.files")
    plugins.register(HistoryReport(run), "kubevitals.history")
    plugins.register(TerminalReport(run), "kubevitals.terminal")
    if github.in_actions():
        plugins.register(github.Annotations(run), "kubevitals.github")
    html.start(session)
    junit.write_whole(session.config, run)
    if run.cluster.probe_options:
        plugins.register(ProbeLast(run.cluster), "kubevitals.probe_last")
    interruptible = InterruptibleRun(run)
    plugins.register(interruptible, "kubevitals.interruptible")
    interruptible.start(session.config)
