"""deploy/ grants the rights that the checks need and no others, and its commands work."""

import subprocess
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kubevitals import __version__
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import read
from kubevitals.facts.address_pools import annotated, antrea, calico_kinds, cilium, kube_ovn, node_ranges, whereabouts
from kubevitals.facts.dns import corefile
from kubevitals.facts.network import kube_proxy_config
from kubevitals.facts.network.enforcement import OTHERS
from kubevitals.facts.network.ip_pools import IP_POOLS
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.probe.plan import Options, ProbePlan
from kubevitals.source.live import Live
from kubevitals.source.probing import run as probe_run
from kubevitals.source.probing.manifests import Made
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer
from kubevitals.source.scope import Scope
from scenarios.harness import RECORDINGS, verdicts
from scenarios.rights import DEPLOY, Right, granted, objects, requested
from tests.fake_probe import NODES, ProbedCluster
from tests.fake_server import ApiServer
from tests.fakes import FakeSource, list_bytes
from tests.runs import crashing

pytest_plugins = ["pytester"]

MANIFESTS = sorted(path for path in DEPLOY.rglob("*.yaml") if not {"ci", "chart"} & set(path.relative_to(DEPLOY).parts))


def recorded() -> set[Right]:
    """Return the rights that the runs of all recordings needed."""
    paths = {urlsplit(path).path for file in RECORDINGS.glob("*.recording") for path in Snapshot(file).paths}
    return set(requested(f"GET {path}" for path in paths))


def of_cnis() -> set[Right]:
    """Return the rights on kinds of CNIs, which are not requested where a cluster does not have them."""
    modules = (annotated, antrea, calico_kinds, cilium, kube_ovn, node_ranges, whereabouts)
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, Kind)]
    return {("list", kind.resource) for kind in (*kinds, *OTHERS, IP_POOLS)}


def test_the_base_and_the_kubelet_component_grant_exactly_what_is_requested() -> None:
    base, kubelet = granted("base/rbac.yaml"), granted("components/kubelet/rbac.yaml")
    configuration = {("get", "configmaps")}
    assert base | kubelet | {("list", "secrets")} == recorded() | configuration | of_cnis()
    (role,) = (obj for obj in objects(DEPLOY / "base/rbac.yaml") if obj["kind"] == "Role")
    folder, (rule,) = f"/api/v1/namespaces/{role['metadata']['namespace']}/configmaps", role["rules"]
    assert {f"{folder}/{name}" for name in rule["resourceNames"]} == {corefile.PATH, kube_proxy_config.PATH}
    assert kubelet == {right for right in recorded() if right[1].startswith("nodes/")}
    assert ("list", "secrets") not in base


def test_the_namespace_overlay_grants_exactly_what_is_requested_in_a_namespace() -> None:
    """Paths that every account may get by Kubernetes' own role system:public-info-viewer need no grant."""
    source = FakeSource({"/api/v1/namespaces/shop/pods": Answer(200, list_bytes([crashing("web-0")]))})
    cluster = Cluster(source, scope=Scope(["shop"], namespaced_only=True))
    wait(cluster.prefetch())
    verdicts(cluster)
    paths = {urlsplit(request.path).path for request in source.requests}
    outside = {path for path in paths if "/namespaces/shop/" not in path}
    assert outside == {"/version", "/readyz", "/certificate"}  # the last is a TLS handshake
    needed = set(requested(f"GET {path}" for path in paths - outside))
    assert granted("overlays/namespace/rbac.yaml") == needed
    roles = [obj["kind"] for obj in objects(DEPLOY / "overlays/namespace/rbac.yaml")]
    assert roles == ["Role", "RoleBinding"]


