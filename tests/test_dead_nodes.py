"""What a dead node does to others is its symptom."""

from kubevitals import schema_pb2 as pb
from kubevitals.findings.explains import declared
from kubevitals.inventory.cluster import Cluster
from scenarios.harness import check_modules, verdicts
from tests.built import BuiltPod
from tests.fakes import cluster_of
from tests.findings import report_of
from tests.networks import node
from tests.networks import pod as daemon_pod


def roots(cluster: Cluster) -> dict[str, set[str]]:
    """Return each root's check with those of its symptoms."""
    report = report_of(*verdicts(cluster), rules=declared(check_modules().values()))
    checks = {found.id: found.check for found in report.findings}
    return {root.check: {checks[symptom] for symptom in root.symptoms} for root in report.roots}


def test_a_volume_that_a_dead_node_holds_is_its_symptom() -> None:
    pod = BuiltPod()
    disk = pod.mounting_disk("dead")
    pod.said("FailedAttachVolume", 'Multi-Attach error for volume "disk" Volume is already used by pod(s) app-0')
    for ready, expected in (
        ("Unknown", {"node-ready[silent]": {"volume-claim[attach-failed]"}}),
        ("True", {"volume-claim[attach-failed]": set()}),
    ):
        cluster = cluster_of(pods=[pod.pod], nodes=[pod.node, node("dead", ready)], all_events=pod.events, **disk)
        assert roots(cluster) == expected


def test_a_dns_without_pods_is_the_symptom_of_the_dead_node_that_had_them_all() -> None:
    service = pb.Service(metadata=pb.ObjectMeta(name="kube-dns", namespace="kube-system"))
    service.spec.clusterIP, service.spec.selector["k8s-app"] = "10.96.0.10", "kube-dns"
    dns = daemon_pod("coredns-1", "dead", "False", labels={"k8s-app": "kube-dns"})
    cluster = cluster_of(pods=[dns], nodes=[node("dead", "Unknown"), node("two")], services=[service])
    assert roots(cluster) == {"node-ready[silent]": {"cluster-dns[no-endpoints]"}}
