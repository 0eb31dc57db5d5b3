"""Services of type LoadBalancer that have no external address, and what should give them one."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.network.gateways import SETTLING
from kubevitals.facts.network.ingresses import is_served, workloads_with
from kubevitals.facts.network.load_balancers import set_up_failure
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.objects import Ref, ref
from kubevitals.text import clean

BEGUN = frozenset({"EnsuringLoadBalancer", "Type"})
"""Reasons of events that a load balancer is being set up, or that the Service has just got this type
(kubernetes/cloud-provider controllers/service/controller.go)."""

BY_CILIUM = "cilium.io/IPAMRequestSatisfied"
"""The condition in which Cilium says whether a Service has got an address (cilium/cilium operator/pkg/lbipam); there is
no event."""


class Giver(NamedTuple):
    """What gives Services an external address.

    Attributes:
        word: a word in the name or the images of its workload.
        source: what it takes addresses from.
    """

    name: str
    word: str
    source: str


GIVERS = (
    Giver("MetalLB", "metallb", "an IPAddressPool for its namespace"),
    Giver("kube-vip", "kube-vip", "a range in ConfigMap kubevip"),
    Giver("OpenELB", "openelb", "an Eip"),
    Giver("PureLB", "purelb", "a ServiceGroup"),
)
"""Implementations that serve Services without a class (metallb.io, kube-vip.io, openelb.io, purelb.gitlab.io)."""

GIVERS_OF_CLASSES = {
    "service.k8s.aws/nlb": Giver("AWS LB Controller", "aws-load-balancer-controller", "tagged subnets"),
    "kube-vip.io/kube-vip-class": GIVERS[1],
    "io.cilium/bgp-control-plane": Giver("Cilium", "cilium", "a CiliumLoadBalancerIPPool"),
    "io.cilium/l2-announcer": Giver("Cilium", "cilium", "a CiliumLoadBalancerIPPool"),
    "tailscale": Giver("Tailscale's operator", "tailscale", "its tailnet"),
}
"""Known values of loadBalancerClass (kubernetes-sigs/aws-load-balancer-controller, kube-vip/kube-vip-cloud-provider,
cilium/cilium, tailscale.com/kb)."""

CLOUDS = ("aws", "azure", "digitalocean", "gce", "hcloud", "ibm", "linode", "ocid1", "openstack", "scaleway", "vultr")
"""What the providerID of nodes begins with in clouds whose controller manager sets up load balancers."""

CLOUD = Giver("the cloud controller manager", "cloud-controller-manager", "the cloud's quota")
SERVICE_LB = Giver("K3s' ServiceLB", "svclb-", "nodes where the ports of the Service are free")
"""What K3s has built in runs a DaemonSet for each Service (k3s-io/k3s pkg/cloudprovider/servicelb.go)."""


class Pending(NamedTuple):
    """A Service that has no external address.

    Attributes:
        giver: what should give it one; nothing if the cluster has nothing that is known to do so.
        workload: the workload of that.
        condition: what Cilium says.
    """

    service: pb.Service
    giver: Giver | None
    workload: Ref | None
    condition: pb.Condition | None

    @property
    def why(self) -> str:
        """Why it has none, as a clause."""
        if self.condition:
            return f"{self.condition.reason}: {self.condition.message}"
        if self.giver:
            return f"{self.giver.name} has given it none, and sends no event"
        return "nothing in this cluster is known to give Services of type LoadBalancer one"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.condition:
            return "add a CiliumLoadBalancerIPPool that has a free address and selects this Service, or widen one"
        if self.giver:
            return f"see the pods and the log of {self.giver.name}: it takes addresses from {self.giver.source}"
        return (
            "install what does (MetalLB, kube-vip, the cloud's controller manager), or let it be of type NodePort or "
            "ClusterIP if it needs none"
        )

    @property
    def has_pools(self) -> bool:
        """Whether Cilium has pools, so that it is meant to give the Service an address."""
        return self.condition is not None and self.condition.reason != "no_pool"


def pending_services(cluster: Cluster) -> Iterator[Pending]:
    """Yield the Services that have had no external address for longer than `ingress.settling`, without an event.

    Raises:
        NotObserved: after the last one, if one has no status, as in an old recording, or a class that is not known.
    """
    unseen: NotObserved | None = None
    for service in filter(_wants_address, cluster.services):
        if is_served(service) or not cluster.over(service.metadata.creationTimestamp, SETTLING):
            continue
        name, of = ref(service), service.spec.loadBalancerClass
        if not service.HasField("status"):
            unseen = NotObserved(f"{name} has no status")
        elif of and of not in GIVERS_OF_CLASSES:
            unseen = NotObserved(f"what serves loadBalancerClass {clean(of, 300)} of {name} is not known")
        elif not _is_explained(service, cluster):
            yield _pending(service, cluster)
    if unseen:
        raise unseen


def _wants_address(service: pb.Service) -> bool:
    """Return whether a Service is to have an external address, and has none that a user gave it."""
    leaving = service.metadata.HasField("deletionTimestamp")
    return service.spec.type == "LoadBalancer" and not service.spec.externalIPs and not leaving


def _is_explained(service: pb.Service, cluster: Cluster) -> bool:
    """Return whether events say what is going on: a failure, or that the load balancer is just being set up."""
    try:
        begun = (event for event in cluster.events(service) if event.reason in BEGUN)
        recent = any(seen_ago(event, cluster) < cluster.limit(SETTLING) for event in begun)
        return recent or set_up_failure(service, cluster) is not None
    except NotObserved:
        return False


def _pending(service: pb.Service, cluster: Cluster) -> Pending:
    condition = next((c for c in service.status.conditions if c.type == BY_CILIUM and c.status == "False"), None)
    try:
        giver, workload = _giver(service, cluster)
    except NotObserved:
        giver, workload = None, None
    return Pending(service, giver, workload, condition)


def _giver(service: pb.Service, cluster: Cluster) -> tuple[Giver | None, Ref | None]:
    running = cluster.derive(_running)
    if of := GIVERS_OF_CLASSES.get(service.spec.loadBalancerClass):
        return (of, running[of.word]) if of.word in running else (None, None)
    for giver in GIVERS:
        if giver.word in running:
            return giver, running[giver.word]
    if own := cluster.derive(_service_lbs).get(f"{SERVICE_LB.word}{service.metadata.name}"):
        return SERVICE_LB, own
    in_cloud = any(node.spec.providerID.startswith(CLOUDS) for node in cluster.nodes)
    return (CLOUD if in_cloud else None), None


def _running(cluster: Cluster) -> Mapping[str, Ref]:
    """Return a workload of each implementation that the cluster has, by its word."""
    words = {giver.word for giver in (*GIVERS, *GIVERS_OF_CLASSES.values())}
    return {word: ref(found) for word in words if (found := next(workloads_with(word, cluster), None))}


def _service_lbs(cluster: Cluster) -> Mapping[str, Ref]:
    """Return the DaemonSets of K3s' ServiceLB, by their names without the part that is random."""
    named = (each for each in cluster.daemon_sets if each.metadata.name.startswith(SERVICE_LB.word))
    return {each.metadata.name.rpartition("-")[0]: ref(each) for each in named}


OF_GATEWAY = (
    ("gateway.networking.k8s.io/gateway-name", ""),
    ("gateway.envoyproxy.io/owning-gateway-name", "gateway.envoyproxy.io/owning-gateway-namespace"),
    ("io.cilium.gateway/owning-gateway", ""),
)
"""Labels that name the Gateway of a Service, and its namespace if it may be another (gateway-api.sigs.k8s.io: GEP-1762;
envoyproxy/gateway internal/gatewayapi/helpers.go; cilium/cilium operator/pkg/model/translation/gateway-api)."""


def gateway_of(service: pb.Service) -> Ref | None:
    """Return the Gateway that a Service gets its traffic for."""
    labels, here = service.metadata.labels, service.metadata.namespace
    return next(
        (Ref("Gateway", labels.get(place) or here, labels[name]) for name, place in OF_GATEWAY if name in labels), None
    )
