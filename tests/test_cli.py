"""Runs of the checks as a user starts them, against the fake API server."""

import html
import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.result import ReportedFinding
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.reports import atomic_file
from tests.fake_server import ApiServer, Reply, write_kubeconfig
from tests.fakes import status_json
from tests.runs import Run, crashing, log_path

pytest_plugins = ["pytester"]


@pytest.fixture
def unreachable(run: Run, kubeconfig: Path) -> Run:
    """Runs the checks on a cluster that is not there."""
    write_kubeconfig(kubeconfig, "http://127.0.0.1:1")
    return run


def page() -> dict[str, Any]:
    """Return what pytest-html's page is drawn from."""
    found = re.search(r'data-jsonblob="([^"]*)"', Path("reports/health.html").read_text())
    assert found
    return cast("dict[str, Any]", json.loads(html.unescape(found[1])))


def outcomes() -> dict[str, str]:
    return {item.rpartition("::")[2]: rows[0]["outcome"] for item, rows in page()["tests"].items()}


def findings() -> list[ReportedFinding]:
    """Return all that was found."""
    return read(Path("findings.json")).findings


NETWORK = (
    "test_services_are",
    "test_names_are",
    "test_connections_are",
    "test_pod_network",
    "test_dns_answers",
    "test_certificates_are",
    "test_node_limits_are",
)
"""Checks that see little of a cluster without DNS, CNI, TLS and probe."""


def not_healthy() -> list[str]:
    """Return the items that are not healthy, but for what cannot be seen of the network."""
    return [
        item
        for item, outcome in outcomes().items()
        if outcome not in ("healthy", "not applicable") and not (outcome == "not observed" and item.startswith(NETWORK))
    ]


CRASHES = ["startup-error"]
"""The checks that see the pod that crashes: enough for what does not depend on the check."""

# --- runs ---


def test_a_healthy_cluster_passes(run: Run, healthy: ApiServer) -> None:
    result = run()
    assert result.ret == 0, result.stdout.str()
    assert not_healthy() == []
    result.stdout.fnmatch_lines(["cluster: fake, Kubernetes v1.34.4, 1 node, 1 namespace, 0 pods, as of 2026-03-01*"])
    assert result.outlines[-3] == "page: reports/health.html"


def test_a_broken_pod_fails_one_item_and_is_shown_with_its_log(run: Run, broken: ApiServer) -> None:
    result = run("-v")
    assert result.ret == 1
    assert not_healthy() == ["test_containers_start_and_stay[app-exit]"]
    result.stdout.fnmatch_lines(["*: Pod/shop/web-0*", "*kubectl -n shop logs pod/web-0 *", "*log: cannot open config"])


def test_every_list_is_asked_for_once(run: Run, broken: ApiServer) -> None:
    run(checks=CRASHES)
    lists = [path for path, _ in broken.requests if "limit=" in path]
    assert len(lists) > 10
    assert len(lists) == len(set(lists))


def test_collecting_asks_the_cluster_nothing(run: Run, server: ApiServer, kubeconfig: Path) -> None:
    result = run("--collect-only", "-q", checks=["api-server"])
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_api_server_is_ready[[]unreachable]"])
    assert server.requests == []
    kubeconfig.unlink()
    assert run("--collect-only", "-q", "--record=x", "--threshold=x", checks=["api-server"]).ret == 0


def test_an_unreachable_cluster_is_one_failure_and_the_rest_is_not_observed(unreachable: Run) -> None:
    result = unreachable()
    assert result.ret == 1
    seen = outcomes()
    assert seen.pop("test_api_server_is_ready[unreachable]") == "broken"
    assert set(seen.values()) == {"not observed"}
    result.stdout.fnmatch_lines(["error: APIServer/kube-apiserver: does not answer: *Connection refused"])


def test_a_server_that_never_answers_is_unreachable(run: Run, server: ApiServer) -> None:
    server.otherwise = server.hang
    for path in ("/version", "/readyz"):
        server.script(path, server.hang)
    result = run("--request-timeout=0.1")
    assert result.ret == 1
    seen = outcomes()
    assert seen.pop("test_api_server_is_ready[unreachable]") == "broken"
    assert set(seen.values()) == {"not observed"}
    result.stdout.fnmatch_lines(["*does not answer: * did not answer within 0.1 s"])


def test_kubelets_that_are_asked_directly_leave_the_proxy_alone(run: Run, healthy: ApiServer) -> None:
    assert run("--kubelet=direct").ret == 0
    assert [path for path, _ in healthy.requests if "/proxy/" in path] == []


def test_a_run_that_observed_nothing_fails(run: Run, server: ApiServer) -> None:
    server.script("/api/v1/nodes", Reply(status_json("nodes is forbidden"), 403))
    result = run(checks=["node-ready"])
    assert result.ret == EXIT_NOT_OBSERVED
    result.stdout.fnmatch_lines(["Not observed: this run says nothing about the cluster"])


def test_known_issues_are_read_from_the_current_folder(run: Run, broken: ApiServer) -> None:
    issue = 'check = "startup-error"\nobject = "Pod/shop/*"\nreason = "next sprint"\nuntil = 9999-01-01\n'
    Path("known-issues.toml").write_text(f"[[issue]]\n{issue}")
    result = run(checks=CRASHES)
    assert result.ret == 0
    assert outcomes()["test_containers_start_and_stay[app-exit]"] == "known"
    broken.serve("/api/v1/pods", crashing("web-0"), crashing("api-0"))
    Path("known-issues.toml").write_text(f"[[issue]]\n{issue}".replace("shop/*", "shop/web-*"))
    assert run(checks=CRASHES).ret == 1


