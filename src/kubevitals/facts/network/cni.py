"""The DaemonSets of the CNIs that are recognised, and how a node reports that it has no network.

Each name is cited with the project and the file where it is found.
"""

from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.daemon_pods import NodeWithoutDaemon, excluded_nodes, nodes_without_daemon, on_node
from kubevitals.facts.nodes.distributions import built_in_cni
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.facts.pods.faults import SANDBOX_FAULTS, broken_pods
from kubevitals.facts.pods.sandbox_errors import Shared, explain
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready, node_condition
from kubevitals.text import near_name


class Cni(NamedTuple):
    """A CNI, and its DaemonSet that sets up the pod network on each node.

    Attributes:
        namespaces: where its manifests and documentation install it. In other namespaces any user can use the name.
        source: the project and the file where the name is found.
        uses_pod_cidrs: whether pods get their addresses from the nodes' podCIDRs; None if that is configurable.
        enforces: whether NetworkPolicies are enforced by default; None if that is configurable, or new.
    """

    name: str
    daemon_set: str
    namespaces: tuple[str, ...]
    source: str
    uses_pod_cidrs: bool | None = False
    enforces: bool | None = True


RECOGNISED = (
    Cni("Calico", "calico-node", ("kube-system", "calico-system"), "projectcalico/calico manifests/calico.yaml"),
    Cni("Calico", "calico-node-windows", ("kube-system", "calico-system"), "projectcalico/calico manifests/"),
    Cni("Canal", "canal", ("kube-system",), "projectcalico/calico manifests/canal.yaml", uses_pod_cidrs=True),
    Cni(
        "Canal",
        "rke2-canal",
        ("kube-system",),
        "rancher/rke2-charts charts/rke2-canal/templates/daemonset.yaml",
        uses_pod_cidrs=True,
    ),
    Cni(
        "Cilium",
        "cilium",
        ("kube-system", "cilium"),
        "cilium/cilium install/kubernetes/cilium/templates/cilium-agent/daemonset.yaml",
        uses_pod_cidrs=None,
    ),
    Cni(
        "Cilium",
        "anetd",
        ("kube-system",),
        "GKE Dataplane V2: cloud.google.com/kubernetes-engine/docs dataplane-v2",
        uses_pod_cidrs=None,
    ),
    Cni(
        "Flannel",
        "kube-flannel-ds",
        ("kube-flannel", "kube-system"),
        "flannel-io/flannel Documentation/",
        uses_pod_cidrs=True,
        enforces=False,
    ),
    Cni(
        "Flannel",
        "kube-flannel",
        ("kube-system",),
        "siderolabs/talos k8stemplates/testdata/flannel-daemonset.yaml",
        uses_pod_cidrs=True,
        enforces=False,
    ),
    Cni(
        "kindnet",
        "kindnet",
        ("kube-system",),
        "kubernetes-sigs/kind images/kindnetd, pkg/build/nodeimage/const_cni.go",
        uses_pod_cidrs=True,
        enforces=None,
    ),
    Cni("Weave Net", "weave-net", ("kube-system",), "weaveworks/weave prog/weave-kube/weave-daemonset-k8s-1.11.yaml"),
    Cni(
        "AWS VPC CNI",
        "aws-node",
        ("kube-system",),
        "aws/amazon-vpc-cni-k8s config/master/aws-k8s-cni.yaml",
        enforces=None,
    ),
    Cni(
        "Azure CNS",
        "azure-cns",
        ("kube-system",),
        "Azure/azure-container-networking cns/azure-cns.yaml",
        enforces=None,
    ),
    Cni(
        "OCI VCN-Native CNI",
        "vcn-native-ip-cni",
        ("kube-system",),
        "docs.oracle.com/iaas: OKE, Using the OCI VCN-Native Pod Networking CNI plugin",
        enforces=None,
    ),
    Cni(
        "Terway",
        "terway-eniip",
        ("kube-system",),
        "AliyunContainerService/terway, help.aliyun.com: ACK, Work with Terway",
        enforces=None,
    ),
    Cni("Antrea", "antrea-agent", ("kube-system",), "antrea-io/antrea build/yamls/antrea.yml", uses_pod_cidrs=None),
    Cni("kube-router", "kube-router", ("kube-system",), "cloudnativelabs/kube-router daemonset/", uses_pod_cidrs=True),
    Cni(
        "OpenShift SDN",
        "sdn",
        ("openshift-sdn",),
        "openshift/cluster-network-operator bindata/network/openshift-sdn",
        enforces=None,
    ),
    Cni("Kube-OVN", "kube-ovn-cni", ("kube-system",), "kubeovn/kube-ovn dist/images/install.sh"),
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
"""What the Ready condition of a node says if the missing network is the reason (containerd, CRI-O, kubelet)."""


def recognised(cluster: Cluster) -> list[Cni]:
    """Return the CNIs whose DaemonSets the cluster has."""
    return [cni for cni in RECOGNISED if any(is_of(daemon_set, cni) for daemon_set in cluster.daemon_sets)]


def daemon_sets(cluster: Cluster) -> list[pb.DaemonSet]:
    """Return the DaemonSets of the cluster's CNI: those that ``--cni-daemonset`` names, else those recognised.

    Raises:
        NotApplicable: the nodes have a CNI built in.
        NotObserved: none is recognised, or one that the option names does not exist.
    """
    every = cluster.daemon_sets
    if cluster.cni_daemon_sets:
        by_name = {f"{ds.metadata.namespace}/{ds.metadata.name}": ds for ds in every}
        if missing := sorted(cluster.cni_daemon_sets - by_name.keys()):
            near = near_name(missing[0], by_name)
            raise NotObserved(f"there is no DaemonSet {', '.join(missing)}{near}: correct --cni-daemonset", asked=True)
        return [by_name[name] for name in sorted(cluster.cni_daemon_sets)]
    if known := [ds for ds in every if any(is_of(ds, cni) for cni in RECOGNISED)]:
        return known
    cluster.scope.need_all("the CNI's DaemonSet may be in any namespace")
    if built_in := built_in_cni(cluster.derive(our_nodes)):
        raise NotApplicable(built_in)
    raise NotObserved("the CNI's DaemonSet is not recognised: name it with --cni-daemonset NAMESPACE/NAME")


def nodes_without_cni(cluster: Cluster) -> list[NodeWithoutDaemon]:
    """Return the nodes without a working CNI pod, except those that are not ready for another reason.

    If several DaemonSets should run on a node, it needs all of them: Azure's CNS and Cilium, for instance.

    A node that they exclude needs them if ordinary pods run there.

    Raises:
        NotApplicable: the nodes have a CNI built in.
        NotObserved: the CNI's DaemonSets are not known.
    """
    without = {
        missing.node.metadata.name: missing
        for daemon_set in daemon_sets(cluster)
        for missing in nodes_without_daemon([daemon_set], cluster)
    }
    networks = [daemon_set for daemon_set in daemon_sets(cluster) if not _is_for_policies(daemon_set)]
    excluded = {missing.node.metadata.name: missing for missing in excluded_nodes(networks, cluster)}
    return [node for node in (excluded | without).values() if is_ready(node.node) or no_network(node.node)]


GKE_POLICIES = "projectcalico.org/ds-ready"
"""The label that GKE's calico-node selects nodes by: it enforces policies there, and GKE's own CNI sets pods up
(kubernetes/kubernetes cluster/gce/config-default.sh)."""


def _is_for_policies(daemon_set: pb.DaemonSet) -> bool:
    return GKE_POLICIES in daemon_set.spec.template.spec.nodeSelector


def no_network(node: pb.Node) -> str:
    """Return the message of a node that is not ready because it has no network; empty for any other node."""
    ready = node_condition(node, "Ready")
    if ready is None or ready.status != "False":
        return ""
    return ready.message if any(text.lower() in ready.message.lower() for text in _NO_NETWORK) else ""


def pod_on(node: str, cluster: Cluster) -> pb.Pod | None:
    """Return the CNI's pod on a node, if there is one and the CNI is known."""
    try:
        return on_node(daemon_sets(cluster), node, cluster)
    except (NotApplicable, NotObserved):
        return None


def without_network(cluster: Cluster) -> set[str]:
    """Return the nodes whose pods have no network according to another finding: the probe's pods have none either."""
    reported = {node.metadata.name for node in cluster.nodes if no_network(node)} | _without_new_sandboxes(cluster)
    try:
        return reported | {missing.node.metadata.name for missing in cluster.derive(nodes_without_cni)}
    except (NotApplicable, NotObserved):
        return reported


def _without_new_sandboxes(cluster: Cluster) -> set[str]:
    """Return the nodes where new pods get no sandbox for a reason that affects every new pod there."""
    symptoms = (symptom for fault in SANDBOX_FAULTS for symptom in broken_pods(cluster, fault))
    return {
        symptom.pod.spec.nodeName
        for symptom in symptoms
        if (error := explain(symptom.words)) and error.shared is not Shared.POD
    }


def is_of(daemon_set: pb.DaemonSet, cni: Cni) -> bool:
    """Return whether a DaemonSet is that of a CNI."""
    return daemon_set.metadata.name == cni.daemon_set and daemon_set.metadata.namespace in cni.namespaces
