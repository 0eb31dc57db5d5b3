"""What explains what: roots, their symptoms, and what must not be confused."""

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.findings.check_names import check_name
from kubevitals.findings.explains import (
    ANY,
    CONCERNED,
    CONCERNS,
    EVERYWHERE,
    SAME_MISSING,
    SAME_NODE,
    SAME_OBJECT,
    SAME_OWNER,
    Explains,
    declared,
)
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from kubevitals.source.recording import Snapshot
from scenarios.harness import RECORDINGS, check_modules, rules, verdicts
from tests.findings import case, report_of

DECLARED = declared(check_modules().values())
APP_CONFIG = Ref("ConfigMap", "shop", "app-config")


def told(*cases: Case, rules: list[Explains] = DECLARED) -> list[str]:
    """Return each symptom with its root."""
    return [
        f"{one.finding.obj} <- {root.finding.obj}" for one, root in roots_of(cases, rules).items() if root is not one
    ]


def recorded(name: str) -> Report:
    """Return the report of a recording."""
    cluster = Cluster(Snapshot(RECORDINGS / f"{name}.recording"))
    return report_of(*verdicts(cluster), rules=DECLARED)


# --- relations ---


def test_two_broken_nodes_at_once_are_kept_apart() -> None:
    assert told(
        case("node-ready[not-ready]", "Node/a"),
        case("node-ready[silent]", "Node/b"),
        case("ip-allocation[cni-misconfigured]", "Pod/shop/on-a", node="a"),
        case("ip-allocation[cni-unreachable]", "Pod/shop/on-b", node="b"),
        case("ip-allocation[cni-unreachable]", "Pod/shop/on-c", node="c"),
    ) == ["Pod/shop/on-a <- Node/a", "Pod/shop/on-b <- Node/b"]


def test_a_driver_that_crashes_is_the_root_and_what_keeps_its_pod_from_starting_another() -> None:
    plugin = "Pod/kube-system/csi-node-1"
    down = case("volume-claim[driver-down]", "CSIDriver/ebs", concerns=(Ref(*plugin.split("/")),))
    assert told(case("startup-error[app-exit]", plugin), down) == [f"{plugin} <- CSIDriver/ebs"]
    assert told(case("startup-error[image]", plugin), down) == [f"CSIDriver/ebs <- {plugin}"]
    assert told(case("memory-limit[oom-killed]", plugin), down) == [f"CSIDriver/ebs <- {plugin}"]


def test_a_driver_that_cannot_resolve_a_name_is_a_symptom_of_dns() -> None:
    crashing = case("volume-claim[driver-down]", "CSIDriver/ebs", evidence=["log: lookup storage: no such host"])
    other = case("volume-claim[driver-down]", "CSIDriver/efs", evidence=["log: address already in use"])
    assert told(case("cluster-dns[no-endpoints]", "Service/dns"), crashing, other) == ["CSIDriver/ebs <- Service/dns"]


def test_a_fault_of_its_own_on_a_broken_node_is_no_symptom() -> None:
    assert not told(
        case("node-ready[silent]", "Node/a"),
        case("config-mount[missing-object]", "Pod/shop/web", node="a", missing=(APP_CONFIG,)),
        case("startup-error[image]", "Pod/shop/api", node="a"),
    )


def test_what_is_missing_explains_all_who_miss_it_in_its_namespace() -> None:
    elsewhere = APP_CONFIG._replace(namespace="bank")
    assert told(
        case("config-mount[missing-object]", "Pod/shop/web-1", missing=(APP_CONFIG,)),
        case("config-mount[missing-object]", "Pod/shop/web-2", missing=(APP_CONFIG,)),
        case("config-mount[missing-object]", "Pod/bank/web-1", missing=(elsewhere,)),
        case("startup-error[bad-reference]", "Pod/shop/api-1", missing=(APP_CONFIG,)),
        case("config-mount[dangling-reference]", "Deployment/shop/jobs", missing=(APP_CONFIG,)),
    ) == [f"{name} <- Pod/shop/web-1" for name in ("Pod/shop/web-2", "Pod/shop/api-1", "Deployment/shop/jobs")]


def test_a_claim_explains_the_pods_that_wait_for_it() -> None:
    waiting = (Ref("Pod", "shop", "db-0"),)
    assert told(
        case("volume-claim[unbound]", "PersistentVolumeClaim/shop/data", concerns=waiting),
        case("volume-claim[mount-failed]", "PersistentVolumeClaim/shop/data", concerns=waiting),
        case("startup-error[app-exit]", "Pod/shop/db-0"),
        case("startup-error[app-exit]", "Pod/shop/db-1"),
    ) == [f"{name} <- PersistentVolumeClaim/shop/data" for name in ("PersistentVolumeClaim/shop/data", "Pod/shop/db-0")]


