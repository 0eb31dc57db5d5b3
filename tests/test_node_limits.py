"""Limits of nodes' kernels, by what the probe reads and by what pods report."""

import pytest

from checks.test_node_limits import inotify, open_files, threads
from kubevitals.errors import NotRecorded
from kubevitals.facts.pods.inotify import INSTANCES, WATCHES, InotifyLimit, exhausted_line, reached_limit
from kubevitals.findings.declaration import Rule
from kubevitals.inventory.probed import MissingReport
from kubevitals.probe.report import KernelLimits, ProbeReport
from tests.built import BuiltPod
from tests.fakes import cluster_of
from tests.networks import UseProbe, found, judged, node

CLUSTER = cluster_of(nodes=[node("one"), node("two")])


def report(name: str = "one", /, **read: int | None) -> ProbeReport:
    most: dict[str, int | None] = {"files": 5, "files_max": 1000, "threads": 5, "pid_max": 1000, "threads_max": 2000}
    return ProbeReport(name, "host", whole=True, limits=KernelLimits(**(most | read)))


@pytest.mark.parametrize(("rule", "counted"), [(open_files, "files"), (threads, "threads")])
@pytest.mark.parametrize(
    ("used", "expected"),
    [(799, []), (800, ["Node/one (warning)"]), (949, ["Node/one (warning)"]), (950, ["Node/one"])],
)
def test_how_much_is_in_use(use_probe: UseProbe, rule: Rule, counted: str, used: int, expected: list[str]) -> None:
    use_probe([report(**{counted: used}), report("two")])
    assert found(rule, CLUSTER) == expected


def test_of_two_limits_of_threads_the_lower_one_counts(use_probe: UseProbe) -> None:
    use_probe([report(threads=475, threads_max=500)])
    (finding,), _ = judged(threads, CLUSTER)
    assert list(finding.evidence) == ["475 of 500 (kernel.threads-max), 95 %"]
    assert "raise kernel.threads-max" in finding.remedy


def test_no_limit_is_never_reached(use_probe: UseProbe) -> None:
    use_probe([report(files=10**9, files_max=2**63 - 1, pid_max=0)])
    assert found(open_files, CLUSTER) == found(threads, CLUSTER) == []


@pytest.mark.parametrize("rule", [open_files, threads])
def test_what_the_probe_cannot_read_is_not_observed(use_probe: UseProbe, rule: Rule) -> None:
    use_probe([report(files=None, threads_max=None)])
    assert "could not read the limit of" in str(judged(rule, CLUSTER)[1])
    use_probe([report()], [MissingReport("two", "host", "probe-x", "ImagePullBackOff")])
    assert "the probe has no result from two: ImagePullBackOff" in str(judged(rule, CLUSTER)[1])


@pytest.mark.parametrize("rule", [open_files, threads])
def test_a_probe_of_an_earlier_version_did_not_read_them(use_probe: UseProbe, rule: Rule) -> None:
    use_probe([ProbeReport("one", "host", whole=True)])
    assert isinstance(judged(rule, CLUSTER)[1], NotRecorded)


LINES = [
    ("failed to create fsnotify watcher: too many open files", INSTANCES),
    ("inotifyd: no kernel support (inotify_init): Too many open files", INSTANCES),
    ("inotify_init1: No file descriptors available", INSTANCES),
    ("The configured user limit (128) on the number of inotify instances has been reached", INSTANCES),
    ("inotify_add_watch(3, /etc/app): No space left on device", WATCHES),
    ("Error: ENOSPC: System limit for number of file watchers reached, watch '/app'", WATCHES),
    ("The configured user limit (8192) on the number of inotify watches has been reached", WATCHES),
]


@pytest.mark.parametrize(("line", "limit"), LINES)
def test_containers_that_may_not_watch_files(line: str, limit: InotifyLimit) -> None:
    built = BuiltPod()
    built.crashing("app-2", log=f"starting\n{line}")
    (finding,), unseen = judged(inotify, built.cluster())
    assert unseen is None
    assert reached_limit(line) is limit
    assert f"has no {limit.counts} left on the node" in finding.says
    assert limit.sysctl in finding.remedy


@pytest.mark.parametrize(
    "line",
    [
        "open /data/x: too many open files",
        "write /data/x: no space left on device",
        "fsnotify: watching /etc/app",
        "inotify: permission denied",
    ],
)
def test_other_limits(line: str) -> None:
    assert exhausted_line([line]) is None


def test_a_long_line_is_read_in_part() -> None:
    assert exhausted_line(["x" * 100_000 + "inotify: too many open files"]) is None
