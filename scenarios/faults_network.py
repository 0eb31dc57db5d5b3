"""Faults of the network: kube-proxy, DNS, connection tracking, CNI; each is undone when it is left."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scenarios.faults import CONFIG, manifest_removed, process_frozen
from scenarios.objects import Object
from scenarios.undoing import Action, doing, nothing, on_node, together

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

SYSTEM = "kube-system"
NOWHERE = "172.31.255.1"
"""An unused address outside the nodes' network: packets to it are lost."""


def dropped(node: str, chain: str, match: str, table: str = "filter") -> "Fault":
    """Drop the packets that an iptables rule matches, before all other rules of its chain."""
    insert, delete = (f"iptables -w -t {table} -{verb} {chain} {match} -j DROP" for verb in "ID")
    return on_node(node, insert, f"{delete} || true")


def config_map(name: str, key: str, old: str, new: str) -> "Fault":
    """Change a text in a ConfigMap of kube-system."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        before: Object = json.loads(cluster.kubectl(f"-n {SYSTEM} get configmap {name} -o json"))
        text = before["data"][key]
        if old not in text:
            raise RuntimeError(f"ConfigMap {name} does not contain {old!r}")
        with patched("configmap", name, {"data": {key: text.replace(old, new)}}, {"data": {key: text}})(cluster):
            yield

    return fault


def patched(kind: str, name: str, change: Object, back: Object) -> "Fault":
    """Patch an object of kube-system."""
    return doing(*(lambda cluster, p=patch: _patch(kind, name, p, cluster) for patch in (change, back)))


def _patch(kind: str, name: str, change: Object, cluster: "LiveCluster") -> None:
    cluster.kubectl(["-n", SYSTEM, "patch", kind, name, "-p", json.dumps(change)])


# --- daemons ---


def pod_deleted(app: str, node: str) -> Action:
    """Return an action that deletes the pod of a DaemonSet on a node."""
    label = "k8s-app" if app == "kube-proxy" else "app"

    def act(cluster: "LiveCluster") -> None:
        on = f"--field-selector=spec.nodeName={cluster.name}-{node}"
        cluster.kubectl(f"-n {SYSTEM} delete pod -l {label}={app} {on} --force --grace-period=0")

    return act


def daemon_missing(app: str, node: str) -> "Fault":
    """Delete a DaemonSet's pod on a node while no controller recreates it or updates the DaemonSet's status."""

    def until_gone(cluster: "LiveCluster") -> None:
        controllers = f"pod/kube-controller-manager-{cluster.name}-control-plane"
        cluster.kubectl(f"-n {SYSTEM} wait --for=delete {controllers} --timeout=600s")

    return together(
        manifest_removed("kube-controller-manager"), doing(until_gone, nothing), doing(pod_deleted(app, node), nothing)
    )


def daemon_crashing(app: str, container: str, node: str) -> "Fault":
    """Let the pod of a DaemonSet on one node crash at once; its other pods stay as they are."""
    by_hand = {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}
    rolling = {"updateStrategy": {"type": "RollingUpdate"}}
    crash = {"template": {"spec": {"containers": [{"name": container, "command": ["sh", "-c", "exit 3"]}]}}}
    delete = pod_deleted(app, node)
    return together(
        patched("daemonset", app, {"spec": by_hand}, {"spec": rolling}),
        doing(nothing, delete),
        doing(
            lambda cluster: _patch("daemonset", app, {"spec": crash}, cluster),
            lambda cluster: cluster.kubectl(f"-n {SYSTEM} rollout undo daemonset {app}"),
        ),
        doing(delete, nothing),
    )


def daemon_excluded(app: str, node: str) -> "Fault":
    """Give a DaemonSet a node affinity that excludes one node, and wait until its pod there is gone."""

    def exclude(cluster: "LiveCluster") -> None:
        other = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [f"{cluster.name}-{node}"]}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [other]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        _patch("daemonset", app, {"spec": {"template": {"spec": {"affinity": affinity}}}}, cluster)
        cluster.kubectl(f"-n {SYSTEM} rollout status daemonset {app} --timeout=600s")

    def include(cluster: "LiveCluster") -> None:
        cluster.kubectl(f"-n {SYSTEM} rollout undo daemonset {app}")
        cluster.kubectl(f"-n {SYSTEM} rollout status daemonset {app} --timeout=600s")

    return doing(exclude, include)


def kube_proxy_config(node: str, key: str, old: str, new: str) -> "Fault":
    """Change the ConfigMap of kube-proxy, and restart kube-proxy on one node."""
    restart = pod_deleted("kube-proxy", node)
    return together(doing(nothing, restart), config_map("kube-proxy", key, old, new), doing(restart, nothing))


# --- Service rules ---


def chain_emptied(node: str, service: str) -> "Fault":
    """Empty the chain of a Service's port (``NAMESPACE/NAME:PORT``): kube-proxy only rewrites what has changed."""
    chain = f"$(iptables-save -t nat | grep '\"{service} cluster IP\"' | grep -o 'KUBE-SVC-[A-Z0-9]*' | head -n 1)"
    flush = on_node(node, f"iptables -w -t nat -F {chain}")
    return together(doing(nothing, pod_deleted("kube-proxy", node)), flush)


def rules_flushed(node: str) -> "Fault":
    """Flush all Service rules while kube-proxy is stopped and cannot restore them."""
    flush = on_node(node, "iptables -w -t nat -F KUBE-SERVICES")
    return together(doing(nothing, pod_deleted("kube-proxy", node)), process_frozen(node, "kube-proxy"), flush)


