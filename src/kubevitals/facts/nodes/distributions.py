"""Distributions of Kubernetes whose nodes have a CNI or kube-proxy built in, without a pod for it.

Each is cited with the project and the file, or the documentation, where its mark is found.
"""

from collections.abc import Iterable
from typing import NamedTuple

from kubevitals import schema_pb2 as pb


class Distribution(NamedTuple):
    """A distribution, and how its nodes are known.

    Attributes:
        version: what the kubelet's version contains; or empty.
        label: a label of its nodes, with its value, or empty for any value; or no key.
        cni: how pods get their network if no CNI's DaemonSet is installed; empty if one always is.
        kube_proxy: how Service traffic is forwarded if there is no kube-proxy pod; empty if there always is one.
        source: where the marks are found.
        beside_others: whether such nodes stand beside nodes of another kind in one cluster.
        dns: how names are resolved if there is no DNS pod.
        dns_is_optional: whether that is so only if it is chosen.
        enforces: whether the CNI that is built in enforces NetworkPolicies by default; None if that is configurable.
    """

    name: str
    version: str
    label: tuple[str, str]
    cni: str
    kube_proxy: str
    source: str
    beside_others: bool = False
    enforces: bool | None = False
    dns: str = ""
    dns_is_optional: bool = False


DISTRIBUTIONS = (
    Distribution(
        "k3s",
        "+k3s",
        ("", ""),
        "flannel is built into k3s",
        "kube-proxy is built into k3s",
        "k3s-io/k3s pkg/agent/flannel, pkg/agent/netpol, pkg/agent/proxy, pkg/version",
        enforces=True,
    ),
    Distribution(
        "MicroK8s",
        "",
        ("microk8s.io/cluster", "true"),
        "flannel is built into MicroK8s",
        "kube-proxy is built into MicroK8s (kubelite)",
        "canonical/microk8s microk8s-resources/wrappers, docs: Services and ports",
    ),
    Distribution(
        "EKS Auto Mode",
        "",
        ("eks.amazonaws.com/compute-type", "auto"),
        "the VPC CNI is built into EKS Auto Mode's nodes",
        "kube-proxy is built into EKS Auto Mode's nodes",
        "docs.aws.amazon.com/eks: Learn about VPC networking and load balancing in EKS Auto Mode, Use Network Policies "
        "with EKS Auto Mode; aws/containers-roadmap#2546",
        beside_others=True,
        enforces=None,
        dns="DNS is built into EKS Auto Mode's nodes",
    ),
    Distribution(
        "GKE",
        "-gke.",
        ("", ""),
        "the CNI is built into GKE's nodes",
        "",
        "cloud.google.com/kubernetes-engine/docs: Network overview, Use Cloud DNS for GKE",
        dns="Cloud DNS may resolve names in GKE",
        dns_is_optional=True,
    ),
    Distribution(
        "AKS",
        "",
        ("kubernetes.azure.com/cluster", ""),
        "the CNI is built into AKS' nodes (kubenet, Azure CNI)",
        "",
        "learn.microsoft.com/azure/aks: CNI networking overview",
    ),
    Distribution(
        "minikube",
        "",
        ("minikube.k8s.io/name", ""),
        "minikube configures a bridge if no other CNI is chosen",
        "",
        "kubernetes/minikube pkg/minikube/cni, #6717",
        enforces=None,
    ),
    Distribution(
        "Docker Desktop",
        "",
        ("kubernetes.io/hostname", "docker-desktop"),
        "Docker Desktop's only node has its network built in",
        "",
        "docker.com/blog: How Kubernetes works under the hood with Docker Desktop",
    ),
    Distribution(
        "OpenShift",
        "",
        ("node.openshift.io/os_id", ""),
        "",
        "OpenShift's network forwards Service traffic",
        "openshift/cluster-network-operator docs/architecture.md",
    ),
)


def distribution_of(node: pb.Node) -> Distribution | None:
    """Return the distribution that a node belongs to, if it is one of these."""
    return next((distribution for distribution in DISTRIBUTIONS if _is_of(node, distribution)), None)


def is_self_contained(node: pb.Node) -> bool:
    """Return whether the node has its network built in, while other nodes of the cluster may not."""
    distribution = distribution_of(node)
    return distribution is not None and distribution.beside_others


def built_in_cni(nodes: Iterable[pb.Node]) -> str:
    """Return how pods get their network if all nodes have a CNI built in; else empty."""
    known = [distribution.cni if (distribution := distribution_of(node)) else "" for node in nodes]
    return known[0] if known and all(known) else ""


def built_in_dns(nodes: Iterable[pb.Node], *, optional: bool = False) -> str:
    """Return how all these nodes resolve names without a DNS pod, for certain or if that is chosen; else empty."""
    found = [distribution_of(node) for node in nodes]
    known = {each.dns if each and each.dns_is_optional is optional else "" for each in found}
    return known.pop() if len(known) == 1 else ""


def built_in_enforcement(nodes: Iterable[pb.Node]) -> bool | None:
    """Return whether the CNI that all these nodes have built in enforces NetworkPolicies; None if that is not known."""
    known = {distribution.enforces if (distribution := distribution_of(node)) else None for node in nodes}
    return known.pop() if len(known) == 1 else None


def built_in_kube_proxy(nodes: Iterable[pb.Node]) -> str:
    """Return how Service traffic is forwarded if all nodes do that without a kube-proxy pod; else empty."""
    known = [distribution.kube_proxy if (distribution := distribution_of(node)) else "" for node in nodes]
    return known[0] if known and all(known) else ""


def _is_of(node: pb.Node, distribution: Distribution) -> bool:
    key, value = distribution.label
    if key:
        labels = node.metadata.labels
        return key in labels and value in ("", labels[key])
    return distribution.version in node.status.nodeInfo.kubeletVersion
