"""Kube-OVN's subnets, and the pools within them."""

from collections.abc import Iterable, Iterator, Mapping

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.facts.address_pools.supply import Supply, some
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import Ref, ref
from kubevitals.text import clean

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


class IPPoolSpec(Fields, frozen=True):
    """The subnet of which a pool is a part, and the namespaces that are bound to it."""

    subnet: str = ""
    namespaces: tuple[str, ...] | None = ()


class IPPoolStatus(Fields, frozen=True):
    """How full a pool is."""

    v4AvailableIPs: Count = 0  # noqa: N815
    v4UsingIPs: Count = 0  # noqa: N815
    v6AvailableIPs: Count = 0  # noqa: N815
    v6UsingIPs: Count = 0  # noqa: N815


class IPPool(Resource, frozen=True):
    """A pool of a subnet, for namespaces and for pods with its name in ovn.kubernetes.io/ip_pool (ippool.go)."""

    spec: IPPoolSpec = IPPoolSpec()
    status: IPPoolStatus = IPPoolStatus()


SUBNETS = Kind("/apis/kubeovn.io/v1/subnets", Subnet, namespaced=False, optional=True)
POOLS = Kind("/apis/kubeovn.io/v1/ippools", IPPool, namespaced=False, optional=True)


def read(cluster: Cluster) -> list[Supply]:
    """Return the subnets of Kube-OVN, and the pools within them.

    Raises:
        NotObserved: they cannot be listed.
    """
    subnets = list_if_served(SUBNETS, cluster)
    return list(supplies_of(subnets, list_if_served(POOLS, cluster) if subnets else ()))


def supplies_of(subnets: Iterable[Subnet], pools: Iterable[IPPool]) -> Iterator[Supply]:
    """Yield what each subnet for pods, and each pool of one, has that is in use, by IP family."""
    for subnet in subnets:
        spec, status = subnet.spec, subnet.status
        if spec.provider in ("", "ovn") or spec.provider.endswith(".ovn"):
            families = {
                "IPv4": (status.v4usingIPs, status.v4availableIPs),
                "IPv6": (status.v6usingIPs, status.v6availableIPs),
            }
            namespaces = () if spec.default else spec.namespaces or ()
            yield from _counted(ref(subnet), spec.cidrBlock, families, namespaces)
    for pool in pools:
        families = {
            "IPv4": (pool.status.v4UsingIPs, pool.status.v4AvailableIPs),
            "IPv6": (pool.status.v6UsingIPs, pool.status.v6AvailableIPs),
        }
        of = f"Subnet {clean(pool.spec.subnet, 100)} that are for it"
        yield from _counted(ref(pool), of, families, pool.spec.namespaces or ())


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