def test_a_full_disk_explains_pressure_on_disk_and_not_on_memory() -> None:
    assert told(
        case("node-ready[pressure]", "Node/a", says="is running out of memory (MemoryPressure)"),
        case("node-ready[pressure]", "Node/a", says="is running out of disk space (DiskPressure)"),
        case("storage-full[node-disk]", "Node/a"),
        case("storage-full[evicted]", "Pod/shop/big", node="a", says="was evicted: emptyDir exceeds its limit"),
        case("storage-full[evicted]", "Pod/shop/web", node="a", says="was evicted: The node was low on resource: disk"),
        case("startup-error[app-exit]", "Pod/shop/db", node="a", evidence=["log: write: No space left on device"]),
    ) == ["Node/a <- Node/a", "Pod/shop/web <- Node/a", "Pod/shop/db <- Node/a"]


def test_symptoms_of_symptoms_have_the_same_root() -> None:
    chain = [
        Explains(("dns",), EVERYWHERE, ("app",), words="no such host"),
        Explains(("crash",), CONCERNED, ("dns",)),
    ]
    assert told(
        case("app[exit]", "Pod/shop/web", evidence=["log: lookup db: no such host"]),
        case("app[exit]", "Pod/shop/api", evidence=["log: out of luck"]),
        case("dns[gone]", "Service/kube-system/dns", concerns=(Ref("Pod", "kube-system", "dns-1"),)),
        case("crash[exit]", "Pod/kube-system/dns-1"),
        rules=chain,
    ) == ["Pod/shop/web <- Pod/kube-system/dns-1", "Service/kube-system/dns <- Pod/kube-system/dns-1"]


def test_the_most_specific_explanation_counts() -> None:
    both = [Explains(("node",), SAME_NODE, ("app",)), Explains(("claim",), CONCERNS, ("app",))]
    pod = Ref("Pod", "shop", "web")
    assert told(
        case("node[down]", "Node/a"),
        case("claim[lost]", "PersistentVolumeClaim/shop/data", concerns=(pod,)),
        case("app[exit]", "Pod/shop/web", node="a"),
        rules=both,
    ) == ["Pod/shop/web <- PersistentVolumeClaim/shop/data"]


def test_a_volume_held_by_one_node_does_not_explain_what_fails_there() -> None:
    assert not told(
        case("volume-claim[attach-failed]", "PersistentVolumeClaim/shop/data", node="a"),
        case("volume-claim[mount-failed]", "PersistentVolumeClaim/shop/data", node="b"),
    )


def test_a_driver_that_a_node_lacks_explains_only_its_own_volumes() -> None:
    lacks = (Ref("CSINode", "a", "disk.example"),)
    assert told(
        case("volume-claim[driver-down]", "Node/a", missing=lacks),
        case("volume-claim[mount-failed]", "PersistentVolumeClaim/shop/data", node="a", missing=lacks),
        case("volume-claim[mount-failed]", "PersistentVolumeClaim/shop/logs", node="a", says="no driver file.example"),
    ) == ["PersistentVolumeClaim/shop/data <- Node/a"]


def test_a_dead_dns_explains_the_applications_that_say_so() -> None:
    assert told(
        case("cluster-dns[no-endpoints]", "Service/kube-system/kube-dns"),
        case("startup-error[app-exit]", "Pod/shop/web", evidence=["log: dial tcp: lookup db: no such host"]),
        case("startup-error[app-exit]", "Pod/shop/api", evidence=["log: out of luck"]),
    ) == ["Pod/shop/web <- Service/kube-system/kube-dns"]


def test_a_broken_corefile_explains_the_pods_that_end_and_the_service_without_any() -> None:
    corefile, pod = Ref("Deployment", "kube-system", "coredns"), Ref("Pod", "kube-system", "coredns-x2x")
    assert told(
        case("cluster-dns[no-endpoints]", "Service/kube-system/kube-dns", concerns=(pod,)),
        case("cluster-dns[failing]", str(corefile)),
        case("startup-error[app-exit]", str(pod), owner=corefile),
    ) == [f"Service/kube-system/kube-dns <- {corefile}", f"{pod} <- {corefile}"]


def test_what_a_node_lacks_is_felt_on_that_node_only() -> None:
    said = ["log: lookup db: no such host"]
    assert told(
        case("cluster-dns[service-unreachable]", "Node/a"),
        case("kube-proxy[rules-wrong]", "Node/a"),
        case("startup-error[app-exit]", "Pod/shop/on-a", node="a", evidence=said),
        case("startup-error[app-exit]", "Pod/shop/on-b", node="b", evidence=said),
    ) == ["Node/a <- Node/a", "Pod/shop/on-a <- Node/a"]


def test_a_node_without_its_cni_explains_the_crashing_daemon_and_the_pods() -> None:
    pod = Ref("Pod", "kube-system", "kindnet-x2x")
    assert told(
        case("cni-daemonset[not-running]", "Node/a", concerns=(pod,)),
        case("startup-error[app-exit]", "Pod/kube-system/kindnet-x2x", node="a"),
        case("ip-allocation[cni-unreachable]", "Pod/shop/web", node="a"),
    ) == ["Pod/kube-system/kindnet-x2x <- Node/a", "Pod/shop/web <- Node/a"]


