"""Calico's IPPools, where they can be read: which are disabled, and which nodes they select."""

from collections.abc import Iterator

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.text import plural

SHOWN = 5
"""How many pools stand in the evidence."""


class IPPoolSpec(Fields, frozen=True):
    """Which addresses a pool has, in blocks of which size, for which nodes."""

    cidr: str = ""
    blockSize: int = 0  # noqa: N815
    disabled: bool = False
    nodeSelector: str = ""  # noqa: N815


class IPPool(Resource, frozen=True):
    """A pool of addresses (projectcalico/calico libcalico-go/config/crd/crd.projectcalico.org_ippools.yaml)."""

    spec: IPPoolSpec = IPPoolSpec()


_IP_POOLS = Kind("/apis/crd.projectcalico.org/v1/ippools", IPPool, namespaced=False)


def ip_pool_lines(cluster: Cluster) -> Iterator[str]:
    """Yield the cluster's IPPools, a line each, or why they cannot be read."""
    try:
        pools = cluster.objects(_IP_POOLS)
    except NotObserved as unseen:
        yield f"IPPools not observed: {unseen}"
        return
    yield from (_line(pool) for pool in pools[:SHOWN])
    if len(pools) > SHOWN:
        yield f"and {plural(len(pools) - SHOWN, 'more IPPool')}"
    if not pools:
        yield "there is no IPPool"


def _line(pool: IPPool) -> str:
    spec = pool.spec
    parts = [spec.cidr, "disabled" if spec.disabled else ""]
    parts += [f"blockSize {spec.blockSize}" if spec.blockSize else ""]
    parts += [f"nodeSelector {spec.nodeSelector}" if spec.nodeSelector not in ("", "all()") else ""]
    return f"IPPool {pool.metadata.name}: {', '.join(filter(None, parts))}"
