"""The CNIs whose own account of pod addresses is read, and what all of them have."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.address_pools import calico, cilium, named_pools, node_ranges, pod_cidrs
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.cni import recognised
from kubevitals.inventory.cluster import Cluster


class Account(NamedTuple):
    """One CNI's account.

    Attributes:
        read: returns what it has for pods; nothing if it has no part in this cluster.
        instead: whether its pods get no addresses from the nodes' podCIDRs.
    """

    cni: str
    read: Callable[[Cluster], list[Supply]]
    instead: bool = True


ACCOUNTS = (
    Account("Calico", calico.read),
    Account("Cilium", cilium.read),
    Account("Azure CNI", node_ranges.read_azure),
    Account("Kube-OVN", named_pools.read_kube_ovn),
    Account("OVN-Kubernetes", node_ranges.read_ovn_kubernetes),
    Account("Antrea", named_pools.read_antrea, instead=False),
    Account("Whereabouts", named_pools.read_whereabouts, instead=False),
)


def supplies(cluster: Cluster) -> Iterator[Supply]:
    """Yield what there is of pod addresses, by the account of each CNI that the cluster has.

    Raises:
        NotApplicable: no account is known for where pods get their addresses from.
        NotObserved: after the last, if an account could not be read.
    """
    cluster.scope.need_all("pods of all namespaces use a node's addresses")
    uses_pod_cidrs = any(cni.uses_pod_cidrs for cni in recognised(cluster))
    elsewhere, nothing, unseen = False, True, None
    for account in ACCOUNTS:
        if uses_pod_cidrs and account.instead:
            continue
        try:
            found = account.read(cluster)
        except NotObserved as error:
            unseen = unseen or error
            continue
        yield from found
        elsewhere, nothing = elsewhere or (account.instead and bool(found)), nothing and not found
    if not elsewhere:
        try:
            yield from pod_cidrs.read(cluster)
        except NotApplicable:
            if nothing and not unseen:
                raise
    if unseen:
        raise unseen