def test_the_probe_component_grants_what_the_probe_requests_and_only_in_its_namespace(
    server: ApiServer, connect: Callable[..., Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pod of the probe does not start, so that the probe also requests the events that say why."""
    monkeypatch.setattr(probe_run, "POLL", 0.01)
    monkeypatch.setattr(probe_run, "QUIET", 0.1)
    server.otherwise = cluster = ProbedCluster()
    cluster.namespace = {}
    cluster.waiting[NODES[0]] = pb.ContainerStateWaiting(reason="ErrImagePull")
    probe_run.run(connect(), ProbePlan(Options(), NODES))
    assert granted("components/probe/rbac.yaml") == set(requested(cluster.requests))
    roles = [obj for obj in objects(DEPLOY / "components/probe/rbac.yaml") if "rules" in obj]
    assert [(role["kind"], role["metadata"]["namespace"]) for role in roles] == [("Role", Options().namespace)]


def test_the_probes_namespace_admits_the_probes_pods() -> None:
    created = Made.new(Options()).namespace["metadata"]
    (namespace,) = [obj for obj in objects(DEPLOY / "components/probe/rbac.yaml") if obj["kind"] == "Namespace"]
    level = "pod-security.kubernetes.io/enforce"
    assert namespace["metadata"]["name"] == created["name"]
    assert namespace["metadata"]["labels"] == {level: created["labels"][level]}


def test_a_policy_allows_the_probes_pods_all_traffic() -> None:
    (kustomization,) = objects(DEPLOY / "components/probe/kustomization.yaml")
    (policy,) = objects(DEPLOY / "components/probe/network-policy.yaml")
    assert "network-policy.yaml" in kustomization["resources"]
    assert policy["metadata"]["namespace"] == Options().namespace
    everything = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}
    assert policy["spec"] == everything


def test_only_reading_rights_are_granted_in_the_cluster() -> None:
    rights = {right for path in MANIFESTS for right in granted(str(path.relative_to(DEPLOY)))}
    assert not [right for right in rights if "*" in "".join(right) or "secrets" in right[1] or "proxy" in right[1]]
    of_the_cluster = [obj for obj in objects(*MANIFESTS) if obj["kind"] == "ClusterRole"]
    assert {verb for role in of_the_cluster for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}


def test_the_state_component_grants_what_one_config_map_takes() -> None:
    config_map, role, _ = objects(DEPLOY / "components/state-configmap/state.yaml")
    name, namespace = config_map["metadata"]["name"], config_map["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    assert granted("components/state-configmap/state.yaml") == set(requested([f"GET {path}", f"PATCH {path}"]))
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", namespace)
    assert [rule["resourceNames"] for rule in role["rules"]] == [[name]]
    assert "data" not in config_map  # so that to apply it again keeps the state


def test_the_base_waits_for_no_volume_and_never_hides_what_is_still_broken() -> None:
    (job,) = objects(DEPLOY / "base/cron-job.yaml")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert not [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert "--only-new" not in pod["containers"][0]["args"]


def test_every_image_is_of_this_version() -> None:
    (images,) = [obj["images"] for obj in objects(DEPLOY / "base/kustomization.yaml")]
    (pod,) = objects(DEPLOY / "reports-pod.yaml")
    assert images == [{"name": "kubevitals", "newTag": __version__}]
    assert pod["spec"]["containers"][0]["image"] == f"kubevitals:{__version__}"


def github() -> str:
    (workflow,) = objects(DEPLOY / "ci/github.yaml")
    return "\n".join(step["run"] for step in workflow["jobs"]["health"]["steps"] if "run" in step)


def gitlab() -> str:
    (pipeline,) = objects(DEPLOY / "ci/gitlab.yaml")
    return "\n".join(pipeline["cluster-health"]["script"])


def cron_job() -> str:
    (job,) = [obj for obj in objects(DEPLOY / "base/cron-job.yaml") if obj["kind"] == "CronJob"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return " ".join(["pytest --pyargs kubevitals.checks", *container["args"]]).replace("/reports", "reports")


@pytest.mark.parametrize(("script", "again"), [(github, 0), (gitlab, 0), (cron_job, 1)])
def test_a_scheduled_run_compares_with_the_last_one(script: Any, again: int, pytester: pytest.Pytester) -> None:
    """The demo is checked twice: new findings fail, and with --only-new ongoing ones do not."""
    Path("reports").mkdir()
    for expected in (1, again):
        options = _of_pytest(script(), fails=expected)
        demo = ("--snapshot=demo", "-k", "test_volume_claim or test_startup_error")
        result = pytester.runpytest_inprocess(*options, *demo)
        assert result.ret == expected
    report = read(Path("reports/findings.json"))
    assert report.comparison
    assert report.comparison.ongoing == len(report.findings) > 0
    assert Path("reports/health.html").stat().st_size > 0


def _of_pytest(script: str, *, fails: int) -> list[str]:
    """Return the arguments that a script gives to pytest, on whose exit code its own depends."""
    here = str(Path.cwd())
    environment = {
        "PATH": "/usr/bin:/bin",
        "GITHUB_STEP_SUMMARY": f"{here}/summary.md",
        "RUNNER_TEMP": here,
        "KUBECONFIG_CONTENT": "none",
    }
    stand_ins = f"pip() {{ true; }}\npytest() {{ printf '%s\\n' \"$@\" > arguments; return {fails}; }}"
    command = ["bash", "-e", "-c", f"{stand_ins}\n{script}"]
    assert subprocess.run(command, env=environment).returncode == fails
    return Path("arguments").read_text().splitlines()


def test_collect_collects_every_list_that_checks_read_and_no_secret() -> None:
    script = (DEPLOY / "collect").read_text()
    kinds = {kind.partition(".")[0] for kind in script.partition("for kind in ")[2].partition(";")[0].split()}
    lists = {listing.path.rpartition("/")[2] for listing in Cluster.listings()}
    assert lists - kinds == {"secrets", "configmaps"}
    assert "secrets" not in script
    assert "get configmaps --all-namespaces -o go-template" in script
