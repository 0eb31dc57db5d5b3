"""Cilium's CiliumNodes and CiliumPodIPPools: which addresses each node has, and how many of them are in use.

The IPAM mode is seen by what a CiliumNode has: a pool of addresses (ENI, Azure, Alibaba Cloud), pools (multi-pool), or
podCIDRs (cluster-pool and `kubernetes`). In the first, the operator keeps adding addresses, so that a pool that is
nearly full says nothing unless it can add no more.
(cilium/cilium pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnodes.yaml, ciliumpodippools.yaml.)
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.addresses import Pool, fullest_first, networks, used_by_node
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import Ref
from kubevitals.text import clean

LIMIT = "let the operator add addresses: a larger subnet, instance type or max-allocate; or move pods to other nodes"
ENLARGE = "give the cluster's pool more CIDRs (clusterPoolIPv4PodCIDRList), or move pods to other nodes"
ADD_CIDRS = "add CIDRs to the CiliumPodIPPool, or move pods to other nodes"


class Empty(Fields, frozen=True):
    """An address of a pool, of which nothing is read."""


class Allocation(Fields, frozen=True):
    """The CIDRs that a node has of a CiliumPodIPPool."""

    pool: str = ""
    cidrs: tuple[str, ...] = ()


class Pools(Fields, frozen=True):
    """What a node has of the CiliumPodIPPools."""

    allocated: tuple[Allocation, ...] = ()


class IPAMSpec(Fields, frozen=True, rename={"max_allocate": "max-allocate", "ipv6_pool": "ipv6-pool"}):
    """Which addresses a node has."""

    podCIDRs: tuple[str, ...] = ()  # noqa: N815
    pool: dict[str, Empty] = msgspec.field(default_factory=dict)
    ipv6_pool: dict[str, Empty] = msgspec.field(default_factory=dict)
    pools: Pools = Pools()
    max_allocate: int = 0


class CiliumNodeSpec(Fields, frozen=True):
    """Which addresses a node has."""

    ipam: IPAMSpec = IPAMSpec()


class OperatorStatus(Fields, frozen=True):
    """Why the operator could not give a node more addresses."""

    error: str = ""


class IPAMStatus(Fields, frozen=True, rename={"ipv6_used": "ipv6-used", "operator": "operator-status"}):
    """Which addresses of its pool a node uses."""

    used: dict[str, Empty] = msgspec.field(default_factory=dict)
    ipv6_used: dict[str, Empty] = msgspec.field(default_factory=dict)
    operator: OperatorStatus = OperatorStatus()


class CiliumNodeStatus(Fields, frozen=True):
    """Which addresses of its pool a node uses."""

    ipam: IPAMStatus = IPAMStatus()


class CiliumNode(Resource, frozen=True):
    """A node, as Cilium sees it."""

    spec: CiliumNodeSpec = CiliumNodeSpec()
    status: CiliumNodeStatus = CiliumNodeStatus()


class PoolCIDR(Fields, frozen=True):
    """A CIDR of a pool."""

    cidr: str = ""


class PoolFamily(Fields, frozen=True):
    """The CIDRs of a pool of one IP family, of which nodes get parts; v2alpha1 has texts, v2 has objects."""

    cidrs: tuple[str | PoolCIDR, ...] = ()


class CiliumPodIPPoolSpec(Fields, frozen=True):
    """The CIDRs of a pool."""

    ipv4: PoolFamily | None = None
    ipv6: PoolFamily | None = None


class CiliumPodIPPool(Resource, frozen=True):
    """A pool of the multi-pool mode."""

    spec: CiliumPodIPPoolSpec = CiliumPodIPPoolSpec()


NODES = Kind("/apis/cilium.io/v2/ciliumnodes", CiliumNode, namespaced=False, optional=True, page=100)
POOLS = Kind("/apis/cilium.io/v2/ciliumpodippools", CiliumPodIPPool, namespaced=False, optional=True)
OLD_POOLS = Kind("/apis/cilium.io/v2alpha1/ciliumpodippools", CiliumPodIPPool, namespaced=False, optional=True)


def read(cluster: Cluster) -> list[Supply]:
    """Return what Cilium's nodes have for pods; nothing if Cilium assigns no addresses in this cluster.

    Raises:
        NotObserved: its objects cannot be listed.
    """
    nodes = list_if_served(NODES, cluster)
    pools: Sequence[CiliumPodIPPool] = ()
    if any(node.spec.ipam.pools.allocated for node in nodes):
        pools = list_if_served(POOLS, cluster) or list_if_served(OLD_POOLS, cluster)
    ours = {node.metadata.name for node in cluster.derive(our_nodes)}
    return supplies_of(nodes, pools, ours, cluster.derive(used_by_node))


def supplies_of(
    nodes: Sequence[CiliumNode],
    pools: Iterable[CiliumPodIPPool],
    judged: Collection[str],
    used: Mapping[str, Sequence[bytes]],
) -> list[Supply]:
    """Return what each judged node has; `used` are the addresses of the pods on each node."""
    unassigned = _unassigned(nodes, pools)
    return [
        supply
        for node in nodes
        if node.metadata.name in judged
        for on_node in [used.get(node.metadata.name, ())]
        for supply in (*_of_cloud(node), *_of_pools(node, unassigned, on_node), *_of_pod_cidrs(node, on_node))
    ]


def _supply(node: CiliumNode, of: str, size: int, used: int) -> Supply:
    name, error = node.metadata.name, node.status.ipam.operator.error
    lines = (f"CiliumNode {clean(name, 300)}: cilium-operator: {error}",) if error else ()
    return Supply(Ref("Node", "", name), of, size, used, frozenset({name}), lines=lines)


def _of_cloud(node: CiliumNode) -> Iterator[Supply]:
    """Yield the node's pools of single addresses, if its operator can add no more."""
    spec, status = node.spec.ipam, node.status.ipam
    for available, used, family in ((spec.pool, status.used, ""), (spec.ipv6_pool, status.ipv6_used, "IPv6 ")):
        if available:
            can_grow = not status.operator.error and not 0 < spec.max_allocate <= len(available)
            taken = len(used.keys() & available.keys())
            supply = _supply(node, f"the {family}pool of CiliumNode", len(available), 0 if can_grow else taken)
            yield supply._replace(remedy=LIMIT, part=family.strip())