def test_known_issues_that_are_over_or_match_nothing_are_reported(run: Run, healthy: ApiServer) -> None:
    issue = '[[issue]]\ncheck = "startup-error"\nobject = "Pod/shop/*"\nreason = "next sprint"\nuntil = '
    Path("issues.toml").write_text(f"{issue}9999-01-01\n{issue}2020-01-01\n")
    result = run("--known-issues=issues.toml", checks=CRASHES)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "known issue expired, no longer applied: startup-error on *",
            "known issue matches nothing: startup-error*",
        ]
    )


def test_a_threshold_decides(run: Run, broken: ApiServer) -> None:
    pod = crashing("web-0")
    pod.status.containerStatuses[0].state.CopyFrom(pb.ContainerState(running=pb.ContainerStateRunning()))
    pod.status.conditions.add(type="Ready", status="True")
    broken.serve("/api/v1/pods", pod)
    assert run("--threshold=pod.restarts=7", checks=CRASHES).ret == 1
    assert run("--threshold=pod.restarts=8", checks=CRASHES).ret == 0


# --- reports ---


def test_findings_metrics_and_markdown_are_written_where_the_user_says(run: Run, broken: ApiServer) -> None:
    assert run("--findings=new/f.json", "--metrics=new/m.prom", "--markdown=new/s.md", checks=CRASHES).ret == 1
    found = read(Path("new/f.json"))
    assert [f.says for f in found.findings] == [
        'container "app" keeps crashing: exit code 1 (general error): "it died"'
    ]
    assert len(found.items) == len(outcomes())
    assert Path("new/m.prom").read_text().endswith("# EOF\n")
    assert "shop" in Path("new/s.md").read_text()
    assert sorted(path.name for path in Path("new").iterdir()) == ["f.json", "m.prom", "s.md"]


def test_a_run_is_compared_with_the_one_before(run: Run, broken: ApiServer) -> None:
    compare = ("-v", "--compare=runs", "--findings=runs/f.json", "--only-new")
    Path("runs").mkdir()
    assert run(*compare, checks=CRASHES).ret == 1
    result = run(*compare, checks=CRASHES)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["since 2026-03-01 12:00:00 UTC: 0 new, 1 ongoing, 0 resolved"])
    broken.serve("/api/v1/pods", crashing("api-0"))
    broken.script(log_path("api-0"), Reply(b""))
    result = run(*compare, checks=CRASHES)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "since *: 1 new, 0 ongoing, 1 resolved",
            "error, new: Pod/shop/api-0: container * keeps crashing*",
            "resolved: Pod/shop/web-0: container * keeps crashing*",
        ]
    )
    broken.serve("/api/v1/pods")
    result = run(*compare, checks=CRASHES)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["since *: 0 new, 0 ongoing, 1 resolved", "resolved: Pod/shop/api-0: container * keeps crashing*"]
    )


def test_a_report_that_cannot_be_written_in_the_end_fails_the_run(
    run: Run, healthy: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_file, "write", full)
    result = run(checks=CRASHES)
    assert result.ret == EXIT_NOT_OBSERVED
    for option in ("findings findings.json", "html *reports/health.html"):
        result.stdout.fnmatch_lines([f"--{option} cannot be written: No space left on device"])
    result.stdout.no_fnmatch_line("page: *")


def test_in_a_workflow_roots_are_annotated_and_the_cluster_cannot_command(
    run: Run, broken: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    summary = Path("summary.md")
    summary.write_text("# An earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    lines = run(f"--markdown={summary}", "-v", checks=CRASHES).outlines
    (said,) = [
        number for number, line in enumerate(lines) if line.startswith("::error title=startup-error[app-exit]::Pod/")
    ]
    token = lines[said - 1].strip(":")
    stops = [number for number, line in enumerate(lines) if line == f"::stop-commands::{token}"]
    assert stops[0] < said < stops[1] < next(n for n, line in enumerate(lines) if "cannot open config" in line)
    assert lines[stops[1] - 1].startswith("::group::error: Pod/shop/web-0: ")
    group = lines[stops[1] : lines.index("::endgroup::")]
    assert "log: cannot open config" in group
    assert group[-1] == lines[-1] == f"::{token}::"
    assert summary.read_text().startswith("# An earlier step\n## Broken")


# --- recordings ---


def test_a_replay_finds_what_the_recorded_run_found(run: Run, broken: ApiServer) -> None:
    broken.script("/apis/storage.k8s.io/v1/storageclasses", Reply(status_json("x" * 300), 403))
    assert run("--record=cluster.recording").ret == 1
    recorded = findings()
    broken.requests.clear()
    assert run("--snapshot=cluster.recording").ret == 1
    assert findings() == recorded
    assert "log: cannot open config" in recorded[0].evidence
    assert broken.requests == []
    assert run("--snapshot=cluster.recording", "--later=24h", "-k", "app-exit", checks=CRASHES).ret == 1


def test_an_unreachable_cluster_can_be_recorded_too(unreachable: Run) -> None:
    checks = ["api-server", *CRASHES]
    assert unreachable("--record=cluster.recording", checks=checks).ret == 1
    recorded = findings()
    assert unreachable("--snapshot=cluster.recording", checks=checks).ret == 1
    assert findings() == recorded
