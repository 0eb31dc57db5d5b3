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
    """The full name of an object: ``Pod/shop/cart-0``, ``Node/worker-1``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return clean("/".join(part for part in self if part), 400)

    def kubectl(self, verb: str) -> str:
        """Return a kubectl command for the object, quoted for a shell."""
        place = f"-n {shlex.quote(clean(self.namespace))} " if self.namespace else ""
        return f"kubectl {place}{verb} {shlex.quote(clean(f'{self.kind.lower()}/{self.name}', 400))}"


def ref(obj: KubeObject) -> Ref:
    """Return the object's name."""
    return Ref(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)


def path(obj: pb.Pod | pb.Node) -> str:
    """Return the API path of the object, with its name quoted for a URL."""
    namespace = obj.metadata.namespace
    place = f"namespaces/{quote(namespace, '')}/pods" if namespace else "nodes"
    return f"/api/v1/{place}/{quote(obj.metadata.name, '')}"


TEMPLATE_HASH, REVISION = "pod-template-hash", "controller-revision-hash"
"""Labels that name a pod's template: of a ReplicaSet, and of a StatefulSet or DaemonSet (kubernetes/api apps/v1)."""


def controller(obj: pb.Pod | pb.PodDisruptionBudget) -> Ref | None:
    """Return the object that controls this one, if there is one."""
    owners = (reference for reference in obj.metadata.ownerReferences if reference.controller)
    return next((Ref(of.kind, obj.metadata.namespace, of.name) for of in owners), None)


def owner(pod: pb.Pod) -> Ref | None:
    """Return the pod's owner: its controller, or the Deployment behind a ReplicaSet.

    The name of a Deployment's ReplicaSet is the Deployment's name and the pod-template-hash, so that ReplicaSets need
    not be listed.
    """
    of = controller(pod)
    suffix = f"-{pod.metadata.labels.get(TEMPLATE_HASH, '')}"
    if of and of.kind == "ReplicaSet" and suffix != "-" and of.name.endswith(suffix):
        return Ref("Deployment", of.namespace, of.name.removesuffix(suffix))
    return of


def is_finished(pod: pb.Pod) -> bool:
    """Return whether the pod is finished: its phase is Succeeded or Failed."""
    return pod.status.phase in ("Succeeded", "Failed")


def condition(pod: pb.Pod, kind: str) -> pb.PodCondition | None:
    """Return the pod's condition of this type, if there is one."""
    return next((c for c in pod.status.conditions if c.type == kind), None)


def node_condition(node: pb.Node, kind: str) -> pb.NodeCondition | None:
    """Return the node's condition of this type, if there is one."""
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
    """Return when the pod became ready or not ready, or when it was created if it has no Ready condition."""
    ready = condition(pod, "Ready")
    return ready.lastTransitionTime if ready else pod.metadata.creationTimestamp


def internal_address(node: pb.Node) -> str:
    """Return the node's first internal address, or an empty text."""
    return next((address.address for address in node.status.addresses if address.type == "InternalIP"), "")


def statuses(pod: pb.Pod) -> list[pb.ContainerStatus]:
    """Return the statuses of all the pod's containers, init containers first."""
    return [*pod.status.initContainerStatuses, *pod.status.containerStatuses]


def is_waiting(status: pb.ContainerStatus) -> bool:
    """Return whether the container waits, which is also the meaning of no state (kubernetes/api core/v1/types.go)."""
    return not status.state.HasField("running") and not status.state.HasField("terminated")


def last_end(status: pb.ContainerStatus) -> pb.ContainerStateTerminated:
    """Return how the container terminated, or how its previous instance did if it is running or waiting."""
    ended = status.state.HasField("terminated")
    return status.state.terminated if ended else status.lastState.terminated


def containers(spec: pb.PodSpec) -> list[pb.Container]:
    """Return all containers of a pod's specification, init containers first."""
    return [*spec.initContainers, *spec.containers]


SERVICE_NAME = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its Service (kubernetes/api discovery/v1/well_known_labels.go)."""


def service_of(piece: pb.EndpointSlice) -> tuple[str, str]:
    """Return the namespace and the name of the Service that an EndpointSlice is of; no name if it is of none."""
    return piece.metadata.namespace, piece.metadata.labels.get(SERVICE_NAME, "")


DNS_LABEL, DNS_VALUE = "k8s-app", "kube-dns"
"""The label of the DNS Service and its pods, for every DNS server (kubernetes/kubernetes cluster/addons/dns)."""


DNS_NAMES = ("kube-dns", "coredns", "rke2-coredns-rke2-coredns")
"""Names of the DNS Service in kube-system: of kubeadm and most others, of the CoreDNS chart, of RKE2's chart."""


DNS_ELSEWHERE = ("openshift-dns", "dns-default")
"""Namespace and name of OpenShift's DNS Service (openshift/cluster-dns-operator)."""


DNS_SERVICES = frozenset({DNS_ELSEWHERE, *(("kube-system", name) for name in DNS_NAMES)})
"""Namespaces and names of all these DNS Services."""


def is_dns(metadata: pb.ObjectMeta) -> bool:
    """Return whether an object has the label of the cluster's DNS."""
    return metadata.labels.get(DNS_LABEL) == DNS_VALUE
