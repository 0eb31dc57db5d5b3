"""Addresses that Calico has assigned to pods which are gone: leaked, until calico-kube-controllers releases them.

It releases what no pod uses for 15 minutes, and at once if its node is gone (projectcalico/calico
kube-controllers/pkg/controllers/node/ipam.go, checkAllocations; pkg/config/runconfig.go, LeakGracePeriod).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.errors import NotObserved
from kubevitals.facts.address_pools.supply import NAMED, Supply, some
from kubevitals.facts.network.addresses import IPNetwork
from kubevitals.facts.network.ip_pools import IP_POOLS
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.completeness import is_known
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.text import clean

YOUNGEST = timedelta(minutes=2)
"""A younger assignment may be of a pod that was created after pods were listed."""

CONTROLLER = "calico-kube-controllers"

VIRTUAL_MACHINE = "virt-launcher-"
"""How KubeVirt names the pod of a virtual machine, which keeps its address while it is stopped (Calico's
kubeVirtVMAddressPersistence)."""

RELEASE = (
    f"release the leaked addresses: {CONTROLLER} does that while it runs; by hand: calicoctl ipam check -o report.json "
    "and calicoctl ipam release --from-report report.json. Or enlarge the IPPool or add one"
)
"""The remedy of a supply with leaked addresses (docs.tigera.io reference/calicoctl/ipam/check)."""


class Owner(Fields, frozen=True):
    """The pod that an address was assigned to, on which node, and when: ``2026-11-29 01:02:03.4 +0000 UTC``."""

    namespace: str = ""
    pod: str = ""
    node: str = ""
    timestamp: str = ""


class Attribute(Fields, frozen=True):
    """What Calico notes of an assignment."""

    secondary: Owner | None = None


class AssignedSpec(Fields, frozen=True):
    """For each address of a block, the index of its attributes; None if it is free."""

    cidr: str = ""
    allocations: tuple[int | None, ...] = ()
    attributes: tuple[Attribute, ...] = ()


class IPAMBlock(Resource, frozen=True):
    """A block, and to which pods its addresses are assigned (libcalico-go/lib/backend/model/block.go)."""

    spec: AssignedSpec = AssignedSpec()


ASSIGNED = Kind("/apis/crd.projectcalico.org/v1/ipamblocks", IPAMBlock, namespaced=False, optional=True, page=100)


def with_leaks(supply: Supply, cluster: Cluster) -> Supply:
    """Return a supply with how many addresses of its IPPools leaked, or why that cannot be seen, in its lines.

    If some did, the remedy is to release them. Only those count that the supply would get.
    """
    try:
        lines = list(_lines(supply, cluster)) if supply.ip_pools else []
    except NotObserved as unseen:
        return supply._replace(lines=(*supply.lines, f"leaked addresses not observed: {unseen}"))
    return supply._replace(lines=(*supply.lines, *lines), remedy=RELEASE if lines else supply.remedy)


def _lines(supply: Supply, cluster: Cluster) -> Iterator[str]:
    leaks = cluster.derive(_leaks)
    for pool in supply.ip_pools:
        if owners := [owner for owner in leaks.get(pool, ()) if _helps(owner, supply, cluster)]:
            yield clean(f"IPPool {pool}: {_counted(owners, cluster)}; {_releases(cluster)}")


def _helps(owner: Owner, supply: Supply, cluster: Cluster) -> bool:
    """Return whether a supply gets an address once it is released: one node, only from its own and unclaimed blocks."""
    return supply.at.kind != "Node" or owner.node == supply.at.name or owner.node not in cluster.nodes_by_name


def _counted(owners: Sequence[Owner], cluster: Cluster) -> str:
    names = ", ".join(f"{owner.namespace}/{owner.pod}" for owner in owners[:NAMED])
    more = ", …" if len(owners) > NAMED else ""
    gone = {owner.node for owner in owners if owner.node and owner.node not in cluster.nodes_by_name}
    where = f" on {some(gone, 'node')}, no longer in the cluster" if gone else ""
    return f"leaked addresses: {len(owners)}, assigned to pods that are gone: {names}{more}{where}"


def _releases(cluster: Cluster) -> str:
    """Return whether Calico itself releases leaked addresses."""
    found = [each.status.readyReplicas for each in cluster.deployments if each.metadata.name == CONTROLLER]
    if found and not any(found):
        return f"{CONTROLLER}, which releases them, has no ready pod"
    return f"{CONTROLLER} releases them after 15 minutes" + ("" if found else ", if it runs")


def _leaks(cluster: Cluster) -> Mapping[str, list[Owner]]:
    """Return to which pods that are gone addresses of each pool are assigned, in namespaces that this run lists.

    A pod that was created again on another node is gone from the first one.

    Raises:
        NotObserved: the blocks or the pods cannot be listed.
    """
    nodes = {(pod.metadata.namespace, pod.metadata.name): pod.spec.nodeName for pod in cluster.pods}
    latest = cluster.now.astimezone(UTC) - YOUNGEST
    leaked: dict[IPNetwork, list[Owner]] = {}
    for block in list_if_served(ASSIGNED, cluster):
        old = [owner for owner in _owners(block) if _is_older(owner, latest)]
        gone = [o for o in old if not _is_on(o, nodes.get((o.namespace, o.pod))) and is_known(o.namespace, cluster)]
        with suppress(ValueError):
            leaked[ip_network(block.spec.cidr)] = gone
    return _by_pool(leaked, cluster)


def _is_on(owner: Owner, node: str | None) -> bool:
    """Return whether a pod exists, on the node where the address was assigned if both are known."""
    return node is not None and (not node or not owner.node or node == owner.node)


def _owners(block: IPAMBlock) -> Iterator[Owner]:
    """Yield the pod of each address of a block that is assigned to one."""
    attributes = block.spec.attributes
    for index in block.spec.allocations:
        if index is not None and 0 <= index < len(attributes):
            owner = attributes[index].secondary
            if owner and owner.namespace and owner.pod and not owner.pod.startswith(VIRTUAL_MACHINE):
                yield owner


def _is_older(owner: Owner, latest: datetime) -> bool:
    """Return whether an address was assigned before that time; not if Calico did not note the time."""
    try:
        return datetime.strptime(owner.timestamp[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) < latest
    except ValueError:
        return False


def _by_pool(leaked: Mapping[IPNetwork, list[Owner]], cluster: Cluster) -> Mapping[str, list[Owner]]:
    names = {}
    for pool in list_if_served(IP_POOLS, cluster):
        with suppress(ValueError):
            names[ip_network(pool.spec.cidr, strict=False)] = pool.metadata.name
    found: dict[str, list[Owner]] = defaultdict(list)
    for network, owners in leaked.items():
        around = (network.supernet(new_prefix=length) for length in range(network.prefixlen + 1))
        if name := next((names[each] for each in around if each in names), ""):
            found[name] += owners
    return {name: sorted(owners, key=lambda owner: (owner.namespace, owner.pod)) for name, owners in found.items()}
