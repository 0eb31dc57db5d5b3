"""Whereabouts, which gives addresses of networks beside the pod network: its IPPools."""

from collections.abc import Iterable, Iterator

import msgspec

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.addresses import networks
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import ref

RELEASE = "give the pool a larger range; if fewer pods run, remove the allocations of pods that are gone"


class Allocation(Fields, frozen=True):
    """Who has an address of a pool, of which nothing is read."""


class IPPoolSpec(Fields, frozen=True):
    """A range, and its addresses that are in use, by their place in it."""

    range: str = ""
    allocations: dict[str, Allocation] = msgspec.field(default_factory=dict)


class IPPool(Resource, frozen=True):
    """An IPPool of Whereabouts, for networks beside the pod network (pkg/api/whereabouts.cni.cncf.io/v1alpha1)."""

    spec: IPPoolSpec = IPPoolSpec()


POOLS = Kind("/apis/whereabouts.cni.cncf.io/v1alpha1/ippools", IPPool, namespaced=True, optional=True, page=100)


def read(cluster: Cluster) -> list[Supply]:
    """Return the pools of Whereabouts.

    Raises:
        NotObserved: they cannot be listed.
    """
    return list(supplies_of(list_if_served(POOLS, cluster)))


def supplies_of(pools: Iterable[IPPool]) -> Iterator[Supply]:
    """Yield what each pool has: the addresses of its range, without the first and, of IPv4, the last."""
    for pool in pools:
        for network in networks([pool.spec.range]):
            size = max(1, network.num_addresses - (2 if network.version == 4 else 1))
            yield Supply(ref(pool), str(network), size, len(pool.spec.allocations), remedy=RELEASE)
