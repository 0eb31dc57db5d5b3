"""Pods without a sandbox: what the messages of runtimes and CNIs mean, and which node or pool several of them share."""

import pytest

from checks.test_ip_allocation import (
    EXPLAINS,
    cni_misconfigured,
    cni_unreachable,
    pool_exhausted,
    sandbox_failed,
)
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.findings.declaration import Rule
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.built import node
from tests.fakes import ago, cluster_of, status_json
from tests.networks import daemon, daemon_set, judged

HEAD = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "5f": '
CALICO = f'{HEAD}plugin type="calico" failed (add): '
FULL = f"{CALICO}failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; "
REFUSED = f"{CALICO}error getting ClusterInformation: connection is unauthorized: Unauthorized"
FORBIDDEN = (
    f"{CALICO}error getting ClusterInformation: connection is unauthorized: clusterinformations.crd.projectcalico.org "
    '"default" is forbidden: User "system:serviceaccount:kube-system:calico-cni-plugin" cannot get resource '
    '"clusterinformations" in API group "crd.projectcalico.org" at the cluster scope'
)


def stuck(name: str, on: str = "one") -> pb.Pod:
    """Return a pod of a Deployment of its own that has no sandbox for ten minutes."""
    conditions = [
        pb.PodCondition(type=kind, status=status, lastTransitionTime=ago(600))
        for kind, status in (("PodScheduled", "True"), ("PodReadyToStartContainers", "False"))
    ]
    waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="ContainerCreating"))
    owned = pb.OwnerReference(kind="StatefulSet", name=name.partition("-")[0], uid=name, controller=True)
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace="shop", uid=name, ownerReferences=[owned]),
        spec=pb.PodSpec(nodeName=on),
        status=pb.PodStatus(
            phase="Pending", conditions=conditions, containerStatuses=[pb.ContainerStatus(state=waiting)]
        ),
    )


def event(pod: pb.Pod, message: str, reason: str = "FailedCreatePodSandBox", before: int = 10) -> pb.Event:
    about = pb.ObjectReference(kind="Pod", namespace="shop", name=pod.metadata.name, uid=pod.metadata.uid)
    return pb.Event(involvedObject=about, reason=reason, message=message, lastTimestamp=ago(before))


def cluster_with(message: str, *pods: pb.Pod, others: tuple[pb.Pod, ...] = ()) -> Cluster:
    nodes = [node("one", "10.9.1.0/24"), node("two", "10.9.2.0/24")]
    calico = daemon_set("calico-node")
    daemons = [daemon(calico, "one"), daemon(calico, "two", "False", 600)]
    return cluster_of(
        nodes=nodes,
        daemon_sets=[calico],
        pods=[*pods, *daemons, *others],
        all_events=[event(pod, message) for pod in pods],
    )


def found(rule: Rule, message: str, *pods: pb.Pod, others: tuple[pb.Pod, ...] = ()) -> list[Finding]:
    findings, unseen = judged(rule, cluster_with(message, *(pods or (stuck("web-1"),)), others=others))
    assert unseen is None
    return findings


CHANGED = "Pod sandbox changed, it will be killed and re-created."


