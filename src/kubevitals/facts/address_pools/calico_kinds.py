"""The objects of Calico's IPAM, reduced to what is read of them."""

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.inventory.listing import Kind


class IPAMBlockSpec(Fields, frozen=True):
    """Which addresses of a block are free, and which node has the block: ``host:worker-1``."""

    cidr: str = ""
    affinity: str | None = None
    unallocated: tuple[int, ...] | None = None
    deleted: bool = False


class IPAMBlock(Resource, frozen=True):
    """A block of a pool (projectcalico/calico api/pkg/apis/projectcalico/v3/ipamblocks.go)."""

    spec: IPAMBlockSpec = IPAMBlockSpec()


class IPAMConfigSpec(Fields, frozen=True):
    """How nodes get blocks."""

    strictAffinity: bool = False  # noqa: N815
    maxBlocksPerHost: int = 0  # noqa: N815
    autoAllocateBlocks: bool = True  # noqa: N815


class IPAMConfig(Resource, frozen=True):
    """The configuration of Calico's IPAM, named default (api/pkg/apis/projectcalico/v3/ipamconfig.go)."""

    spec: IPAMConfigSpec = IPAMConfigSpec()


BLOCKS = Kind("/apis/crd.projectcalico.org/v1/ipamblocks", IPAMBlock, namespaced=False, optional=True, page=100)
CONFIGS = Kind("/apis/crd.projectcalico.org/v1/ipamconfigs", IPAMConfig, namespaced=False, optional=True)
