"""Faults of the cluster's network: kube-proxy, DNS, connection tracking, CNI; each undone when it is left."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from scenarios.faults import CONFIG, manifest_removed, process_frozen
from scenarios.objects import Object

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

SYSTEM = "kube-system"
NOWHERE = "172.31.255.1"
"""An address that nobody has, off the nodes' own network: what is sent there is lost."""


def together(*faults: "Fault") -> "Fault":
    """Make several faults, in this order, and undo them in the other."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        with ExitStack() as stack:
            for each in faults:
                stack.enter_context(each(cluster))
            yield

    return fault


def on_node(node: str, breaks: str, mends: str) -> "Fault":
    """Run a shell script on a node, and another one to undo it; ``{cidr:NODE}`` is a node's podCIDR."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, _fill(breaks, cluster))
        try:
            yield
        finally:
            cluster.on_node(node, _fill(mends, cluster))

    return fault


def rule(node: str, chain: str, match: str, table: str = "filter") -> "Fault":
    """Drop what an iptables rule matches, before all other rules of its chain."""
    command = f"iptables -w -t {table} -{{}} {chain} {match} -j DROP"
    return on_node(node, command.replace("{}", "I", 1), command.replace("{}", "D", 1))


def _fill(text: str, cluster: "LiveCluster") -> str:
    for role in ("control-plane", "worker2", "worker"):
        if f"{{cidr:{role}}}" in text:
            cidr = cluster.kubectl(f"get node {cluster.name}-{role} -o jsonpath={{.spec.podCIDR}}")
            text = text.replace(f"{{cidr:{role}}}", cidr)
    return text


# --- daemons ---


def daemon_missing(app: str, node: str) -> "Fault":
    """Take a DaemonSet's pod from a node while nobody makes another: the DaemonSet's own count stays as it was."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        with manifest_removed("kube-controller-manager")(cluster):
            cluster.kubectl(f"-n {SYSTEM} wait --for=delete pod/kube-controller-manager-{cluster.name}-control-plane")
            delete_pod(app, node, cluster)
            yield

    return fault


def daemon_crashing(app: str, node: str) -> "Fault":
    """Let a DaemonSet's pod on a node end at once; the others stay as they are."""
    crash = {"template": {"spec": {"containers": [{"name": f"{app}-cni", "command": ["sh", "-c", "exit 3"]}]}}}

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        whole = json.loads(cluster.kubectl(f"-n {SYSTEM} get daemonset {app} -o json"))
        _patch(
            "daemonset", app, {"spec": crash | {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}, cluster
        )
        delete_pod(app, node, cluster)
        try:
            yield
        finally:
            back = [{"op": "replace", "path": "/spec/template", "value": whole["spec"]["template"]}]
            cluster.kubectl(["-n", SYSTEM, "patch", "daemonset", app, "--type=json", "-p", json.dumps(back)])
            delete_pod(app, node, cluster)
            _patch("daemonset", app, {"spec": {"updateStrategy": whole["spec"]["updateStrategy"]}}, cluster)

    return fault


def kube_proxy_config(node: str, key: str, old: str, new: str) -> "Fault":
    """Change kube-proxy's ConfigMap, and let one node's kube-proxy start with it."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        with config_map("kube-proxy", key, lambda text: text.replace(old, new))(cluster):
            delete_pod("kube-proxy", node, cluster)
            yield
        delete_pod("kube-proxy", node, cluster)

    return fault


def delete_pod(app: str, node: str, cluster: "LiveCluster") -> None:
    """Delete a daemon's pod on a node."""
    label = "k8s-app" if app == "kube-proxy" else "app"
    on = f"--field-selector=spec.nodeName={cluster.name}-{node}"
    cluster.kubectl(f"-n {SYSTEM} delete pod -l {label}={app} {on} --force --grace-period=0")


def config_map(name: str, key: str, change: Callable[[str], str]) -> "Fault":
    """Change a text in a ConfigMap of kube-system."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        found: Object = json.loads(cluster.kubectl(f"-n {SYSTEM} get configmap {name} -o json"))
        text = found["data"][key]
        changed = change(text)
        if changed == text:
            raise RuntimeError(f"ConfigMap {name} has no such text")
        _patch("configmap", name, {"data": {key: changed}}, cluster)
        try:
            yield
        finally:
            _patch("configmap", name, {"data": {key: text}}, cluster)

    return fault


def _patch(kind: str, name: str, change: Object, cluster: "LiveCluster") -> None:
    cluster.kubectl(["-n", SYSTEM, "patch", kind, name, "-p", json.dumps(change)])


# --- Service rules ---


def chain_emptied(node: str, service: str) -> "Fault":
    """Empty the chain of one Service's port (``NAMESPACE/NAME:PORT``): kube-proxy leaves alone what has not changed."""
    chain = f"$(iptables-save -t nat | grep '\"{service} cluster IP\"' | grep -o 'KUBE-SVC-[A-Z0-9]*' | head -n 1)"

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, f"iptables -w -t nat -F {chain}")
        try:
            yield
        finally:
            delete_pod("kube-proxy", node, cluster)

    return fault


def rules_flushed(node: str) -> "Fault":
    """Flush all Service rules while kube-proxy stands still and cannot write them again."""
    flush = on_node(node, "iptables -w -t nat -F KUBE-SERVICES", "true")
    return together(_restarting(node), process_frozen(node, "kube-proxy"), flush)


