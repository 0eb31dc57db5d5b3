"""The CNIs whose own account of pod addresses is read, and what all of them have."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kubevitals.errors import NotApplicable, NotObserved, observed
from kubevitals.facts.address_pools import antrea, aws, calico, cilium, kube_ovn, node_ranges, pod_cidrs, whereabouts
from kubevitals.facts.address_pools.calico_leaks import with_leaks
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.cni import recognised
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.served import served_groups


class Account(NamedTuple):
    """One CNI's account.

    Attributes:
        cni: its name in `kubevitals.facts.network.cni`, or that of its DaemonSet.
        read: returns what it has for pods; nothing if it has no part in this cluster.
        instead: whether its pods get no addresses from the nodes' podCIDRs.
    """

    cni: str
    read: Callable[[Cluster], Iterable[Supply]]
    instead: bool = True


ACCOUNTS = (
    Account("Calico", calico.read),
    Account("Cilium", cilium.read),
    Account("AWS VPC CNI", aws.read),
    Account("Azure CNS", node_ranges.read_azure),
    Account("Kube-OVN", kube_ovn.read),
    Account("OVN-Kubernetes", node_ranges.read_ovn_kubernetes),
    Account("Antrea", antrea.read, instead=False),
    Account("whereabouts", whereabouts.read, instead=False),
)


class Known(NamedTuple):
    """What all accounts have.

    Attributes:
        unseen: why an account could not be read; nothing if all were.
        elsewhere: why there are no supplies although all accounts were read.
    """

    supplies: list[Supply]
    unseen: NotObserved | None
    elsewhere: str = ""


def known(cluster: Cluster) -> Known:
    """Return what there is of pod addresses, by the account of each CNI that the cluster has.

    If the CNI is one that uses the nodes' podCIDRs, only networks beside the pod network are asked for.
    """
    try:
        cluster.scope.need_all("pods of all namespaces use a node's addresses")
        accounts = _accounts(cluster)
    except NotObserved as error:
        return Known([], error)
    found: list[Supply] = []
    unseen, elsewhere = None, False
    for account in accounts:
        seen = _read(account.read, cluster)
        found, unseen = found + seen.supplies, unseen or seen.unseen
        elsewhere = elsewhere or (account.instead and bool(seen.supplies))
    if elsewhere:
        return Known(found, unseen)
    rest = _read(pod_cidrs.read, cluster)
    return Known(found + rest.supplies, unseen or rest.unseen, rest.elsewhere)


def lines_by_node(cluster: Cluster) -> Mapping[str, Sequence[str]]:
    """Return the lines of what each node has, with the leaked addresses of IPPools."""
    lines: dict[str, list[str]] = defaultdict(list)
    for supply in cluster.derive(known).supplies:
        for node in supply.nodes if (own := with_leaks(supply, cluster).lines) else ():
            lines[node] += own
    return lines


def _accounts(cluster: Cluster) -> list[Account]:
    """Return the accounts that may have a part. If it is not known which API groups there are, DaemonSets tell."""
    cnis = recognised(cluster)
    uses_pod_cidrs = any(cni.uses_pod_cidrs for cni in cnis)
    accounts = [account for account in ACCOUNTS if not (uses_pod_cidrs and account.instead)]
    try:
        cluster.derive(served_groups)
    except NotObserved:
        running = {cni.name for cni in cnis} | {daemon_set.metadata.name for daemon_set in cluster.daemon_sets}
        return [account for account in accounts if account.cni in running]
    return accounts


def _read(read: Callable[[Cluster], Iterable[Supply]], cluster: Cluster) -> Known:
    def supplies() -> Iterator[Supply]:
        yield from read(cluster)

    try:
        seen = observed(supplies())
    except NotApplicable as error:
        return Known([], None, str(error))
    return Known(seen.items, seen.unseen)
