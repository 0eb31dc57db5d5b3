"""Calico's IPPools, where they can be read: which are disabled, and which nodes they select."""

from collections.abc import Iterator

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.text import plural

SHOWN = 5
"""How many pools stand in the evidence."""


class IPPoolSpec(Fields, frozen=True):
    """Which addresses a pool has, in blocks of which size, for which nodes."""

    cidr: str = ""
    blockSize: int = 0  # noqa: N815
    disabled: bool = False
    nodeSelector: str = ""  # noqa: N815
    namespaceSelector: str = ""  # noqa: N815
    allowedUses: tuple[str, ...] = ()  # noqa: N815
    assignmentMode: str = ""  # noqa: N815


class IPPool(Resource, frozen=True):
    """A pool of addresses (projectcalico/calico api/pkg/apis/projectcalico/v3/ippool.go)."""

    spec: IPPoolSpec = IPPoolSpec()


IP_POOLS = Kind("/apis/crd.projectcalico.org/v1/ippools", IPPool, namespaced=False, optional=True)


def ip_pool_lines(cluster: Cluster) -> Iterator[str]:
    """Yield the cluster's IPPools, a line each, or why they cannot be read."""
    try:
        pools = list_if_served(IP_POOLS, cluster)
    except NotObserved as unseen:
        yield f"IPPools not observed: {unseen}"
        return
    yield from (ip_pool_line(pool) for pool in pools[:SHOWN])
    if len(pools) > SHOWN:
        yield f"and {plural(len(pools) - SHOWN, 'more IPPool')}"
    if not pools:
        yield "there is no IPPool"


def ip_pool_line(pool: IPPool) -> str:
    """Return what matters of a pool, in one line."""
    spec = pool.spec
    parts = [spec.cidr, "disabled" if spec.disabled else ""]
    parts += [f"blockSize {spec.blockSize}" if spec.blockSize else ""]
    parts += [f"nodeSelector {spec.nodeSelector}" if spec.nodeSelector not in ("", "all()") else ""]
    return f"IPPool {pool.metadata.name}: {', '.join(filter(None, parts))}"
