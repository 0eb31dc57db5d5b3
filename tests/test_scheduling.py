"""Pods that no node takes: the one constraint that keeps them out is named, and what waits for a node is no fault."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from checks.test_scheduling import unschedulable
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from tests.built import node
from tests.fakes import ago, cluster_of

Change = Callable[[pb.Pod, list[pb.Node]], None]


def amounts(**resources: str) -> dict[str, pb.Quantity]:
    return {resource: pb.Quantity(string=text) for resource, text in resources.items()}


def nodes(count: int = 3) -> list[pb.Node]:
    made = [node(f"worker-{number}") for number in range(count)]
    for one in made:
        one.metadata.labels["kubernetes.io/hostname"] = one.metadata.name
        for resource, quantity in amounts(cpu="4", memory="8Gi", pods="110").items():
            one.status.allocatable[resource].CopyFrom(quantity)
    return made


def pending(name: str = "app", labels: dict[str, str] | None = None, **requests: str) -> pb.Pod:
    scheduled = pb.PodCondition(
        type="PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes", lastTransitionTime=ago(600)
    )
    container = pb.Container(name="app", resources=pb.ResourceRequirements(requests=amounts(**requests)))
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace="shop", uid=name, labels=labels or {}, creationTimestamp=ago(600)),
        spec=pb.PodSpec(containers=[container]),
        status=pb.PodStatus(phase="Pending", conditions=[scheduled]),
    )


def running(name: str, on: str, labels: dict[str, str] | None = None, **requests: str) -> pb.Pod:
    pod = pending(name, labels, **requests)
    pod.spec.nodeName, pod.status.phase = on, "Running"
    del pod.status.conditions[:]
    return pod


def on_disk(pod: pb.Pod, of: str) -> dict[str, list[Message]]:
    """Have a pod mount a volume that only one node can use; return the lists of its claim and of the volume."""
    pod.spec.volumes.add(name="data").volumeSource.persistentVolumeClaim.claimName = "data"
    claim = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(name="data", namespace="shop"))
    claim.spec.volumeName = "disk"
    disk = pb.PersistentVolume(metadata=pb.ObjectMeta(name="disk"))
    term = disk.spec.nodeAffinity.required.nodeSelectorTerms.add()
    term.matchExpressions.add(key="kubernetes.io/hostname", operator="In", values=[of])
    return {"claims": [claim], "volumes": [disk]}


def found(pod: pb.Pod, nodes: list[pb.Node], *others: pb.Pod, **lists: list[Message]) -> list[Finding]:
    return list(unschedulable(cluster_of(pods=[pod, *others], nodes=nodes, **lists)))


def cordoned(pod: pb.Pod, nodes: list[pb.Node]) -> None:
    nodes[1].spec.unschedulable = True
    pod.spec.nodeSelector["kubernetes.io/hostname"] = "worker-1"


def tainted(_: pb.Pod, nodes: list[pb.Node]) -> None:
    for one in nodes:
        one.spec.taints.add(key="dedicated", value="gpu", effect="NoSchedule")


def not_ready(_: pb.Pod, nodes: list[pb.Node]) -> None:
    for one in nodes:
        one.spec.taints.add(key="node.kubernetes.io/not-ready", effect="NoSchedule")


def selecting(pod: pb.Pod, _: list[pb.Node]) -> None:
    pod.spec.nodeSelector["disk"] = "ssd"


def with_affinity(pod: pb.Pod, _: list[pb.Node]) -> None:
    term = pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.add()
    term.matchExpressions.add(key="zone", operator="In", values=["a"])


def large(pod: pb.Pod, _: list[pb.Node]) -> None:
    pod.spec.containers[0].resources.requests["cpu"].string = "64"


def near_nothing(pod: pb.Pod, _: list[pb.Node]) -> None:
    terms = pod.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution
    terms.add(topologyKey="kubernetes.io/hostname").labelSelector.matchLabels["app"] = "cache"


@pytest.mark.parametrize(
    ("change", "says", "remedy"),
    [
        (cordoned, "node worker-1 is cordoned", "kubectl uncordon worker-1"),
        (tainted, "it does not tolerate the taint dedicated=gpu:NoSchedule of 3 nodes", "add a toleration"),
        (not_ready, "3 nodes are not ready", "bring 3 nodes back"),
        (selecting, "no node has the label disk=ssd, which its nodeSelector requires", "correct nodeSelector"),
        (with_affinity, "its required node affinity rules out every node", "correct the node affinity"),
        (large, "it requests 64 CPU, and the node with most has 4 CPU free", "lower its requests"),
        (near_nothing, "its pod affinity by kubernetes.io/hostname rules out every node", "relax the pod affinity"),
    ],
)
def test_the_constraint_is_named_that_keeps_it_out(change: Change, says: str, remedy: str) -> None:
    pod, made = pending(), nodes()
    change(pod, made)
    (finding,) = found(pod, made)
    assert finding.says == f"cannot be scheduled: {says}"
    assert remedy in finding.remedy
    assert "scheduler: 0/3 nodes" in finding.evidence


def test_what_pods_request_already_is_not_free() -> None:
    others = [running(f"db-{number}", f"worker-{number}", memory="7Gi") for number in range(3)]
    (finding,) = found(pending(memory="2Gi"), nodes(), *others)
    assert finding.says.endswith("it requests 2Gi of memory, and the node with most has 1Gi of memory free")


def test_finished_pods_hold_nothing() -> None:
    others = [running(f"job-{number}", f"worker-{number}", memory="7Gi") for number in range(3)]
    for pod in others:
        pod.status.phase = "Succeeded"
    (finding,) = found(pending(memory="2Gi"), nodes(), *others)
    assert finding.says == "cannot be scheduled: 0/3 nodes"


def test_a_node_with_too_many_pods_takes_no_more() -> None:
    one = nodes(1)
    one[0].status.allocatable["pods"].string = "1"
    (finding,) = found(pending(), one, running("db", "worker-0"))
    assert "node worker-0 cannot run more pods" in finding.says


def test_a_host_port_is_taken() -> None:
    pod, others = pending(), [running(f"agent-{number}", f"worker-{number}") for number in range(3)]
    for one in (pod, *others):
        one.spec.containers[0].ports.add(containerPort=8080, hostPort=8080)
    (finding,) = found(pod, nodes(), *others)
    assert finding.says == "cannot be scheduled: host port 8080 is taken on 3 nodes"


def test_replicas_that_stay_apart_need_as_many_nodes() -> None:
    labels = {"app": "db"}
    pod, others = pending(labels=labels), [running(f"db-{number}", f"worker-{number}", labels) for number in range(3)]
    terms = pod.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution
    terms.add(topologyKey="kubernetes.io/hostname").labelSelector.matchLabels["app"] = "db"
    (finding,) = found(pod, nodes(), *others)
    assert "its pod anti-affinity by kubernetes.io/hostname rules out every node" in finding.says


def test_a_pod_that_runs_may_keep_others_away() -> None:
    averse = running("quiet", "worker-0")
    terms = averse.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution
    terms.add(topologyKey="kubernetes.io/hostname").labelSelector.matchLabels["app"] = "loud"
    (finding,) = found(pending(labels={"app": "loud"}), nodes(1), averse)
    assert "its pod anti-affinity by kubernetes.io/hostname rules out every node" in finding.says


def test_a_spread_that_cannot_be_kept() -> None:
    labels = {"app": "web"}
    pod, made = pending(labels=labels), nodes(2)
    made[1].spec.unschedulable = True
    pod.spec.topologySpreadConstraints.add(
        maxSkew=1, topologyKey="kubernetes.io/hostname", whenUnsatisfiable="DoNotSchedule"
    ).labelSelector.matchLabels["app"] = "web"
    (finding,) = found(pod, made, running("web-0", "worker-0", labels))
    assert finding.says == "cannot be scheduled: node worker-1 is cordoned"


def test_a_volume_is_elsewhere() -> None:
    pod, made = pending(), nodes(2)
    pod.spec.nodeSelector["kubernetes.io/hostname"] = "worker-0"
    made[1].spec.unschedulable = True
    (finding,) = found(pod, made, **on_disk(pod, "worker-1"))
    assert 'PersistentVolume "disk" cannot be used on 1 of 2 nodes' in finding.says


def test_a_claim_that_does_not_exist_keeps_it_from_every_node() -> None:
    pod = pending()
    pod.spec.volumes.add(name="data").volumeSource.persistentVolumeClaim.claimName = "data"
    (finding,) = found(pod, nodes())
    assert finding.says == 'cannot be scheduled: PersistentVolumeClaim "data" is not bound'
    assert "PersistentVolumeClaim/shop/data" in map(str, finding.concerns)


def test_where_several_constraints_must_go_all_are_named() -> None:
    pod, made = pending(cpu="64"), nodes(1)
    made[0].spec.unschedulable = True
    (finding,) = found(pod, made)
    assert finding.says.startswith(
        "cannot be scheduled: no single change makes room: node worker-0 is cordoned; and it"
    )


def test_a_node_with_many_taints_is_told_of_in_few_words() -> None:
    made = nodes(1)
    made[0].spec.taints.extend(pb.Taint(key=f"team-{number:02}", effect="NoSchedule") for number in range(50))
    (finding,) = found(pending(), made)
    assert finding.says.count("does not tolerate") == 8
    assert finding.says.endswith("; and 42 more constraints")


def test_a_cluster_without_nodes() -> None:
    (finding,) = found(pending(), [])
    assert finding.says == "cannot be scheduled: the cluster has no node for it"


def too_young(pod: pb.Pod) -> None:
    pod.status.conditions[0].lastTransitionTime.CopyFrom(ago(10))


def gated(pod: pb.Pod) -> None:
    pod.status.conditions[0].reason = "SchedulingGated"


def nominated(pod: pb.Pod) -> None:
    pod.status.nominatedNodeName = "worker-1"


def of_another_scheduler(pod: pb.Pod) -> None:
    pod.spec.schedulerName = "volcano"


@pytest.mark.parametrize("change", [too_young, gated, nominated, of_another_scheduler])
def test_what_waits_for_a_node_is_no_fault(change: Callable[[pb.Pod], None]) -> None:
    pod = pending(cpu="64")
    change(pod)
    assert not found(pod, nodes())


def test_a_node_that_is_chosen_and_never_gets_room() -> None:
    """kubernetes/kubernetes issue 106780: a pod that came later took the room, and the choice stays."""
    pod = pending(cpu="64")
    nominated(pod)
    pod.status.conditions[0].lastTransitionTime.CopyFrom(ago(1000))
    (finding,) = found(pod, nodes())
    assert "it requests 64 CPU" in finding.says


def test_nodes_for_others_are_not_the_reason() -> None:
    """The control plane's taint, and the label that one node has, are there on purpose: that node is full."""
    pod, made = pending(cpu="3"), nodes()
    made[0].spec.taints.add(key="node-role.kubernetes.io/control-plane", effect="NoSchedule")
    made[1].metadata.labels["disk"] = pod.spec.nodeSelector["disk"] = "ssd"
    (finding,) = found(pod, made, running("db", "worker-1", cpu="2"))
    assert finding.says == "cannot be scheduled: it requests 3 CPU, and the node with most has 2 CPU free"


def test_a_pod_of_a_daemon_set_is_meant_for_its_node() -> None:
    pod, made = pending(cpu="3"), nodes()
    term = pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.add()
    term.matchFields.add(key="metadata.name", operator="In", values=["worker-1"])
    (finding,) = found(pod, made, running("db", "worker-1", cpu="2"))
    assert finding.says == "cannot be scheduled: it requests 3 CPU, and the node with most has 2 CPU free"
    assert [str(ref) for ref in finding.concerns] == ["Node/worker-1"]