def _restarting(node: str) -> "Fault":
    """Have kube-proxy write all rules anew in the end."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        try:
            yield
        finally:
            delete_pod("kube-proxy", node, cluster)

    return fault


def node_ports_shut(node: str) -> "Fault":
    """Drop what comes to a node's own NodePorts, from elsewhere and from itself, before it is forwarded."""
    match = "-p tcp --dport 30000:32767 -m addrtype --dst-type LOCAL"
    return together(rule(node, "PREROUTING", match, "mangle"), rule(node, "OUTPUT", match, "mangle"))


# --- DNS ---


@contextmanager
def dns_scaled_down(cluster: "LiveCluster") -> Iterator[None]:
    """Scale the DNS Deployment to nothing."""
    cluster.kubectl(f"-n {SYSTEM} scale deployment coredns --replicas=0")
    cluster.kubectl(f"-n {SYSTEM} wait --for=delete pod -l k8s-app=kube-dns --timeout=60s")
    try:
        yield
    finally:
        cluster.kubectl(f"-n {SYSTEM} scale deployment coredns --replicas=2")


def corefile(old: str, new: str) -> "Fault":
    """Change the Corefile, and let all DNS pods start with it; in the end they start anew, their counters at zero."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        with config_map("coredns", "Corefile", lambda text: text.replace(old, new))(cluster):
            _restart_dns(cluster)
            yield
        _restart_dns(cluster)

    return fault


def _restart_dns(cluster: "LiveCluster") -> None:
    cluster.kubectl(f"-n {SYSTEM} delete pod -l k8s-app=kube-dns --force --grace-period=0")


@contextmanager
def dns_selector_wrong(cluster: "LiveCluster") -> Iterator[None]:
    """Misspell the label that the DNS Service selects its pods by."""
    _patch("service", "kube-dns", {"spec": {"selector": {"k8s-app": "kube-dnss"}}}, cluster)
    try:
        yield
    finally:
        _patch("service", "kube-dns", {"spec": {"selector": {"k8s-app": "kube-dns"}}}, cluster)


@contextmanager
def dns_pod_cut_off(cluster: "LiveCluster") -> Iterator[None]:
    """Drop what goes to one DNS pod, on its node; the kubelet still reaches it."""
    pods = json.loads(cluster.kubectl(f"-n {SYSTEM} get pods -l k8s-app=kube-dns -o json"))["items"]
    node = pods[0]["spec"]["nodeName"].removeprefix(f"{cluster.name}-")
    with rule(node, "FORWARD", f"-d {pods[0]['status']['podIP']}")(cluster):
        yield


def cluster_dns_of_kubelet(node: str, address: str) -> "Fault":
    """Let a kubelet give another name server to its pods."""
    change = f"cp {CONFIG} /root/; sed -i 's/^- 10\\..*\\.10$/- {address}/' {CONFIG}; systemctl restart kubelet"
    return on_node(node, f"{change}; sleep 5", f"cp /root/config.yaml {CONFIG}; systemctl restart kubelet")


def resolv_conf_emptied(node: str) -> "Fault":
    """Empty a node's resolv.conf, which is a bind mount: in place."""
    return on_node(
        node,
        "cp /etc/resolv.conf /root/ && : > /etc/resolv.conf",
        "cat /root/resolv.conf > /etc/resolv.conf",
    )


# --- connection tracking ---


def conntrack_filled(node: str, percent: int) -> "Fault":
    """Fill the table with entries that have not been answered: the kernel throws them out where it needs room."""
    entry = 'echo "-A -p udp -s 10.9.$a.$b -d 10.8.0.$c --sport 5000 --dport 53 -t 900"'
    entries = f"for c in 1 2 3 4 5; do for a in $(seq 0 255); do for b in $(seq 0 255); do {entry}; done; done; done"
    count = f"$(($(sysctl -n net.netfilter.nf_conntrack_max) * {percent} / 100))"
    return on_node(node, f"{{ {entries}; }} 2>/dev/null | head -n {count} | conntrack -R - >/dev/null", "conntrack -F")


# --- pod network ---


def kindnet_frozen(node: str) -> "Fault":
    """Freeze a node's kindnet, which would mend routes and configuration every five seconds."""
    return process_frozen(node, "kindnetd")


def route_removed(node: str, target: str) -> "Fault":
    """Take a node's route to another node's pods away."""
    return together(kindnet_frozen(node), on_node(node, f"ip route del {{cidr:{target}}}", "true"))


def cni_config_gone(node: str) -> "Fault":
    """Take a node's CNI configuration away."""
    folder = "/etc/cni/net.d"
    away = f"mkdir -p /root/cni && mv {folder}/* /root/cni/"
    return together(kindnet_frozen(node), on_node(node, away, f"mv /root/cni/* {folder}/"))


def pods_cut_off(node: str) -> "Fault":
    """Drop all that a node forwards to and from its pods."""
    own = f"{{cidr:{node}}}"
    return together(rule(node, "FORWARD", f"-s {own}"), rule(node, "FORWARD", f"-d {own}"))


def one_way(source: str, target: str) -> "Fault":
    """Drop connections that a node's pods open to another node's; their answers to that node's pass."""
    return rule(target, "FORWARD", f"-s {{cidr:{source}}} -d {{cidr:{target}}} -m conntrack --ctstate NEW")


def large_packets_lost(node: str) -> "Fault":
    """Drop packets of full size that a node forwards, without a word to who sends them."""
    return rule(node, "FORWARD", "-m length --length 1400:65535")
