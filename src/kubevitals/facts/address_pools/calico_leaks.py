"""Addresses that Calico has assigned to pods which do not exist: leaked, until calico-kube-controllers releases them.

It releases what no pod uses for 15 minutes (projectcalico/calico kube-controllers/pkg/controllers/node/ipam.go,
checkAllocations; pkg/config/runconfig.go, LeakGracePeriod).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.errors import NotObserved
from kubevitals.facts.address_pools.supply import NAMED, Supply
from kubevitals.facts.network.addresses import IPNetwork
from kubevitals.facts.network.ip_pools import IP_POOLS
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.text import clean

YOUNGEST = timedelta(minutes=2)
"""A younger assignment may be of a pod that was created after pods were listed."""


class Owner(Fields, frozen=True):
    """The pod that an address was assigned to, and when: ``2026-11-29 01:02:03.4 +0000 UTC``."""

    namespace: str = ""
    pod: str = ""
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


def lines_of(supply: Supply, cluster: Cluster) -> Iterator[str]:
    """Yield the lines of a supply, and how many addresses of its IPPools leaked, or why that cannot be seen."""
    yield from supply.lines
    try:
        leaks = cluster.derive(_leaks) if supply.ip_pools else {}
    except NotObserved as unseen:
        yield f"leaked addresses not observed: {unseen}"
        return
    for pool in supply.ip_pools:
        if owners := leaks.get(pool):
            names = ", ".join(owners[:NAMED]) + (", …" if len(owners) > NAMED else "")
            yield clean(
                f"IPPool {pool}: leaked addresses: {len(owners)}, assigned to pods that do not exist: {names}; "
                "calico-kube-controllers releases them after 15 minutes, if it runs"
            )


def _leaks(cluster: Cluster) -> Mapping[str, list[str]]:
    """Return to which pods that do not exist addresses of each pool are assigned, in namespaces that are complete.

    Raises:
        NotObserved: the blocks or the pods cannot be listed.
    """
    pods = {(pod.metadata.namespace, pod.metadata.name) for pod in cluster.pods}
    latest = cluster.now.astimezone(UTC) - YOUNGEST
    absent: dict[IPNetwork, list[Owner]] = {}
    for block in list_if_served(ASSIGNED, cluster):
        old = (owner for owner in _owners(block) if _is_older(owner, latest))
        of_no_pod = [owner for owner in old if (owner.namespace, owner.pod) not in pods]
        with suppress(ValueError):
            absent[ip_network(block.spec.cidr)] = [o for o in of_no_pod if cluster.is_complete(o.namespace)]
    return _by_pool(absent, cluster)


def _owners(block: IPAMBlock) -> Iterator[Owner]:
    """Yield the pod of each address of a block that is assigned to one."""
    attributes = block.spec.attributes
    for index in block.spec.allocations:
        if index is not None and 0 <= index < len(attributes):
            owner = attributes[index].secondary
            if owner and owner.namespace and owner.pod:
                yield owner


def _is_older(owner: Owner, latest: datetime) -> bool:
    """Return whether an address was assigned before that time; not if Calico did not note the time."""
    try:
        return datetime.strptime(owner.timestamp[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) < latest
    except ValueError:
        return False


def _by_pool(absent: Mapping[IPNetwork, list[Owner]], cluster: Cluster) -> Mapping[str, list[str]]:
    names = {}
    for pool in list_if_served(IP_POOLS, cluster):
        with suppress(ValueError):
            names[ip_network(pool.spec.cidr, strict=False)] = pool.metadata.name
    found: dict[str, list[str]] = defaultdict(list)
    for network, owners in absent.items():
        around = (network.supernet(new_prefix=length) for length in range(network.prefixlen + 1))
        if name := next((names[each] for each in around if each in names), ""):
            found[name] += sorted(f"{owner.namespace}/{owner.pod}" for owner in owners)
    return found
