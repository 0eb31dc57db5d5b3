"""Names and relations of Kubernetes objects."""

import re
import shlex
from typing import NamedTuple, Protocol
from urllib.parse import quote

from kubevitals import schema_pb2 as pb
from kubevitals.text import clean


class _Meta(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def creationTimestamp(self) -> pb.Time: ...  # noqa: N802
    @property
    def deletionTimestamp(self) -> pb.Time: ...  # noqa: N802


class KubeObject(Protocol):
    """Anything with Kubernetes' object metadata; the class is named like the kind."""

    @property
    def metadata(self) -> _Meta:
        """The object's metadata."""


class Ref(NamedTuple):
    """The name of an object, complete: ``Pod/shop/cart-0``, ``Node/worker-1``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return clean("/".join(part for part in self if part), 400)

    def kubectl(self, verb: str) -> str:
        """Return a kubectl command on the object, fit to be pasted into a shell."""
        place = f"-n {shlex.quote(clean(self.namespace))} " if self.namespace else ""
        return f"kubectl {place}{verb} {shlex.quote(clean(f'{self.kind.lower()}/{self.name}', 400))}"


def ref(obj: KubeObject) -> Ref:
    """Return the object's name."""
    return Ref(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)


def path(obj: pb.Pod | pb.Node) -> str:
    """Return where the API has the object, whatever its name holds."""
    place = f"namespaces/{quote(obj.metadata.namespace, '')}/pods" if isinstance(obj, pb.Pod) else "nodes"
    return f"/api/v1/{place}/{quote(obj.metadata.name, '')}"


def owner(pod: pb.Pod) -> Ref | None:
    """Return what a person calls the pod's owner: the Deployment behind a ReplicaSet, else the controller.

    A Deployment names its ReplicaSets after itself and the pod-template-hash, which saves a list of all ReplicaSets.
    """
    for reference in pod.metadata.ownerReferences:
        if reference.controller:
            suffix = f"-{pod.metadata.labels.get('pod-template-hash', '')}"
            if reference.kind == "ReplicaSet" and suffix != "-" and reference.name.endswith(suffix):
                return Ref("Deployment", pod.metadata.namespace, reference.name.removesuffix(suffix))
            return Ref(reference.kind, pod.metadata.namespace, reference.name)
    return None


def is_finished(pod: pb.Pod) -> bool:
    """Return whether all containers of the pod have ended for good."""
    return pod.status.phase in ("Succeeded", "Failed")


def condition(pod: pb.Pod, kind: str) -> pb.PodCondition | None:
    """Return the pod's condition of this type, or nothing."""
    return next((c for c in pod.status.conditions if c.type == kind), None)


def node_condition(node: pb.Node, kind: str) -> pb.NodeCondition | None:
    """Return the node's condition of this type, or nothing."""
    return next((c for c in node.status.conditions if c.type == kind), None)


def is_ready(obj: pb.Pod | pb.Node) -> bool:
    """Return whether the pod or node reports Ready=True."""
    return any(c.type == "Ready" and c.status == "True" for c in obj.status.conditions)


VIRTUAL_LABELS = (
    ("type", "virtual-kubelet"),
    ("eks.amazonaws.com/compute-type", "fargate"),
    ("type", "kwok"),
    ("liqo.io/type", "virtual-node"),
)
"""Labels of virtual nodes: those of virtual-kubelet and its providers, AWS Fargate, KWOK and Liqo."""

_VIRTUAL_TAINT = "virtual-kubelet.io/provider"
"""The taint that virtual-kubelet registers its nodes with (virtual-kubelet cmd/virtual-kubelet/internal/commands)."""

_VIRTUAL_PROVIDER = re.compile(r"(?:virtual-kubelet|aci|kwok|liqo)://|[\w-]{1,20}://.{0,200}/fargate-")


def is_virtual(node: pb.Node) -> bool:
    """Return whether the node is no machine, but stands for a service that runs pods: no DaemonSet's pod runs there."""
    labels = node.metadata.labels
    has_network = bool(node.spec.podCIDR or node.spec.podCIDRs)
    return (
        any(labels.get(key) == value for key, value in VIRTUAL_LABELS)
        or any(taint.key == _VIRTUAL_TAINT for taint in node.spec.taints)
        or (not has_network and bool(_VIRTUAL_PROVIDER.match(node.spec.providerID)))
    )


def turned_at(pod: pb.Pod) -> pb.Time:
    """Return when the pod became ready or not ready; of one that tells nothing, when it was made."""
    ready = condition(pod, "Ready")
    return ready.lastTransitionTime if ready else pod.metadata.creationTimestamp


def internal_address(node: pb.Node) -> str:
    """Return the node's first internal address, or nothing."""
    return next((each.address for each in node.status.addresses if each.type == "InternalIP"), "")


def statuses(pod: pb.Pod) -> list[pb.ContainerStatus]:
    """Return the statuses of all the pod's containers, init containers first."""
    return [*pod.status.initContainerStatuses, *pod.status.containerStatuses]


def last_end(status: pb.ContainerStatus) -> pb.ContainerStateTerminated:
    """Return how a container ended, or the one before it that it runs in the stead of."""
    ended = status.state.HasField("terminated")
    return status.state.terminated if ended else status.lastState.terminated


def containers(spec: pb.PodSpec) -> list[pb.Container]:
    """Return all containers of a pod's specification, init containers first."""
    return [*spec.initContainers, *spec.containers]


DNS_LABEL, DNS_VALUE = "k8s-app", "kube-dns"
"""What marks the DNS Service and its pods, whatever serves (kubernetes/kubernetes cluster/addons/dns)."""


DNS_NAMES = ("kube-dns", "coredns", "rke2-coredns-rke2-coredns")
"""Names of the Service in kube-system: kubeadm and most others; the CoreDNS chart; RKE2's chart."""


DNS_ELSEWHERE = ("openshift-dns", "dns-default")
"""OpenShift's DNS Service (openshift/cluster-dns-operator)."""


DNS_SERVICES = frozenset({DNS_ELSEWHERE, *(("kube-system", name) for name in DNS_NAMES)})
"""All of them, by namespace and name."""


def is_dns(metadata: pb.ObjectMeta) -> bool:
    """Return whether an object is marked as the cluster's DNS, or a part of it."""
    return metadata.labels.get(DNS_LABEL) == DNS_VALUE
