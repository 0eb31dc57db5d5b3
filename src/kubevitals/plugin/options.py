"""The command line, and what it asks for."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kubevitals.diagnosis import history, known_issues
from kubevitals.errors import Unusable
from kubevitals.findings.finding import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.plugin import probe_options
from kubevitals.redaction import redacting
from kubevitals.reports import atomic_file
from kubevitals.source.recording import DEMO, KUBELET, PROBE, SECRET_NAMES, Recording, Snapshot
from kubevitals.source.request import Source
from kubevitals.source.scope import Scope
from kubevitals.text import clean
from kubevitals.threshold import Threshold, parse_thresholds, seconds

MAX_TIMEOUT = 3600
"""Seconds of silence that a user may wait for."""

REPORTS = {
    "--findings": "the result as JSON, for --compare and for programs",
    "--metrics": "metrics, for a textfile collector",
    "--markdown": "a summary in Markdown, fit for $GITHUB_STEP_SUMMARY, where it is added to what is there",
}
"""The reports that are written besides pytest's own, by option."""

NO_REDACT = "--no-redact"

KUBELET_WAYS = ("direct", "proxy", "none")
"""How kubelets can be asked."""


def add(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("kubevitals", "kubevitals: health of a Kubernetes cluster")
    _add_cluster(group)
    _add_sight(group)
    probe_options.add(group)
    _add_verdict(group)
    for option, what in REPORTS.items():
        group.addoption(option, metavar="PATH", type=_path, help=f"write {what}")


def _path(text: str) -> Path:
    """Return a path; an empty one would be the current folder.

    Raises:
        ArgumentTypeError: it is empty.
    """
    if not text:
        raise ArgumentTypeError("it is empty: give a path, or leave the option out")
    return Path(text)


def _add_cluster(group: pytest.OptionGroup) -> None:
    """Declare which cluster is looked at."""
    group.addoption("--context", help="context of the kubeconfig (default: its current one)")
    group.addoption(
        "--request-timeout",
        metavar="DURATION",
        default="10s",
        help="longest silence within a request (default: 10s)",
    )
    group.addoption(
        "--record",
        metavar="PATH",
        type=_path,
        help="write what the cluster answers to a file, redacted, for --snapshot",
    )
    group.addoption(
        NO_REDACT,
        action="store_true",
        help="keep what looks like a credential, in reports and in a recording",
    )
    group.addoption(
        "--snapshot", metavar="PATH", help="judge a recording instead of a cluster; `demo` is a bundled one"
    )
    group.addoption("--later", metavar="DURATION", help="judge the recording as if looked at so much later (24h)")


def _add_sight(group: pytest.OptionGroup) -> None:
    """Declare what is looked at."""
    group.addoption(
        "--namespace",
        metavar="NAME",
        action="append",
        default=[],
        help="look at this namespace only, or at those of a pattern (shop-*); may be given several times",
    )
    group.addoption(
        "--exclude-namespace",
        metavar="NAME",
        action="append",
        default=[],
        help="leave out this namespace, or those of a pattern; may be given several times",
    )
    group.addoption(
        "--namespaced-only",
        action="store_true",
        help="with --namespace: ask for nothing that has no namespace (nodes, volumes …), which takes rights in the "
        "whole cluster",
    )
    group.addoption(
        "--installed-checks",
        action="store_true",
        help="also run the checks that installed packages bring (entry points in the group kubevitals.checks)",
    )
    group.addoption(
        "--secret-names",
        action="store_true",
        help="list the names of Secrets too (their contents are never asked for)",
    )
    group.addoption(
        "--cni-daemonset",
        metavar="NAMESPACE/NAME",
        action="append",
        default=[],
        help="a DaemonSet of the cluster's CNI, where it is none of those that are recognised",
    )
    group.addoption(
        "--kubelet",
        choices=KUBELET_WAYS,
        help="ask kubelets themselves (default in a pod), through the API server's proxy (default elsewhere), or none",
    )
    group.addoption(
        "--kubelet-insecure-tls", action="store_true", help="do not verify the certificates of kubelets that are asked"
    )


def _add_verdict(group: pytest.OptionGroup) -> None:
    """Declare what fails."""
    group.addoption(
        "--fail-on",
        choices=[str(severity) for severity in Severity],
        default=str(Severity.ERROR),
        help="the least severity that fails; what is below it is warned of (default: error)",
    )
    group.addoption(
        "--require-observed",
        action="store_true",
        help="fail checks that could not observe what the options let them look at",
    )
    group.addoption(
        "--known-issues", metavar="PATH", type=_path, help=f"expected findings (default: {known_issues.DEFAULT_FILE})"
    )
    group.addoption(
        "--compare",
        metavar="PATH",
        type=_path,
        help="tell what is new, ongoing and resolved since the run that wrote this findings file, or since the newest "
        "of a folder",
    )
    group.addoption("--only-new", action="store_true", help="with --compare: ongoing findings do not fail")
    group.addoption(
        "--threshold",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="another number or duration for a threshold (an unknown name lists all)",
    )


def open_cluster(config: pytest.Config, thresholds: dict[str, Threshold]) -> Cluster:
    """Return the cluster that the options name; nothing is asked of it yet.

    Raises:
        Unusable: an option's value cannot be used.
    """
    values = parse_thresholds(config.getoption("threshold"), thresholds)
    names, left_out = config.getoption("namespace"), config.getoption("exclude_namespace")
    chosen = Scope(names, left_out, namespaced_only=config.getoption("namespaced_only"))
    source = _source(config, chosen)
    within = source.scope if isinstance(source, Snapshot) else None
    for name in config.getoption("cni_daemonset"):
        if name.count("/") != 1 or not all(name.split("/")):
            raise Unusable(f"--cni-daemonset {clean(name)}: give NAMESPACE/NAME")
    cluster = Cluster(
        source,
        values,
        secret_names=config.getoption("secret_names"),
        ask_kubelets=config.getoption("kubelet") != "none",
        cni_daemon_sets=config.getoption("cni_daemonset"),
        probe=probe_options.chosen(config) if config.getoption("probe") else None,
        scope=Scope(names, left_out, within, namespaced_only=chosen.namespaced_only),
    )
    cluster.remarks += kept_credentials(source)
    return cluster


def kept_credentials(source: Source) -> list[str]:
    """Return what the user should know where credentials are kept."""
    told = [] if redacting() else [f"nothing is redacted ({NO_REDACT}): mind who may read what this run writes"]
    if isinstance(source, Snapshot) and source.header.unredacted:
        told.append(f"the recording was made with {NO_REDACT}: it may hold credentials")
    return told


def check_report_paths(config: pytest.Config) -> None:
    """Refuse reports that could not be written when the run is over.

    Raises:
        Unusable: a path cannot be written.
    """
    for option, name in (("--html", "htmlpath"), ("--junitxml", "xmlpath")):
        if path := config.getoption(name, None):
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).open("ab").close()
            except OSError as error:
                raise Unusable(f"{option} {clean(path)} cannot be written: {error.strerror}") from error
    for option, path in report_paths(config).items():
        try:
            atomic_file.prepare(path)
        except OSError as error:
            raise Unusable(f"{option} {clean(str(path))} cannot be written: {error.strerror}") from error