@pytest.mark.parametrize(
    ("reported", "says", "remedy"),
    [
        (
            [],
            "the kubelet re-creates it, and no event says any more why the last one failed",
            "journalctl -u containerd",
        ),
        (["no runtime for x"], "no runtime for x", "fix what the container runtime reports"),
    ],
)
def test_an_event_that_names_no_reason_is_not_repeated_as_one(reported: list[str], says: str, remedy: str) -> None:
    pod = stuck("web-1")
    events = [event(pod, CHANGED, "SandboxChanged", before=1), *(event(pod, words) for words in reported)]
    ((finding,), _) = judged(
        sandbox_failed, cluster_of(pods=[pod], all_events=events, nodes=[node("one")], daemon_sets=[])
    )
    assert finding.says == f"pod sandbox cannot be created: {says}"
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("rule", "message", "says", "remedy"),
    [
        (cni_misconfigured, REFUSED, "the API server refuses the CNI's credentials", "kubeconfig"),
        (
            cni_misconfigured,
            FORBIDDEN,
            "system:serviceaccount:kube-system:calico-cni-plugin has no right to get clusterinformations",
            "ClusterRoleBinding",
        ),
        (cni_misconfigured, f"{CALICO}cannot find a qualified ippool", "all are disabled or select other", "ippools"),
        (cni_misconfigured, f"{CALICO}no configured Calico pools for node one", "no Calico IPPool selects", "label"),
        (
            sandbox_failed,
            'Failed: unable to get OCI runtime for sandbox "5f5f": no runtime for "kata" is configured',
            'has no handler "kata", which the pod\'s RuntimeClass asks for',
            "RuntimeClass",
        ),
        (
            sandbox_failed,
            "Failed to create pod sandbox: failed to find runtime handler runsc from runtime list map[runc:0xc00012]",
            'has no handler "runsc"',
            "RuntimeClass",
        ),
        (
            cni_unreachable,
            f'{HEAD}plugin type="flannel" failed (add): open /run/flannel/subnet.env: no such file or directory',
            "flanneld has not written its lease",
            "restart the flannel pod",
        ),
        (
            sandbox_failed,
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "
            '"registry.k8s.io/pause:3.10.1": failed to pull image "registry.k8s.io/pause:3.10.1": 401 Unauthorized',
            "the sandbox image registry.k8s.io/pause:3.10.1 is not on the node and cannot be pulled",
            "preload the image",
        ),
        (
            sandbox_failed,
            'error creating pod sandbox with name "k8s_x": Error initializing source docker://k8s.gcr.io/pause:3.1: '
            "pinging docker registry returned: connection refused",
            "the sandbox image k8s.gcr.io/pause:3.1 is",
            "preload the image",
        ),
        (
            sandbox_failed,
            'Failed to create pod sandbox: rpc error: code = Unavailable desc = connection error: desc = "transport: '
            'Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"',
            "the container runtime on the node does not answer at /run/containerd/containerd.sock",
            "systemctl status containerd",
        ),
        (
            pool_exhausted,
            f"{FULL}No more free affine blocks and strict affinity enabled",
            "strict affinity forbids it the blocks of other nodes",
            "blockSize",
        ),
        (pool_exhausted, f"{FULL}No IPs available in pools: [10.7.0.0/29]", "IP pool 10.7.0.0/29 has no", "IPPool"),
        (
            pool_exhausted,
            f"{CALICO}cannot allocate new block due to per host block limit",
            "as many Calico address blocks as it may have",
            "maxBlocksPerHost",
        ),
        (
            pool_exhausted,
            f'{HEAD}plugin type="kube-ovn" failed (add): RPC failed; request ip return 500 no address allocated to pod '
            "shop/web-1 provider ovn, please see kube-ovn-controller logs to find errors",
            "Kube-OVN has assigned no address",
            "kube-ovn-controller",
        ),
        (
            pool_exhausted,
            "Failed to allocate IP: Pool blue is exausted",
            "Antrea's IPPool blue has no",
            "free addresses",
        ),
        (
            pool_exhausted,
            f'{HEAD}plugin type="multus" name="multus-cni-network" failed (add): [shop/web-1/0f:store]: error adding '
            'container to network "store": error at storage engine: Could not allocate IP in range: ip: 10.0.0.1',
            "(Whereabouts)",
            "free addresses",
        ),
    ],
    ids=range(16),
)
def test_a_message_has_its_meaning_and_its_remedy(rule: Rule, message: str, says: str, remedy: str) -> None:
    finding = next(finding for finding in found(rule, message) if finding.obj.kind == "Pod")
    assert says in finding.says
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("reason", "message", "rule", "says"),
    [
        ("AcquireAddressFailed", "stage=acquireAddress error=NoAvailableAddress", pool_exhausted, "no free address"),
        ("AcquireAddressFailed", "stage=acquireAddress error=AddressConflict", cni_misconfigured, "fixed address"),
        (
            "ErrorAllocatingPod",
            "failed to update pod shop/web-1: failed to ensure requested IPs: subnet address pool exhausted",
            pool_exhausted,
            "OVN-Kubernetes",
        ),
    ],
)
def test_the_controller_that_assigns_addresses_knows_more_than_the_runtime(
    reason: str, message: str, rule: Rule, says: str
) -> None:
    pod = stuck("web-1")
    runtime = event(pod, f"{HEAD}no address allocated to pod shop/web-1, please see kube-ovn-controller logs", before=1)
    cluster = cluster_of(nodes=[node("one")], pods=[pod], all_events=[event(pod, message, reason), runtime])
    findings, _ = judged(rule, cluster)
    assert [says in finding.says for finding in findings] == [True]


def roots(rule: Rule, message: str, *pods: pb.Pod) -> list[str]:
    cases = [Case("ip-allocation", rule.__name__.replace("_", "-"), finding) for finding in found(rule, message, *pods)]
    return sorted({str(root.finding.obj) for root in roots_of(cases, EXPLAINS).values()})