# --- any findings, any rules ---

CAUSES = ("a", "b", "c", "d")
RELATIONS = (SAME_OBJECT, CONCERNS, CONCERNED, SAME_MISSING, SAME_OWNER, SAME_NODE, EVERYWHERE)
REFS = st.builds(Ref, st.just("Pod"), st.just("shop"), st.sampled_from("wxyz"))
FINDINGS = st.builds(
    lambda cause, ref, **more: case(f"{cause}[v]", str(ref), **more),
    st.sampled_from(CAUSES),
    REFS,
    node=st.sampled_from(["", "m", "n"]),
    owner=st.none() | REFS,
    concerns=st.lists(REFS, max_size=2).map(tuple),
    missing=st.lists(REFS, max_size=2).map(tuple),
)
CAUSE = st.sampled_from(CAUSES)
NAMES = st.lists(CAUSE, min_size=1, max_size=3).map(tuple)
ANY_RULES = st.lists(st.builds(Explains, NAMES, st.sampled_from(RELATIONS), NAMES), max_size=12)


@given(st.lists(FINDINGS, max_size=30), ANY_RULES)
def test_every_finding_has_one_root_and_roots_are_their_own(cases: list[Case], any_rules: list[Explains]) -> None:
    roots = roots_of(cases, any_rules)
    assert roots.keys() == set(cases)
    assert all(roots[root] is root for root in roots.values())


@given(st.lists(FINDINGS, max_size=30), ANY_RULES)
def test_who_has_nothing_in_common_with_a_root_is_no_symptom(cases: list[Case], any_rules: list[Explains]) -> None:
    nodes = [rule for rule in any_rules if rule.on is SAME_NODE]
    for one, root in roots_of(cases, nodes).items():
        assert root is one or root.finding.node == one.finding.node != ""


def test_the_effort_grows_with_the_number_of_findings() -> None:
    def effort(count: int) -> float:
        cases = [case("node-ready[silent]", f"Node/{n}") for n in range(count // 10)]
        cases += [
            case("ip-allocation[cni-unreachable]", f"Pod/shop/{n}", node=f"{n % (count // 10)}") for n in range(count)
        ]
        start = process_time()
        roots = roots_of(cases, DECLARED)
        assert len(set(roots.values())) == count // 10
        return process_time() - start

    effort(500)
    assert effort(8000) < 16 * 4 * max(effort(500), 0.0025)


# --- what checks declare ---


def test_declared_rules_name_checks_that_exist() -> None:
    causes = {cause for cause, _ in rules()}
    checks = {check_name(cause, variant) for cause, variant in rules()}
    named = {name for rule in DECLARED for name in (*rule.roots, *rule.symptoms)}
    assert named
    assert named - {ANY} <= causes | checks
    for rule in DECLARED:
        assert rule.words == rule.words.lower()
        re.compile(rule.words)


# --- on recordings ---

RECORDED = {
    "node-disk-full": {
        "storage-full[node-disk]": {"config-mount[node-disk-full]", "node-ready[pressure]"},
    },
    "cni-config-cut-off": {
        "cni-daemonset[network-unavailable]": {"ip-allocation[cni-misconfigured]", "node-ready[not-ready]"}
    },
    "corefile-broken": {"cluster-dns[failing]": {"cluster-dns[no-endpoints]", "startup-error[app-exit]"}},
    "forward-loop": {"cluster-dns[failing]": {"cluster-dns[no-endpoints]", "startup-error[app-exit]"}},
    "two-faults-at-once": {
        "cluster-dns[failing]": {"cluster-dns[no-endpoints]", "startup-error[app-exit]"},
        "cni-daemonset[network-unavailable]": {"ip-allocation[cni-misconfigured]", "node-ready[not-ready]"},
    },
    "node-out-of-memory": {"memory-limit[node-oom]": {"node-ready[pressure]"}},
    "kubelet-stopped": {"node-ready[silent]": set()},
    "api-server-gone": {"api-server[unreachable]": set()},
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_faults_have_their_root(name: str) -> None:
    report = recorded(name)
    checks = {found.id: found.check for found in report.findings}
    symptoms = {root.check: {checks[symptom] for symptom in root.symptoms} for root in report.roots}
    short = {check for check in checks.values() if check.startswith("workload-unavailable")}
    assert {root: told - short for root, told in symptoms.items()} == RECORDED[name]


def test_faults_of_their_own_stay_roots() -> None:
    report = recorded("manifests")
    assert len([root for root in report.roots if not root.symptoms]) > 20
    assert {symptom for root in report.roots for symptom in root.symptoms} == {f.id for f in report.findings if f.root}
