"""The hooks of the pytest plugin that declare its options and collect its checks. They do nothing without checks."""

import gc
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack

import pytest

from kubevitals.errors import Unusable
from kubevitals.inventory.cluster import Cluster
from kubevitals.plugin import collected, fleet_options, given_options, named_checks, options, probe_options
from kubevitals.plugin.crashed import UNREAD, Unread
from kubevitals.plugin.option_group import group_of
from kubevitals.plugin.refusal import refusal
from kubevitals.plugin.report_files import check_report_paths
from kubevitals.redaction import unredacted

_REMARKS = pytest.StashKey[Sequence[str]]()
"""What the report says about the files of this run."""

_CLUSTER = pytest.StashKey[Cluster]()


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


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect no garbage meanwhile: what is imported and listed is kept, and each collection would look at all of it.

    With checks, later collections leave it out, too, even the one at the end.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if any(map(collected.is_check, session.items)):
            gc.freeze()
        if enabled:
            gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Open the cluster once there are checks to run; collection itself makes no requests."""
    config = session.config
    if isinstance(sys.exception(), KeyboardInterrupt | pytest.UsageError):
        return  # pytest ends its collection this way, too
    try:
        planned = collected.checks(session, config.stash[UNREAD].files)
        if not planned.items or config.option.collectonly:
            return
        if hasattr(config, "workerinput"):
            _refuse_to_share(session)
            return
        from kubevitals.plugin import start  # only a run needs what this imports

        config.stash[_CLUSTER] = start.begin(planned, session, config.stash[_REMARKS])
    except Unusable as error:
        raise refusal(error, config) from None


def _refuse_to_share(session: pytest.Session) -> None:
    """End a run that pytest-xdist distributes: all checks share one set of answers and one report."""
    session.items.clear()
    session.shouldstop = "checks share what they read of the cluster, so they run in one process: omit -n, or give -n 0"


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster or recording that the options choose."""
    if opened := request.config.stash.get(_CLUSTER, None):
        return opened
    pytest.fail("no test here is declared with kubevitals.check, so there is no cluster", pytrace=False)
