"""Which pods may not query DNS, by the NetworkPolicies that select them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns import service as dns
from kubevitals.facts.nodes.placement import selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished
from kubevitals.text import clean

PORT = 53

SHOWN = 3
"""Name servers that a remedy lists."""

NODE_LOCAL = "169.254.20.10"
"""The usual address of NodeLocal DNS (KEP-1024)."""

_NODE_LOCAL_DNS = re.compile(r"node-?local-?dns")
"""In the names of its DaemonSets (kubernetes/kubernetes cluster/addons/dns/nodelocaldns, kubespray, Gardener)."""

_LOCAL_DNS = ("kubernetes.azure.com/localdns-state", "enabled")
"""The label of nodes of AKS with a DNS server of their own (learn.microsoft.com/azure/aks: LocalDNS)."""

_LINK_LOCAL = IPv4Network("169.254.0.0/16")


class Silenced(NamedTuple):
    """Pods that may not query DNS.

    Attributes:
        policies: all policies that select them for egress.
        tcp_only: whether these allow DNS over TCP.
        where: where DNS is.
    """

    policies: tuple[pb.NetworkPolicy, ...]
    pods: list[pb.Pod]
    tcp_only: bool
    where: "Destination"

    @property
    def isolated(self) -> bool:
        """Whether the policies allow the pods no connection at all: such pods need no names."""
        return not any(policy.spec.egress for policy in self.policies)


class Destination(NamedTuple):
    """Where DNS is.

    Attributes:
        says: which pods these are, by a label and a namespace, or which name servers.
        ports: those on which its pods listen: a policy is applied to the traffic that has passed the Service.
        names: the names of these ports.
    """

    says: str
    pods: list[pb.Pod]
    namespaces: Mapping[str, Mapping[str, str]]
    addresses: list[IPv4Address | IPv6Address]
    ports: frozenset[int]
    names: frozenset[str]


def silenced(cluster: Cluster) -> list[Silenced]:
    """Return the pods that may not query DNS, by the policies that select them. Policies of one namespace add up.

    Pods in the host network are never selected; pods that use other name servers than the cluster's are left out.

    Raises:
        NotObserved: policies, pods, or the cluster's DNS are not observed.
    """
    by_namespace: dict[str, list[pb.NetworkPolicy]] = defaultdict(list)
    for policy in cluster.network_policies:
        if "Egress" in policy.spec.policyTypes:
            by_namespace[policy.metadata.namespace].append(policy)
    groups = _selected(by_namespace, cluster) if by_namespace else {}
    if not groups:
        return []
    where = _destination(cluster)
    udp = {id(policy): _allows(policy, "UDP", where) for policies in by_namespace.values() for policy in policies}
    found = []
    for policies, pods in groups.values():
        if not any(udp[id(policy)] for policy in policies):
            tcp_only = any(_allows(policy, "TCP", where) for policy in policies)
            found.append(Silenced(policies, pods, tcp_only, where))
    return found


_Groups = dict[tuple[int, ...], tuple[tuple[pb.NetworkPolicy, ...], list[pb.Pod]]]


def _selected(by_namespace: Mapping[str, list[pb.NetworkPolicy]], cluster: Cluster) -> _Groups:
    """Return the pods that policies select, by the policies."""
    groups: _Groups = {}
    for alike in cluster.alike_pods:
        meta, spec = alike[0].metadata, alike[0].spec
        if meta.namespace not in by_namespace or spec.dnsPolicy in ("None", "Default") or spec.hostNetwork:
            continue
        policies = tuple(p for p in by_namespace[meta.namespace] if selects(p.spec.podSelector, meta.labels))
        if policies and (pods := [pod for pod in alike if not is_finished(pod)]):
            groups.setdefault(tuple(map(id, policies)), (policies, []))[1].extend(pods)
    return groups


def _destination(cluster: Cluster) -> Destination:
    """Return where DNS is; without a DNS Service only the name servers of pods."""
    addresses = {*dns.addresses(cluster), *cluster.derive(dns.name_servers)}
    node_local = _has_node_local(cluster)
    addresses |= {NODE_LOCAL} if node_local else set()
    try:
        service, pods = dns.service(cluster), dns.likely_pods(cluster)
    except NotApplicable:
        says = f"the name servers of pods ({', '.join(sorted(addresses)[:SHOWN])})"
        return Destination(says, [], {}, _parsed(addresses), frozenset([PORT]), frozenset())
    addresses |= {ip.ip for pod in pods for ip in pod.status.podIPs}
    listening = frozenset(_listening(cluster))
    ports = listening | {PORT} if node_local or not listening else listening
    declared = (port for pod in pods for container in pod.spec.containers for port in container.ports)
    names = frozenset(port.name for port in declared if port.name and port.containerPort in ports)
    labels = {namespace.metadata.name: dict(namespace.metadata.labels) for namespace in cluster.namespaces}
    label = ", ".join(f"{key}: {value}" for key, value in sorted(service.spec.selector.items()))
    says = f"the pods with the label {clean(label, 200)} in {clean(service.metadata.namespace, 63)}"
    return Destination(says, pods, labels, _parsed(addresses), ports, names)


def _listening(cluster: Cluster) -> Iterator[int]:
    """Yield the ports of DNS on the pods of the DNS Service."""
    for piece in dns.endpoint_slices(cluster):
        yield from (port.port for port in piece.ports if port.port and ("dns" in port.name or port.port == PORT))


def _has_node_local(cluster: Cluster) -> bool:
    """Return whether nodes have, or may have, a DNS server at a link-local address."""
    try:
        daemon_sets, nodes = cluster.daemon_sets, cluster.nodes
    except NotObserved:
        return True
    key, value = _LOCAL_DNS
    named = any(_NODE_LOCAL_DNS.search(ds.metadata.name) for ds in daemon_sets)
    return named or dns.is_elsewhere(cluster) or any(node.metadata.labels.get(key) == value for node in nodes)


def _parsed(addresses: Iterable[str]) -> list[IPv4Address | IPv6Address]:
    return [address for text in sorted(addresses) if (address := _address(text))]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _allows(policy: pb.NetworkPolicy, protocol: str, where: Destination) -> bool:
    """Return whether a policy allows its pods to query DNS, at any of its pods and addresses, over this protocol."""
    return any(
        (not rule.ports or any(_is_open(port, protocol, where) for port in rule.ports))
        and (not rule.to or any(_is_peer(peer, policy, where) for peer in rule.to))
        for rule in policy.spec.egress
    )


def _is_open(port: pb.NetworkPolicyPort, protocol: str, where: Destination) -> bool:
    """Return whether a port of a rule is one of DNS; without a protocol it is TCP, without a number any port."""
    if (port.protocol or "TCP") != protocol:
        return False
    if not port.HasField("port"):
        return True
    if port.port.type:
        return port.port.strVal in where.names
    last = max(port.endPort, port.port.intVal)
    return any(port.port.intVal <= number <= last for number in where.ports)


def _is_peer(peer: pb.NetworkPolicyPeer, policy: pb.NetworkPolicy, where: Destination) -> bool:
    if peer.HasField("ipBlock"):
        return _is_link_local(peer.ipBlock) or any(_contains(peer.ipBlock, address) for address in where.addresses)
    return any(_selects_pod(peer, policy, pod, where) for pod in where.pods)


def _selects_pod(peer: pb.NetworkPolicyPeer, policy: pb.NetworkPolicy, pod: pb.Pod, where: Destination) -> bool:
    namespace = pod.metadata.namespace
    if peer.HasField("namespaceSelector"):
        if not selects(peer.namespaceSelector, where.namespaces.get(namespace, {})):
            return False
    elif namespace != policy.metadata.namespace:
        return False
    return selects(peer.podSelector, pod.metadata.labels)


def _is_link_local(block: pb.IPBlock) -> bool:
    """Return whether a block is meant for NodeLocal DNS: it has hardly any other addresses."""
    network = _network(block.cidr)
    is_link_local = isinstance(network, IPv4Network) and network.subnet_of(_LINK_LOCAL)
    return is_link_local and _contains(block, IPv4Address(NODE_LOCAL))


def _contains(block: pb.IPBlock, address: IPv4Address | IPv6Address) -> bool:
    excepted = getattr(block, "except")
    return _is_in(address, block.cidr) and not any(_is_in(address, cidr) for cidr in excepted)


def _is_in(address: IPv4Address | IPv6Address, cidr: str) -> bool:
    network = _network(cidr)
    return network is not None and address.version == network.version and address in network


@lru_cache(1000)
def _network(cidr: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(cidr, strict=False)
    except ValueError:
        return None
