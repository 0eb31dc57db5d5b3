"""kube-proxy is missing, crashes, is cut off or hangs; its rules are gone; and look-alikes."""

from scenarios.faults import process_frozen
from scenarios.faults_network import (
    NOWHERE,
    chain_emptied,
    daemon_missing,
    kube_proxy_config,
    node_ports_shut,
    rules_flushed,
)
from scenarios.harness import Seen, scenario

NOT_RUNNING = "kube-proxy[not-running] Node/worker2"
UNHEALTHY = "kube-proxy[unhealthy] Node/worker2"
RULES_WRONG = "kube-proxy[rules-wrong] Node/worker2"


@scenario(on_demand=True, fault=daemon_missing("kube-proxy", "worker2"), finds=[NOT_RUNNING])
def test_kube_proxy_missing(seen: Seen) -> None:
    """Its DaemonSet counts three of three, because kube-controller-manager is down."""
    daemon_set = next(ds for ds in seen.cluster.daemon_sets if ds.metadata.name == "kube-proxy")
    assert daemon_set.status.desiredNumberScheduled == 3
    assert seen.says("has no kube-proxy pod although its DaemonSet should run one there")


@scenario(
    on_demand=True,
    fault=kube_proxy_config("worker2", "config.conf", "mode: iptables", "mode: nosuch"),
    finds=[NOT_RUNNING, "startup-error[app-exit] Pod/kube-proxy-*"],
)
def test_kube_proxy_crashing(seen: Seen) -> None:
    """Its configuration has an error: the pod is one finding, the node without kube-proxy another."""
    assert seen.says("has a kube-proxy pod that is not ready")


@scenario(
    on_demand=True,
    fault=kube_proxy_config("worker2", "kubeconfig.conf", "server: https://", f"server: https://{NOWHERE}:1/"),
    finds=[UNHEALTHY],
)
def test_kube_proxy_without_api_server(seen: Seen) -> None:
    """The pod runs and is ready, because it has no readiness probe; its health port does not listen yet."""
    assert seen.says("nothing listens on port 10256")
    assert seen.says("kubectl -n kube-system logs pod/kube-proxy-")


@scenario(on_demand=True, fault=process_frozen("worker2", "kube-proxy"), probe=True, finds=[UNHEALTHY, RULES_WRONG])
def test_kube_proxy_frozen(seen: Seen) -> None:
    """Old rules stay in place; a new Service, such as the probe's, has no rules on that node."""
    assert seen.says("Services do not")


@scenario(
    fault=rules_flushed("worker2"),
    probe=True,
    finds=[UNHEALTHY, RULES_WRONG, "cluster-dns[service-unreachable] Node/worker2"],
)
def test_service_rules_flushed(seen: Seen) -> None:
    """No Service answers. That DNS does not answer either is listed as a symptom."""
    assert seen.says("from the host network: Service 10.96.0.1:443")
    assert seen.says("although they reach the DNS pods")


@scenario(on_demand=True, fault=chain_emptied("worker2", "default/kubernetes:https"), probe=True, finds=[RULES_WRONG])
def test_rules_of_one_service_gone(seen: Seen) -> None:
    """kube-proxy is healthy but repairs nothing: it writes a Service's chain only when the Service changes."""
    assert seen.says("its endpoint")


@scenario(on_demand=True, fault=node_ports_shut("worker2"), probe=True, finds=["kube-proxy[node-port] Node/worker2"])
def test_node_ports_shut(seen: Seen) -> None:
    """A firewall on the node blocks its NodePorts; Services answer by ClusterIP."""
    assert seen.says("-worker2 → ")
    assert seen.says("-worker → ")
