"""The command-line options, as they are declared; `kubevitals.plugin.settings` reads them."""

import re
from argparse import ArgumentTypeError
from pathlib import Path

from kubevitals.diagnosis import known_issues
from kubevitals.findings.finding import Severity
from kubevitals.plugin import delivery_options, fleet_options, probe_options
from kubevitals.plugin.option_group import Group
from kubevitals.text import clean

REPORTS = {
    "--findings": "write the result as JSON, for --compare and for other programs",
    "--metrics": "write metrics for node exporter's textfile collector",
    "--markdown": "append a Markdown summary to a file, such as $GITHUB_STEP_SUMMARY",
}
"""The help of each option that writes a report, without those of pytest's own reports."""

NO_REDACT = "--no-redact"

KUBELET_WAYS = ("direct", "proxy", "none")
"""The ways to query kubelets."""


def declare(group: Group) -> None:
    """Declare all options but --kubeconfig, which another plugin may have."""
    _add_cluster(group)
    _add_scope(group)
    _add_sources(group)
    probe_options.add(group)
    _add_verdict(group)
    _add_known(group)
    fleet_options.add(group)
    group.addoption(
        "--junit-per-finding",
        action="store_true",
        help="with --junitxml: a test case for each finding, instead of one for its check",
    )
    for option, text in REPORTS.items():
        group.addoption(option, metavar="PATH", type=_path, help=text)
    group.addoption(
        "--docs-url",
        metavar="URL",
        type=web_site,
        help="where the pages of the causes are published; the HTML page and notifications link to URL/CAUSE/",
    )
    delivery_options.add(group)


def _path(text: str) -> Path:
    """Return a path; ``-`` is standard output, and an empty text would be the current directory.

    Raises:
        ArgumentTypeError: the text is empty.
    """
    if not text:
        raise ArgumentTypeError("the path is empty: give a path, or omit the option")
    return Path("/dev/stdout" if text == "-" else text)


def web_site(text: str) -> str:
    """Return the URL of a web site without the slash at its end.

    Raises:
        ArgumentTypeError: the text is something else.
    """
    if not re.match(r"https?://[^/]", text):
        raise ArgumentTypeError(f"{clean(text, 80)!r} is not a URL: give one that begins with https:// or http://")
    return text.rstrip("/")


def add_kubeconfig(group: Group) -> None:
    """Declare the option that chooses the kubeconfig."""
    group.addoption(
        "--kubeconfig",
        metavar="PATH",
        help="the kubeconfig to use (default: $KUBECONFIG, or ~/.kube/config); the kubectl commands in reports name it",
    )


def _add_cluster(group: Group) -> None:
    """Declare the options that choose the cluster or recording."""
    group.addoption("--context", help="the kubeconfig context to use (default: the current context)")
    group.addoption(
        "--request-timeout",
        metavar="DURATION",
        default="10s",
        help="read timeout: how long to wait for the next bytes of a response (default: 10s)",
    )
    group.addoption(
        "--record",
        metavar="PATH",
        type=_path,
        help="record the cluster's answers in a file, redacted, to be replayed with --snapshot",
    )
    group.addoption(
        NO_REDACT,
        action="store_true",
        help="keep texts that look like credentials in reports and recordings",
    )
    group.addoption(
        "--snapshot",
        metavar="PATH",
        help="replay a recording (`demo` and `demo-all` come with the package), or judge a support bundle: a folder or "
        "an archive",
    )
    group.addoption(
        "--now", metavar="TIME", help="the time of a support bundle or of a roll-up, such as 2026-03-01T12:00:00Z"
    )
    group.addoption(
        "--later",
        metavar="DURATION",
        help="judge the recording or bundle as if DURATION had passed since it was taken, for example 24h",
    )


def _add_scope(group: Group) -> None:
    """Declare the options that choose namespaces and checks."""
    group.addoption(
        "--namespace",
        metavar="NAME",
        action="append",
        default=[],
        help="check only this namespace, or those that match a pattern (shop-*); repeatable",
    )
    group.addoption(
        "--exclude-namespace",
        metavar="NAME",
        action="append",
        default=[],
        help="skip this namespace, or those that match a pattern; repeatable",
    )
    group.addoption(
        "--namespaced-only",
        action="store_true",
        help="with --namespace: skip cluster-scoped objects (nodes, PVs, …), so that namespaced RBAC is enough",
    )
    group.addoption(
        "--check",
        metavar="NAME",
        action="append",
        default=[],
        help="run only this check, or all of a cause, by the names in reports: scheduling[unschedulable]; repeatable",
    )
    group.addoption(
        "--installed-checks",
        action="store_true",
        help="also run the checks of installed packages (entry points in the group kubevitals.checks)",
    )


def _add_sources(group: Group) -> None:
    """Declare the options that choose what is read besides the standard lists."""
    group.addoption(
        "--secret-names",
        action="store_true",
        help="list the names of Secrets too; their contents are never requested",
    )
    group.addoption(
        "--cni-daemonset",
        metavar="NAMESPACE/NAME",
        action="append",
        default=[],
        help="the CNI's DaemonSet, if it is not detected automatically; repeatable",
    )
    group.addoption(
        "--kubelet",
        choices=KUBELET_WAYS,
        help="query kubelets directly (default in a pod), through the API server's proxy (default elsewhere), "
        "or not at all",
    )
    group.addoption(
        "--kubelet-insecure-tls",
        action="store_true",
        help="with direct queries: accept any certificate of a kubelet, which then receives the credentials",
    )


def _add_verdict(group: Group) -> None:
    """Declare the options that decide what fails the run."""
    group.addoption(
        "--fail-on",
        choices=[str(severity) for severity in Severity],
        default=str(Severity.ERROR),
        help="lowest severity that fails the run; anything below is only a warning (default: error)",
    )
    group.addoption(
        "--require-observed",
        action="store_true",
        help="fail checks that could not observe what this run's options include",
    )
    group.addoption(
        "--threshold",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="override a threshold, for example pod.stuck=5m (an unknown name lists all of them); repeatable",
    )


def _add_known(group: Group) -> None:
    """Declare the options that say which findings are known."""
    group.addoption(
        "--known-issues",
        metavar="PATH",
        type=_path,
        help=f"the file of expected findings (default: {known_issues.DEFAULT_FILE})",
    )
    group.addoption(
        "--compare",
        metavar="PATH",
        type=_path,
        help="report what is new, ongoing and resolved since an earlier run: its --findings file, or a directory of "
        "such files, whose newest is used",
    )
    group.addoption(
        "--history",
        metavar="DIR",
        type=_path,
        help="keep the findings of the last 30 runs in a folder, and report how often each was found and "
        "what has changed since the newest (unless --compare names another run)",
    )
    group.addoption(
        "--state",
        metavar="configmap/NAMESPACE/NAME",
        help="keep in an existing ConfigMap which findings there are and since when, and compare with what it holds; "
        "only this and --probe write to the cluster",
    )
    group.addoption(
        "--only-new",
        action="store_true",
        help="with --compare, --history or --state: ongoing findings do not fail the run",
    )