def _of_pod_cidrs(node: CiliumNode, used: Sequence[bytes]) -> Iterator[Supply]:
    """Yield the fuller podCIDR of a node whose pods get their addresses from them."""
    ranges = fullest_first(networks(node.spec.ipam.podCIDRs), used)
    if not node.spec.ipam.pools.allocated and any(pool.used for pool in ranges):
        supply = _supply(node, str(ranges[0].network), ranges[0].usable, ranges[0].used)
        lines = tuple(f"{pool} are in use" for pool in ranges)
        yield supply._replace(remedy=ENLARGE, lines=(*lines, *supply.lines))


Family = tuple[str, int]
"""A pool's name, and the version of IP."""


def _unassigned(nodes: Iterable[CiliumNode], pools: Iterable[CiliumPodIPPool]) -> Mapping[Family, int]:
    """Return how many addresses of each pool no node has."""
    left: Counter[Family] = Counter()
    for pool in pools:
        for family in filter(None, (pool.spec.ipv4, pool.spec.ipv6)):
            for network in networks(cidr.cidr if isinstance(cidr, PoolCIDR) else cidr for cidr in family.cidrs):
                left[pool.metadata.name, network.version] += network.num_addresses
    for node in nodes:
        for allocation in node.spec.ipam.pools.allocated:
            for network in networks(allocation.cidrs):
                if (allocation.pool, network.version) in left:
                    left[allocation.pool, network.version] -= network.num_addresses
    return left


def _of_pools(node: CiliumNode, unassigned: Mapping[Family, int], used: Sequence[bytes]) -> Iterator[Supply]:
    """Yield what a node has of each pool, with what no node has of it. A pool that is not listed can always grow."""
    ranges: dict[Family, list[Pool]] = defaultdict(list)
    for allocation in node.spec.ipam.pools.allocated:
        for pool in fullest_first(networks(allocation.cidrs), used):
            ranges[allocation.pool, pool.network.version].append(pool)
    for (name, version), of_pool in ranges.items():
        size, taken = sum(pool.usable for pool in of_pool), sum(pool.used for pool in of_pool)
        left = max(0, unassigned.get((name, version), 0))
        can_grow = (name, version) not in unassigned and not node.status.ipam.operator.error
        of = f"CiliumPodIPPool {clean(name, 100)} that the node has or can get"
        supply = _supply(node, of, size + left, 0 if can_grow else taken)
        lines = tuple(f"{pool} are in use" for pool in of_pool)
        yield supply._replace(remedy=ADD_CIDRS, lines=(*lines, *supply.lines), part=f"{name} IPv{version}")
