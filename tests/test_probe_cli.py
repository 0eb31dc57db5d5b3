"""Runs with --probe as a user starts them, against the fake API server, with a check that reads its results."""

import gzip
import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kubevitals.diagnosis.history import read
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.source.probing import run as probe_run
from tests.conftest import WIDE
from tests.fake_probe import NODES, ProbedCluster, serving
from tests.fake_server import SYSTEM, ApiServer, Reply
from tests.fakes import list_bytes, status_json

pytest_plugins = ["pytester"]

CHECK = """
import pytest
from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref
from kubevitals.inventory.probed import probed

def silent(cluster):
    for pod in probed(cluster).missing:
        yield Finding(Ref("Node", "", pod.node), says=f"{pod.network}: {pod.reason}", remedy="look")

def unanswered(cluster):
    for network in ("pod", "host"):
        for report in probed(cluster).of(network):
            for reach in report.reached:
                if not reach.ok:
                    yield Finding(Ref("Node", "", report.node), says=reach.said, remedy="look")

@pytest.mark.cause(chapter="4")
@pytest.mark.parametrize("variant", [silent, unanswered])
def test_network(cluster, variant):
    return variant(cluster)
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def kube(server: ApiServer) -> ProbedCluster:
    """A cluster of three nodes that runs the probe."""
    cluster = ProbedCluster()
    server.otherwise = cluster
    cluster.on("GET /api/v1/nodes$", lambda: Reply(list_bytes(serving(node) for node in NODES)))
    cluster.on("GET /api/v1/namespaces$", lambda: Reply(list_bytes([SYSTEM])))
    return cluster


@pytest.fixture
def run(pytester: pytest.Pytester, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs that check in an empty folder."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("COLUMNS", WIDE)
    for name, value in {"POLL": 0.01, "QUIET": 0.1, "READING": 0.1}.items():
        monkeypatch.setattr(probe_run, name, value)
    pytester.mkdir("own").joinpath("test_network.py").write_text(CHECK)
    return lambda *options: pytester.runpytest_inprocess("own", *options)


def changes(kube: ProbedCluster) -> list[str]:
    return [request for request in kube.requests if not request.startswith(("GET", "HEAD"))]


def test_a_healthy_cluster_passes_with_everything_observed(run: Run, kube: ProbedCluster) -> None:
    result = run("--probe", "--require-observed")
    assert result.ret == 0
    assert result.parseoutcomes() == {"healthy": 2}
    assert len([request for request in changes(kube) if request.startswith("POST")]) == 4
    assert (kube.objects, kube.namespace) == ({}, None)
    assert "creates 2 pods" not in result.stdout.str()


def test_without_the_option_nothing_is_created_and_the_summary_says_what_it_would_show(
    run: Run, kube: ProbedCluster
) -> None:
    result = run()
    assert changes(kube) == []
    words = "only visible from inside the cluster's network (--probe creates 2 pods per node for less than a minute)"
    result.stdout.fnmatch_lines([f"not observed (2 checks): {words}"])
    assert words in html.unescape(Path("reports/health.html").read_text()).replace("\\n", "")


def test_a_pod_that_does_not_start_is_found(run: Run, kube: ProbedCluster) -> None:
    kube.on(f"GET .*pod-.*{NODES[0]}/log", lambda: Reply(status_json("no such file"), 500))
    result = run("--probe")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"error: Node/{NODES[0]}: pod: its log cannot be read: *no such file"])


def test_a_probe_that_may_not_be_started_is_tried_once_and_not_observed(run: Run, kube: ProbedCluster) -> None:
    kube.on("POST .*/daemonsets", lambda: Reply(status_json("no pods here"), 403))
    result = run("--probe", "--require-observed")
    assert result.ret == EXIT_NOT_OBSERVED
    assert sum(request.endswith("/daemonsets") for request in changes(kube)) == 1
    result.stdout.fnmatch_lines(
        ["asked for, but not observed (2 checks): forbidden: no pods here (missing right: create daemonsets in *probe)"]
    )


def test_what_may_be_left_behind_is_told(run: Run, kube: ProbedCluster) -> None:
    kube.on("DELETE .*/services/", lambda: Reply(status_json("it stays"), 403))
    result = run("--probe")
    line = "probe: Service/kubevitals-probe/probe-* may be left behind: forbidden: it stays*"
    result.stdout.fnmatch_lines([line])
    assert "may be left behind" in Path("reports/health.html").read_text()


def test_checks_that_are_not_run_start_no_probe(run: Run, kube: ProbedCluster) -> None:
    run("--probe", "--collect-only")
    run("--probe", "-k", "nothing")
    assert changes(kube) == []


def test_an_interrupt_of_the_probe_loses_only_the_checks_that_need_it(
    run: Run, kube: ProbedCluster, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe runs after the checks that need none, whatever their order, and is removed."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt("SIGINT")

    monkeypatch.setattr(probe_run._Run, "look", interrupted)
    needs_none = CHECK.replace("probed(cluster).missing", "()").replace("silent", "needs_none")
    Path("own/test_zone.py").write_text(needs_none)
    result = pytester.runpytest_inprocess("own", "--probe", "--findings=f.json", no_reraise_ctrlc=True)
    report = read(Path("f.json"))
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [item.check for item in report.items] == ["zone[needs-none]"]
    assert report.unjudged == ["network[silent]", "network[unanswered]", "zone[unanswered]"]
    assert kube.namespace is None
    del run


def test_a_recorded_probe_replays_the_same(run: Run, kube: ProbedCluster) -> None:
    kube.on(f"GET .*host-.*{NODES[1]}/log", lambda: Reply(status_json("password=hunter2 refused"), 500))
    recorded = run("--probe", "--record=cluster.recording")
    kube.requests.clear()
    replayed = run("--snapshot=cluster.recording")
    assert kube.requests == []
    assert _found(recorded) == _found(replayed) != []
    assert b"hunter2" not in gzip.decompress(Path("cluster.recording").read_bytes())


def _found(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("error: Node/")]


def test_a_recording_without_a_probe_says_so(run: Run, kube: ProbedCluster) -> None:
    run("--record=cluster.recording")
    result = run("--snapshot=cluster.recording")
    result.stdout.fnmatch_lines(["*: the recorded run had no probe: it was recorded without --probe"])
    assert "--probe creates" not in result.stdout.str()


def test_a_probe_that_failed_is_replayed_with_its_reason(run: Run, kube: ProbedCluster) -> None:
    kube.on("POST .*/daemonsets", lambda: Reply(status_json("no pods here"), 500))
    run("--probe", "--record=cluster.recording")
    run("--snapshot=cluster.recording").stdout.fnmatch_lines(["*no pods here*"])


# --- options ---


def test_a_dry_run_prints_what_would_be_created_and_asks_nothing(
    run: Run, server: ApiServer, pytester: pytest.Pytester
) -> None:
    result = pytester.runpytest_subprocess(
        "-p", "kubevitals.plugin.hooks", "own", "--probe-dry-run", "--probe-image=registry.example/busybox:1"
    )
    assert result.ret == 0
    made = list(yaml.safe_load_all(result.stdout.str()))
    assert [each["kind"] for each in made] == ["Namespace", "Service", "DaemonSet", "DaemonSet"]
    assert "registry.example/busybox:1" in result.stdout.str()
    assert server.requests == []
    del run


UNUSABLE = {
    "a recording": (["--probe", "--snapshot=demo"], "--probe needs a cluster, and a recording replays its own probe"),
    "a dry recording": (["--probe-dry-run", "--snapshot=demo"], "--probe-dry-run .* omit --snapshot"),
    "namespace": (["--probe", "--probe-namespace=A/b"], "--probe-namespace: 'A/b' is not a valid name of a namespace"),
    "no namespace": (["--probe", "--probe-namespace="], "--probe-namespace: give a value that is not empty"),
    "image": (["--probe", "--probe-image=busy box"], "--probe-image: 'busy box' is not a valid image name"),
    "secret": (
        ["--probe", "--probe-image-pull-secret=-"],
        "--probe-image-pull-secret: '-' is not a valid",
    ),
    "outside": (["--probe", "--probe-outside=$(id)"], r"--probe-outside: '\$\(id\)' is not a DNS name"),
    "domain": (["--probe", "--cluster-domain=a..b"], r"--cluster-domain: 'a\.\.b' is not a DNS domain"),
    "duration": (["--probe", "--probe-timeout=soon"], "--probe-timeout: 'soon' is not a duration"),
    "too short": (["--probe", "--probe-timeout=5"], "--probe-timeout: give 20 to 600 s"),
    "no probe": (["--probe-image=busybox"], "--probe-image is an option of the probe: add --probe, or omit it"),
    "no probe in time": (["--probe-timeout=soon"], "--probe-timeout is an option of the probe"),
    "dry": (["--probe-dry-run", "--probe-timeout=1h"], "--probe-timeout: give 20 to 600 s"),
}


@pytest.mark.parametrize(("options", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_one_line_and_exit_code_4(
    run: Run, server: ApiServer, options: list[str], message: str
) -> None:
    result = run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert re.fullmatch(f"ERROR: .*{message}.*", line)
    assert server.requests == []
