"""The DaemonSets of CNIs that are recognised, and what a node without a network says.

Every line is cited with the project and the file where the name stands.
"""

from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.network.daemon_pods import Lack, lacking, on_node
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready, node_condition


class Cni(NamedTuple):
    """A CNI, and the DaemonSet that serves pods' networks on each node.

    Attributes:
        namespaces: where its own manifests and documentation put it; what is called so elsewhere may be anybody's.
        source: the project and the file where the name stands.
    """

    name: str
    daemon_set: str
    namespaces: tuple[str, ...]
    source: str


RECOGNISED = (
    Cni("Calico", "calico-node", ("kube-system", "calico-system"), "projectcalico/calico manifests/calico.yaml"),
    Cni("Calico", "calico-node-windows", ("kube-system", "calico-system"), "projectcalico/calico manifests/"),
    Cni("Canal", "canal", ("kube-system",), "projectcalico/calico manifests/canal.yaml"),
    Cni("Canal", "rke2-canal", ("kube-system",), "rancher/rke2-charts charts/rke2-canal/templates/daemonset.yaml"),
    Cni(
        "Cilium",
        "cilium",
        ("kube-system", "cilium"),
        "cilium/cilium install/kubernetes/cilium/templates/cilium-agent/daemonset.yaml",
    ),
    Cni("Cilium", "anetd", ("kube-system",), "GKE Dataplane V2: cloud.google.com/kubernetes-engine/docs dataplane-v2"),
    Cni("Flannel", "kube-flannel-ds", ("kube-flannel", "kube-system"), "flannel-io/flannel Documentation/"),
    Cni("Flannel", "kube-flannel", ("kube-system",), "siderolabs/talos k8stemplates/testdata/flannel-daemonset.yaml"),
    Cni(
        "kindnet", "kindnet", ("kube-system",), "kubernetes-sigs/kind images/kindnetd, pkg/build/nodeimage/const_cni.go"
    ),
    Cni("Weave Net", "weave-net", ("kube-system",), "weaveworks/weave prog/weave-kube/weave-daemonset-k8s-1.11.yaml"),
    Cni("AWS VPC CNI", "aws-node", ("kube-system",), "aws/amazon-vpc-cni-k8s config/master/aws-k8s-cni.yaml"),
    Cni("Azure CNS", "azure-cns", ("kube-system",), "Azure/azure-container-networking cns/azure-cns.yaml"),
    Cni("Antrea", "antrea-agent", ("kube-system",), "antrea-io/antrea build/yamls/antrea.yml"),
    Cni("kube-router", "kube-router", ("kube-system",), "cloudnativelabs/kube-router daemonset/"),
    Cni(
        "OVN-Kubernetes",
        "ovnkube-node",
        ("ovn-kubernetes", "openshift-ovn-kubernetes"),
        "ovn-kubernetes/ovn-kubernetes dist/templates/ovnkube-node.yaml.j2",
    ),
)

_NO_NETWORK = (
    "cni plugin not initialized",
    "NetworkPluginNotReady",
    "No CNI configuration file in",
    "cni config uninit",
)
"""What a node that is not ready says where its network is the reason (containerd, CRI-O, kubelet)."""


def daemon_sets(cluster: Cluster) -> list[pb.DaemonSet]:
    """Return the DaemonSets of the cluster's CNI: those that ``--cni-daemonset`` names, else those recognised.

    Raises:
        NotObserved: there are none.
    """
    every = cluster.daemon_sets
    if cluster.cni_daemon_sets:
        found = [ds for ds in every if f"{ds.metadata.namespace}/{ds.metadata.name}" in cluster.cni_daemon_sets]
        if len(found) < len(cluster.cni_daemon_sets):
            missing = cluster.cni_daemon_sets - {f"{ds.metadata.namespace}/{ds.metadata.name}" for ds in found}
            raise NotObserved(f"there is no DaemonSet {', '.join(sorted(missing))}: correct --cni-daemonset")
        return found
    if found := [ds for ds in every if any(_is_of(ds, cni) for cni in RECOGNISED)]:
        return found
    cluster.scope.need_all("the DaemonSet of the cluster's CNI may be in any namespace")
    raise NotObserved(
        "the DaemonSet of the cluster's CNI is not recognised: name it with --cni-daemonset NAMESPACE/NAME"
    )


def lacking_network(cluster: Cluster) -> list[Lack]:
    """Return the nodes without a working pod of the CNI, but not those that are not ready for another reason.

    Where several DaemonSets belong on a node it needs them all: Azure's CNS and Cilium, for instance.

    Raises:
        NotObserved: the CNI's DaemonSets are not known.
    """
    lacks = {lack.node.metadata.name: lack for ds in daemon_sets(cluster) for lack in lacking([ds], cluster)}
    return [lack for lack in lacks.values() if is_ready(lack.node) or no_network(lack.node)]


def no_network(node: pb.Node) -> str:
    """Return what a node says that is not ready for want of a network; nothing of any other node."""
    ready = node_condition(node, "Ready")
    if ready is None or ready.status != "False":
        return ""
    return ready.message if any(text.lower() in ready.message.lower() for text in _NO_NETWORK) else ""


def pod_on(node: str, cluster: Cluster) -> pb.Pod | None:
    """Return the CNI's pod of a node; nothing where there is none, or the CNI is not known."""
    try:
        return on_node(daemon_sets(cluster), node, cluster)
    except NotObserved:
        return None


def without_network(cluster: Cluster) -> set[str]:
    """Return the nodes of which another finding says that their pods have no network: the probe's have none, either."""
    named = {node.metadata.name for node in cluster.nodes if no_network(node)}
    try:
        return named | {lack.node.metadata.name for lack in cluster.derive(lacking_network)}
    except NotObserved:
        return named


def _is_of(daemon_set: pb.DaemonSet, cni: Cni) -> bool:
    return daemon_set.metadata.name == cni.daemon_set and daemon_set.metadata.namespace in cni.namespaces
