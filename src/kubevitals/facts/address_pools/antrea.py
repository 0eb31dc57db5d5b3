"""Antrea's IPPools, for pods and namespaces that ask for them; all others get addresses of their node's podCIDR."""

from collections.abc import Iterable, Iterator

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import ref


class Usage(Fields, frozen=True):
    """How many addresses a pool has, and how many are in use."""

    total: int = 0
    used: int = 0


class IPPoolStatus(Fields, frozen=True):
    """How full a pool is."""

    usage: Usage = Usage()


class IPPool(Resource, frozen=True):
    """An IPPool (antrea-io/antrea pkg/apis/crd/v1beta1/types.go)."""

    status: IPPoolStatus = IPPoolStatus()


POOLS = Kind("/apis/crd.antrea.io/v1beta1/ippools", IPPool, namespaced=False, optional=True, page=100)


def read(cluster: Cluster) -> list[Supply]:
    """Return the pools of Antrea that give addresses to pods that ask for them.

    Raises:
        NotObserved: they cannot be listed.
    """
    return list(supplies_of(list_if_served(POOLS, cluster)))


def supplies_of(pools: Iterable[IPPool]) -> Iterator[Supply]:
    """Yield what each pool that is in use has. A pool without figures is not in use."""
    for pool in pools:
        usage = pool.status.usage
        if usage.used:
            yield Supply(ref(pool), "its ranges", usage.total, usage.used)
