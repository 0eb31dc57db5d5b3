"""Calico's IPPools: how many addresses of their blocks are in use, and how many each node can still get.

Calico gives a node addresses of its own blocks first, then a new block, and then, unless strict affinity is set, it
borrows from the blocks of others. A node with as many blocks as it may have gets neither.
(projectcalico/calico libcalico-go/lib/ipam/ipam.go, autoAssign and findOrClaimBlock.)
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_network
from typing import NamedTuple

import msgspec

from kubevitals.errors import NotObserved
from kubevitals.facts.address_pools.annotated import NAMESPACES, PODS, Namespace, Pod
from kubevitals.facts.address_pools.calico_kinds import BLOCKS, CONFIGS, IPAMBlock, IPAMConfigSpec
from kubevitals.facts.address_pools.calico_selectors import Labels, Matches, parsed
from kubevitals.facts.address_pools.supply import NAMED, Supply, some
from kubevitals.facts.network.addresses import IPNetwork
from kubevitals.facts.network.ip_pools import IP_POOLS, IPPool, ip_pool_line
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import Ref
from kubevitals.text import clean

BLOCKS_PER_HOST = 20
"""How many blocks a node may have if IPAMConfig does not say (ipam.go, autoAssign)."""

PART = 500
"""Characters of the names of several pools that distinguish a finding from others of the same object."""

OWN_POOLS = ("cni.projectcalico.org/ipv4pools", "cni.projectcalico.org/ipv6pools")
"""Annotations of a namespace or a pod with the pools that its pods get addresses from, a JSON list of names or CIDRs
(projectcalico/calico cni-plugin/pkg/k8s/k8s.go)."""

ENLARGE = "enlarge the IPPool or add one; if far fewer pods run, release leaked addresses (calicoctl ipam check)"
STRICT = "enlarge the IPPool or add one, use a smaller blockSize, or turn off strictAffinity of IPAMConfig default"
BLOCK_LIMIT = "raise maxBlocksPerHost of IPAMConfig default, use larger blocks, or move pods to other nodes"


def read(cluster: Cluster) -> list[Supply]:
    """Return what Calico's IPAM has for pods; nothing if it assigns no addresses in this cluster.

    Raises:
        NotObserved: its objects cannot be listed, or a selector of a pool cannot be read.
    """
    pools = list_if_served(IP_POOLS, cluster)
    blocks = list_if_served(BLOCKS, cluster) if pools else ()
    if not blocks:
        return []
    config = next((c.spec for c in list_if_served(CONFIGS, cluster)), IPAMConfigSpec())
    nodes = {node.metadata.name: node.metadata.labels for node in cluster.derive(our_nodes)}
    return supplies_of(pools, blocks, config, nodes, cluster.objects(NAMESPACES), lambda: cluster.objects(PODS))


class Share(NamedTuple):
    """Some blocks: how many, how many addresses they have, and how many of these are in use."""

    blocks: int = 0
    size: int = 0
    used: int = 0

    def plus(self, other: "Share") -> "Share":
        """Return both together."""
        return Share(*map(sum, zip(self, other, strict=True)))


class Pool(NamedTuple):
    """A pool from which pods may get addresses, with its blocks by the node that has them; '' if none has."""

    of: IPPool
    network: IPNetwork
    by_node: Mapping[str, Share]

    @property
    def name(self) -> str:
        """Its name."""
        return self.of.metadata.name

    @property
    def title(self) -> str:
        """Its kind and its name."""
        return f"IPPool {self.name}"

    @property
    def claimed(self) -> Share:
        """All its blocks."""
        return together(self.by_node.values())

    @property
    def line(self) -> str:
        """How full it is and which nodes have its blocks, in one line."""
        fullest = sorted(self.by_node.items(), key=lambda item: -item[1].used)[:NAMED]
        nodes = "; ".join(f"{node or 'no node'} {share.used} of {share.size}" for node, share in fullest)
        used = f"{self.claimed.used} of {self.network.num_addresses} addresses in use"
        return clean(f"{ip_pool_line(self.of)}: {used}; in blocks of {nodes or 'no node'}")


def together(shares: Iterable[Share]) -> Share:
    """Return several shares as one."""
    total = Share()
    for share in shares:
        total = total.plus(share)
    return total


def supplies_of(
    ip_pools: Sequence[IPPool],
    blocks: Iterable[IPAMBlock],
    config: IPAMConfigSpec,
    nodes: Mapping[str, Labels],
    namespaces: Iterable[Namespace],
    pods: Callable[[], Iterable[Pod]],
) -> list[Supply]:
    """Return the pools that give addresses to pods of these nodes, apart for pods that use other pools.

    Pods are asked for only if a pool is in use that is for no node and no namespace.

    Raises:
        NotObserved: a selector of a pool cannot be read.
    """
    pools = _pools(ip_pools, blocks)
    consumers = _consumers(pools, nodes, namespaces)
    covered = frozenset().union(*consumers)
    if any(pool.name not in covered and pool.claimed.used for pool in pools):
        asked = {_own_pools(pod, pools) for pod in pods()} - {frozenset(), *consumers}
        for own in sorted(asked, key=sorted):
            consumers[own] = Consumers(set(nodes), "pods that ask for this pool")
    return [
        supply
        for names, who in consumers.items()
        for version in (4, 6)
        if (chosen := [pool for pool in pools if pool.name in names and pool.network.version == version])
        for supply in _supplies(chosen, who, config, len(nodes))
    ]


def _pools(ip_pools: Iterable[IPPool], blocks: Iterable[IPAMBlock]) -> list[Pool]:
    """Return the pools that are enabled for pods, in the order of their names, with their blocks."""
    found = []
    for pool in sorted(ip_pools, key=lambda pool: pool.metadata.name):
        if not pool.spec.disabled and "Workload" in (pool.spec.allowedUses or ("Workload",)):
            with suppress(ValueError):
                found.append(Pool(pool, ip_network(pool.spec.cidr, strict=False), defaultdict(Share)))
    by_network = {pool.network: pool.by_node for pool in found}
    lengths = {(pool.network.version, pool.network.prefixlen) for pool in found}
    for block in blocks:
        for network in _networks_around(block, lengths):
            if network in by_network:
                shares, (node, share) = by_network[network], _share(block)
                shares[node] = shares[node].plus(share)  # type: ignore[index]
    return found


def _networks_around(block: IPAMBlock, lengths: Collection[tuple[int, int]]) -> Iterator[IPNetwork]:
    with suppress(ValueError):
        network = ip_network(block.spec.cidr, strict=False)
        for version, length in lengths:
            if not block.spec.deleted and version == network.version and length <= network.prefixlen:
                yield network.supernet(new_prefix=length)


def _share(block: IPAMBlock) -> tuple[str, Share]:
    """Return the node that has a block, and its share. A block that does not say what is free counts as empty."""
    size = ip_network(block.spec.cidr, strict=False).num_addresses
    free = size if block.spec.unallocated is None else min(size, len(block.spec.unallocated))
    return (block.spec.affinity or "").removeprefix("host:"), Share(1, size, size - free)


class Consumers(NamedTuple):
    """Pods that get addresses from the same pools: those on some nodes, or only some of these."""

    nodes: set[str]
    who: str


def _consumers(
    pools: Sequence[Pool], nodes: Mapping[str, Labels], namespaces: Iterable[Namespace]
) -> dict[frozenset[str], Consumers]:
    """Return who gets addresses from which pools.

    Pods of a namespace with its own pools get theirs from these; all others from the pools that select their node and
    their namespace, and that are assigned automatically (pool_qualification.go).
    """
    automatic = [pool for pool in pools if pool.of.spec.assignmentMode in ("", "Automatic")]
    by_node = _selected({pool.name: pool.of.spec.nodeSelector for pool in automatic}, nodes)
    labels = {}
    found: dict[frozenset[str], Consumers] = {}
    owners = defaultdict(list)
    for namespace in namespaces:
        labels[namespace.metadata.name] = namespace.metadata.labels
        if own := _own_pools(namespace, pools):
            owners[own].append(namespace.metadata.name)
            del labels[namespace.metadata.name]
    by_namespace = _selected({pool.name: pool.of.spec.namespaceSelector for pool in automatic}, labels)
    for selected, on in by_node.items():
        for allowed, names in by_namespace.items():
            who = some(names, "namespace") if len(by_namespace) > 1 or owners else ""
            found.setdefault(selected & allowed, Consumers(set(), f"pods of {who}" if who else "")).nodes.update(on)
    for own, names in owners.items():
        found.setdefault(own, Consumers(set(nodes), f"pods of {some(names, 'namespace')}"))
    return found


def _selected(selectors: Mapping[str, str], labelled: Mapping[str, Labels]) -> dict[frozenset[str], list[str]]:
    """Return which objects each set of pools selects."""
    matching: dict[str, Matches] = {}
    for name, selector in selectors.items():
        try:
            matching[name] = parsed(selector)
        except ValueError as error:
            raise NotObserved(f"the selector {selector[:200]} of IPPool {name} cannot be read: {error}") from error
    found = defaultdict(list)
    for name, labels in labelled.items():
        found[frozenset(pool for pool, matches in matching.items() if matches(labels))].append(name)
    return found


def _own_pools(obj: Namespace | Pod, pools: Iterable[Pool]) -> frozenset[str]:
    """Return the pools that the annotations of a namespace or a pod name, by name or CIDR."""
    named: set[object] = set()
    for annotation in OWN_POOLS:
        with suppress(msgspec.MsgspecError, RecursionError):
            named.update(msgspec.json.decode(obj.metadata.annotations.get(annotation, "[]"), type=list[str]))
    return frozenset(pool.name for pool in pools if {pool.name, pool.of.spec.cidr} & named)


def _supplies(pools: Sequence[Pool], consumers: Consumers, config: IPAMConfigSpec, nodes: int) -> Iterator[Supply]:
    """Yield what the nodes share, and what each node has for itself that may not take from others or add blocks."""
    by_node: dict[str, Share] = defaultdict(Share)
    for pool in pools:
        for node, share in pool.by_node.items():
            by_node[node] = by_node[node].plus(share)
    base, sharing = _shared(pools, together(by_node.values()), consumers.who), set()
    unclaimed = base.size - sum(share.size for node, share in by_node.items() if node) - by_node[""].used
    most, names = config.maxBlocksPerHost or BLOCKS_PER_HOST, " and ".join(pool.title for pool in pools[:NAMED])
    for node in sorted(consumers.nodes):
        own = by_node.get(node, Share())
        of_node = base._replace(at=Ref("Node", "", node), used=own.used, nodes=frozenset({node}))
        if own.blocks >= most or not config.autoAllocateBlocks:
            of = f"the node's blocks of {names}, and it may have no more than {max(most, own.blocks)} blocks"
            yield of_node._replace(of=of, size=own.size, remedy=BLOCK_LIMIT)
        elif config.strictAffinity:
            of = f"the blocks of {names} that the node has or can get, with strict affinity"
            yield of_node._replace(of=of, size=own.size + unclaimed, remedy=STRICT)
        else:
            sharing.add(node)
    if sharing:
        on = "" if len(sharing) == nodes else some(sharing, "node")
        who = " on ".join(filter(None, (consumers.who or (on and "pods"), on)))
        yield base._replace(nodes=frozenset(sharing), who=who)


def _shared(pools: Sequence[Pool], claimed: Share, who: str) -> Supply:
    return Supply(
        Ref("IPPool", "", pools[0].name),
        ", ".join(str(pool.network) for pool in pools[:NAMED]),
        sum(pool.network.num_addresses for pool in pools),
        claimed.used,
        who=who,
        remedy=ENLARGE,
        lines=tuple(pool.line for pool in pools[:NAMED]),
        part=", ".join(pool.name for pool in pools)[:PART],
        ip_pools=tuple(pool.name for pool in pools[:NAMED]),
    )