STRICT = f"{FULL}No more free affine blocks and strict affinity enabled"
RUNTIME = "dial unix /run/containerd/containerd.sock: connect: connection refused"


@pytest.mark.parametrize(
    ("rule", "message", "pods", "expected"),
    [
        (pool_exhausted, STRICT, (stuck("web-1"), stuck("api-1", "two")), ["PodNetwork/pods"]),
        (pool_exhausted, STRICT, (stuck("web-1"),), ["Pod/shop/web-1"]),
        (sandbox_failed, RUNTIME, (stuck("web-1"), stuck("api-1")), ["Node/one"]),
        (sandbox_failed, RUNTIME, (stuck("web-1"), stuck("api-1", "two")), ["Pod/shop/api-1", "Pod/shop/web-1"]),
        (sandbox_failed, "no runtime for x", (stuck("web-1"), stuck("api-1")), ["Pod/shop/api-1", "Pod/shop/web-1"]),
        (cni_misconfigured, REFUSED, (stuck("web-1"),), ["Node/one"]),
    ],
    ids=["a pool", "one owner", "a node's runtime", "two nodes", "an unknown message", "refused credentials"],
)
def test_pods_of_several_owners_share_a_root(
    rule: Rule, message: str, pods: tuple[pb.Pod, ...], expected: list[str]
) -> None:
    assert roots(rule, message, *pods) == expected


def test_sandboxes_that_cannot_be_removed_belong_to_refused_credentials() -> None:
    pod, gone = stuck("web-1"), stuck("old-1")
    killed = event(gone, f"error killing pod: {REFUSED.replace('(add)', '(delete)')}", "FailedKillPod")
    cluster = cluster_of(nodes=[node("one")], pods=[pod], all_events=[event(pod, REFUSED), killed])
    findings, _ = judged(cni_misconfigured, cluster)
    assert "FailedKillPod ×1: pod sandboxes cannot be removed either" in findings[-1].evidence


POOLS = {
    "/apis/crd.projectcalico.org/v1/ippools": Answer(
        200,
        b"""{"items": [
            {"metadata": {"name": "default"}, "spec": {"cidr": "10.7.0.0/16", "blockSize": 26, "disabled": true}},
            {"metadata": {"name": "racks"}, "spec": {"cidr": "10.8.0.0/16", "nodeSelector": "rack == 'a'"}},
            {"metadata": {"name": "all"}, "spec": {"cidr": "10.9.0.0/16", "nodeSelector": "all()"}}
        ]}""",
    )
}


@pytest.mark.parametrize(
    ("answers", "lines"),
    [
        (
            POOLS,
            [
                "IPPool default: 10.7.0.0/16, disabled, blockSize 26",
                "IPPool racks: 10.8.0.0/16, nodeSelector rack == 'a'",
                "IPPool all: 10.9.0.0/16",
            ],
        ),
        ({next(iter(POOLS)): Answer(200, b'{"items": []}')}, ["there is no IPPool"]),
        ({next(iter(POOLS)): Answer(403, status_json("no"))}, ["IPPools not observed: "]),
    ],
    ids=["some", "none", "not readable"],
)
def test_calicos_pools_stand_in_the_evidence(answers: dict[str, Answer], lines: list[str]) -> None:
    pod = stuck("web-1")
    message = f"{CALICO}cannot find a qualified ippool"
    cluster = cluster_of(answers, nodes=[node("one")], pods=[pod], all_events=[event(pod, message)])
    (finding,) = cni_misconfigured(cluster)
    pools = [line for line in finding.evidence if "IPPool" in line]
    assert len(pools) == len(lines)
    assert all(line.startswith(start) for line, start in zip(pools, lines, strict=True))


def test_the_pool_that_is_full_and_the_cnis_pod_stand_in_the_evidence() -> None:
    holding = pb.Pod(
        metadata=pb.ObjectMeta(name="x"),
        spec=pb.PodSpec(nodeName="two"),
        status=pb.PodStatus(phase="Running", podIP="10.7.0.1"),
    )
    (finding,) = found(pool_exhausted, f"{FULL}No IPs available in pools: [10.7.0.0/29]", others=(holding,))
    assert "1 of 8 addresses of 10.7.0.0/29 are in use: two 1" in finding.evidence
    assert "CNI pod on the node: kube-system/calico-node-one, ready" in finding.evidence
    assert not any("10.9.1.0/24" in line for line in finding.evidence)