def report_paths(config: pytest.Config) -> dict[str, Path]:
    """Return where the reports that the user asked for go, by option."""
    paths = {option: config.getoption(option) for option in REPORTS}
    return {option: path for option, path in paths.items() if path}


def earlier(config: pytest.Config) -> history.History:
    """Return what the run to compare with found.

    Raises:
        Unusable: it cannot be read, is no findings file, or --only-new has nothing to compare with.
    """
    if path := config.getoption("compare"):
        return history.load(path)
    if config.getoption("only_new"):
        raise Unusable("--only-new needs to know what is not new: give --compare with it")
    return history.History()


def expected(config: pytest.Config) -> known_issues.KnownIssues:
    """Return the known issues that the options name.

    Raises:
        Unusable: the file cannot be used.
    """
    return known_issues.load(config.getoption("known_issues"), datetime.now(UTC).date())


def _source(config: pytest.Config, scope: Scope) -> Source:
    snapshot, record, later = (config.getoption(name) for name in ("snapshot", "record", "later"))
    _refuse_contradictions(config)
    if snapshot:
        return Snapshot(
            DEMO if snapshot == "demo" else Path(snapshot),
            timedelta(seconds=seconds("--later", later or "0")),
        )
    if later:
        raise Unusable("--later moves the time of a recording on: give --snapshot with it")
    from kubevitals.source.live import Live

    # pytest-kind owns --kubeconfig; where it is installed and the option given, it is honoured.
    kubeconfig = config.getoption("kubeconfig", None)
    timeout = seconds("--request-timeout", config.getoption("request_timeout"))
    if not 0 < timeout <= MAX_TIMEOUT:
        raise Unusable(f"--request-timeout: it must be more than 0 and at most {MAX_TIMEOUT} s")
    way = config.getoption("kubelet")
    live = Live(
        config.getoption("context"),
        kubeconfig,
        timeout,
        ask_kubelets_directly=way == "direct" if way else None,
        kubelet_insecure_tls=config.getoption("kubelet_insecure_tls"),
    )
    return Recording(live, record, scope, _left_out(config)) if record else live


def _refuse_contradictions(config: pytest.Config) -> None:
    """Refuse a cluster or a recording without a name, which would have another looked at, and both at once.

    Raises:
        Unusable: there is such an option.
    """
    for option in ("context", "snapshot"):
        if config.getoption(option) == "":
            raise Unusable(f"--{option} is given without a name: give one, or leave the option out")
    if not config.getoption("snapshot"):
        return
    if config.getoption("probe"):
        raise Unusable("--probe looks at a cluster, and a recording shows the probe it holds: leave out one of them")
    if config.getoption("record"):
        raise Unusable("--record writes what a cluster answers: it does not go with --snapshot")
    if config.getoption("context"):
        raise Unusable("--context names a cluster, and --snapshot a recording: leave out one of them")


def _left_out(config: pytest.Config) -> list[str]:
    """Return the options that would have let the run see more."""
    given = {
        PROBE: config.getoption("probe"),
        KUBELET: config.getoption("kubelet") != "none",
        SECRET_NAMES: config.getoption("secret_names"),
    }
    return [option for option, chosen in given.items() if not chosen]