def node_ports_shut(node: str) -> "Fault":
    """Drop packets to the NodePorts of a node, from other nodes and from itself, before they are forwarded."""
    match = "-p tcp --dport 30000:32767 -m addrtype --dst-type LOCAL"
    return together(*(dropped(node, chain, match, "mangle") for chain in ("PREROUTING", "OUTPUT")))


# --- DNS ---


def dns_scaled(replicas: int) -> Action:
    """Return an action that scales the DNS Deployment."""
    return lambda cluster: cluster.kubectl(f"-n {SYSTEM} scale deployment coredns --replicas={replicas}")


dns_scaled_down = doing(dns_scaled(0), dns_scaled(2))

dns_selector_wrong = patched(
    "service",
    "kube-dns",
    {"spec": {"selector": {"k8s-app": "kube-dnss"}}},
    {"spec": {"selector": {"k8s-app": "kube-dns"}}},
)


def corefile(old: str, new: str) -> "Fault":
    """Change the Corefile and restart all DNS pods; undo both, so that their counters are at zero again."""
    return together(
        doing(nothing, _restart_dns), config_map("coredns", "Corefile", old, new), doing(_restart_dns, nothing)
    )


def _restart_dns(cluster: "LiveCluster") -> None:
    cluster.kubectl(f"-n {SYSTEM} delete pod -l k8s-app=kube-dns --force --grace-period=0")


@contextmanager
def dns_pod_cut_off(cluster: "LiveCluster") -> Iterator[None]:
    """Drop packets to one DNS pod on its node; the kubelet still reaches it."""
    pods = json.loads(cluster.kubectl(f"-n {SYSTEM} get pods -l k8s-app=kube-dns -o json"))["items"]
    node = pods[0]["spec"]["nodeName"].removeprefix(f"{cluster.name}-")
    with dropped(node, "FORWARD", f"-d {pods[0]['status']['podIP']}")(cluster):
        yield


def cluster_dns_of_kubelet(node: str, address: str) -> "Fault":
    """Let a kubelet configure another name server for its pods."""
    change = f"cp {CONFIG} /root/ && sed -i '/^clusterDNS:/{{n;s/.*/- {address}/}}' {CONFIG}"
    restart = "systemctl restart kubelet"
    return on_node(node, f"{change} && {restart} && sleep 5", f"cp /root/config.yaml {CONFIG} && {restart}")


def resolv_conf_emptied(node: str) -> "Fault":
    """Empty a node's resolv.conf in place, since it is a bind mount."""
    empty = "cp /etc/resolv.conf /root/ && : > /etc/resolv.conf"
    return on_node(node, empty, "cat /root/resolv.conf > /etc/resolv.conf")


# --- connection tracking ---


def conntrack_filled(node: str, percent: int) -> "Fault":
    """Fill the table with unanswered entries, which the kernel evicts when it needs space."""
    entry = 'echo "-A -p udp -s 10.9.$a.$b -d 10.8.0.$c --sport 5000 --dport 53 -t 3600"'
    entries = f"for c in 1 2 3 4 5; do for a in {{0..255}}; do for b in {{0..255}}; do {entry}; done; done; done"
    count = f"$(($(sysctl -n net.netfilter.nf_conntrack_max) * {percent} / 100))"
    return on_node(
        node, f"{entries} 2>/dev/null | head -n {count} | conntrack -R - >/dev/null 2>&1 || true", "conntrack -F"
    )


def idle_connections_forgotten(node: str) -> "Fault":
    """Have a node forget idle connections after 12 seconds, and not pick them up again."""
    names = ("tcp_timeout_established", "tcp_loose")
    first, second = (f"net.netfilter.nf_conntrack_{name}" for name in names)
    return on_node(node, f"sysctl -w {first}=12 {second}=0", f"sysctl -w {first}=86400 {second}=1")


# --- pod network ---


def kindnet_frozen(node: str) -> "Fault":
    """Freeze kindnet on a node, since it repairs routes and configuration every five seconds."""
    return process_frozen(node, "kindnetd")


def route_removed(node: str, target: str) -> "Fault":
    """Remove a node's route to the pods of another node."""
    return together(kindnet_frozen(node), on_node(node, f"ip route del {{cidr:{target}}}"))


def default_route_removed(node: str) -> "Fault":
    """Remove a node's default route; the other nodes are in its own subnet."""
    saved = "/root/default-route"
    return on_node(node, f"ip route show default >{saved} && ip route del default", f"ip route add $(cat {saved})")


def cni_config_gone(node: str) -> "Fault":
    """Remove the CNI configuration of a node."""
    folder = "/etc/cni/net.d"
    away = f"mkdir -p /root/cni && mv {folder}/* /root/cni/"
    return together(kindnet_frozen(node), on_node(node, away, f"mv /root/cni/* {folder}/"))


def pods_cut_off(node: str) -> "Fault":
    """Drop all packets that a node forwards to and from its pods."""
    return together(*(dropped(node, "FORWARD", f"{end} {{cidr:{node}}}") for end in ("-s", "-d")))


def one_way(source: str, target: str) -> "Fault":
    """Drop connections from a node's pods to the pods of another node, but not replies in the other direction."""
    return dropped(target, "FORWARD", f"-s {{cidr:{source}}} -d {{cidr:{target}}} -m conntrack --ctstate NEW")


def large_packets_lost(node: str) -> "Fault":
    """Drop full-size packets that a node forwards, without an ICMP message to the sender."""
    return dropped(node, "FORWARD", "-m length --length 1400:65535")
