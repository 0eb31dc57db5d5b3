"""CNIs whose pools and subnets count their own addresses: Whereabouts, Antrea and Kube-OVN."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.facts.address_pools.supply import Supply, some
from kubevitals.facts.network.addresses import networks
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import Ref
from kubevitals.text import clean

RELEASE = "give the pool a larger range; if fewer pods run, remove the allocations of pods that are gone"


class Allocation(Fields, frozen=True):
    """Who has an address of a pool, of which nothing is read."""


class WhereaboutsSpec(Fields, frozen=True):
    """A range, and its addresses that are in use, by their place in it."""

    range: str = ""
    allocations: dict[str, Allocation] = msgspec.field(default_factory=dict)


class WhereaboutsPool(Resource, frozen=True):
    """An IPPool of Whereabouts, for networks beside the pod network (pkg/api/whereabouts.cni.cncf.io/v1alpha1)."""

    spec: WhereaboutsSpec = WhereaboutsSpec()


class Usage(Fields, frozen=True):
    """How many addresses a pool has, and how many are in use."""

    total: int = 0
    used: int = 0


class AntreaStatus(Fields, frozen=True):
    """How full a pool is."""

    usage: Usage = Usage()


class AntreaPool(Resource, frozen=True):
    """An IPPool of Antrea, for pods and namespaces that ask for it (antrea-io/antrea pkg/apis/crd/v1beta1/types.go)."""

    status: AntreaStatus = AntreaStatus()


Count = float | str
"""A number of addresses: kubeovn/kube-ovn pkg/internal/big_int.go writes a number, and the schema says string."""


class SubnetSpec(Fields, frozen=True):
    """Who uses a subnet: with the provider ovn, or one that ends so, pods do."""

    default: bool = False
    provider: str = ""
    cidrBlock: str = ""  # noqa: N815
    namespaces: tuple[str, ...] | None = ()


class SubnetStatus(Fields, frozen=True):
    """How full a subnet is."""

    v4availableIPs: Count = 0  # noqa: N815
    v4usingIPs: Count = 0  # noqa: N815
    v6availableIPs: Count = 0  # noqa: N815
    v6usingIPs: Count = 0  # noqa: N815


class Subnet(Resource, frozen=True):
    """A subnet of Kube-OVN (kubeovn/kube-ovn pkg/apis/kubeovn/v1/subnet.go)."""

    spec: SubnetSpec = SubnetSpec()
    status: SubnetStatus = SubnetStatus()


class KubeOvnPoolSpec(Fields, frozen=True):
    """The subnet of which a pool is a part, and the namespaces that are bound to it."""

    subnet: str = ""
    namespaces: tuple[str, ...] | None = ()


class KubeOvnPoolStatus(Fields, frozen=True):
    """How full a pool is."""

    v4AvailableIPs: Count = 0  # noqa: N815
    v4UsingIPs: Count = 0  # noqa: N815
    v6AvailableIPs: Count = 0  # noqa: N815
    v6UsingIPs: Count = 0  # noqa: N815


class KubeOvnPool(Resource, frozen=True):
    """A pool of a subnet, for namespaces and for pods with its name in ovn.kubernetes.io/ip_pool (ippool.go)."""

    spec: KubeOvnPoolSpec = KubeOvnPoolSpec()
    status: KubeOvnPoolStatus = KubeOvnPoolStatus()


WHEREABOUTS = Kind(
    "/apis/whereabouts.cni.cncf.io/v1alpha1/ippools", WhereaboutsPool, namespaced=True, optional=True, page=100
)
ANTREA = Kind("/apis/crd.antrea.io/v1beta1/ippools", AntreaPool, namespaced=False, optional=True, page=100)
SUBNETS = Kind("/apis/kubeovn.io/v1/subnets", Subnet, namespaced=False, optional=True)
KUBE_OVN_POOLS = Kind("/apis/kubeovn.io/v1/ippools", KubeOvnPool, namespaced=False, optional=True)


def read_whereabouts(cluster: Cluster) -> list[Supply]:
    """Return the pools of Whereabouts.

    Raises:
        NotObserved: they cannot be listed.
    """
    return list(of_whereabouts(list_if_served(WHEREABOUTS, cluster)))


def of_whereabouts(pools: Iterable[WhereaboutsPool]) -> Iterator[Supply]:
    """Yield what each pool has: the addresses of its range, without the first and, of IPv4, the last."""
    for pool in pools:
        at = Ref("IPPool", pool.metadata.namespace, pool.metadata.name)
        for network in networks([pool.spec.range]):
            size = max(1, network.num_addresses - (2 if network.version == 4 else 1))
            yield Supply(at, str(network), size, len(pool.spec.allocations), remedy=RELEASE)


def read_antrea(cluster: Cluster) -> list[Supply]:
    """Return the pools of Antrea that give addresses to pods that ask for them.

    Raises:
        NotObserved: they cannot be listed.
    """
    return list(of_antrea(list_if_served(ANTREA, cluster)))


def of_antrea(pools: Iterable[AntreaPool]) -> Iterator[Supply]:
    """Yield what each pool that is in use has. A pool without figures is not in use."""
    for pool in pools:
        usage = pool.status.usage
        if usage.used:
            yield Supply(Ref("IPPool", "", pool.metadata.name), "its ranges", usage.total, usage.used)


def read_kube_ovn(cluster: Cluster) -> list[Supply]:
    """Return the subnets of Kube-OVN, and the pools within them.

    Raises:
        NotObserved: they cannot be listed.
    """
    subnets = list_if_served(SUBNETS, cluster)
    return list(of_kube_ovn(subnets, list_if_served(KUBE_OVN_POOLS, cluster) if subnets else ()))


def of_kube_ovn(subnets: Iterable[Subnet], pools: Iterable[KubeOvnPool]) -> Iterator[Supply]:
    """Yield what each subnet for pods, and each pool of one, has that is in use, by IP family."""
    for subnet in subnets:
        spec, status = subnet.spec, subnet.status
        if spec.provider in ("", "ovn") or spec.provider.endswith(".ovn"):
            families = {
                "IPv4": (status.v4usingIPs, status.v4availableIPs),
                "IPv6": (status.v6usingIPs, status.v6availableIPs),
            }
            namespaces = () if spec.default else spec.namespaces or ()
            yield from _counted(Ref("Subnet", "", subnet.metadata.name), spec.cidrBlock, families, namespaces)
    for pool in pools:
        families = {
            "IPv4": (pool.status.v4UsingIPs, pool.status.v4AvailableIPs),
            "IPv6": (pool.status.v6UsingIPs, pool.status.v6AvailableIPs),
        }
        of = f"Subnet {clean(pool.spec.subnet, 100)} that are for it"
        yield from _counted(Ref("IPPool", "", pool.metadata.name), of, families, pool.spec.namespaces or ())


def _counted(
    at: Ref, of: str, families: Mapping[str, tuple[Count, Count]], namespaces: Iterable[str]
) -> Iterator[Supply]:
    who = f"pods of {some(names, 'namespace')}" if (names := list(namespaces)) else ""
    for family, (used, free) in families.items():
        if _number(used):
            yield Supply(at, of, _number(used) + _number(free), _number(used), who=who, part=family)


def _number(count: Count) -> int:
    """Return a count as a number; 0 if it is none."""
    try:
        return int(float(count))
    except (ValueError, OverflowError):
        return 0
