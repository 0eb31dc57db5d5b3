"""The cluster's DNS: gone, crash-looping, cut off, misdirected; and states that only look like it."""

from scenarios.faults_network import (
    NOWHERE,
    chain_emptied,
    cluster_dns_of_kubelet,
    corefile,
    dns_pod_cut_off,
    dns_scaled_down,
    dns_selector_wrong,
    resolv_conf_emptied,
)
from scenarios.harness import Seen, scenario
from scenarios.objects import pod

NO_ENDPOINTS = "cluster-dns[no-endpoints] Service/kube-dns"
CRASHES = ["cluster-dns[failing] Deployment/coredns", NO_ENDPOINTS, "startup-error[app-exit] Pod/coredns-*"]
FORWARD = "forward . /etc/resolv.conf"


@scenario(on_demand=True, fault=dns_scaled_down, finds=[NO_ENDPOINTS])
def test_dns_scaled_to_nothing(seen: Seen) -> None:
    """No pod is broken, because there is none."""
    assert seen.says("its Deployment is scaled to 0 replicas")


@scenario(fault=dns_selector_wrong, finds=[NO_ENDPOINTS])
def test_dns_selector_misspelt(seen: Seen) -> None:
    """All DNS pods are ready, and the Service does not select them."""
    assert seen.says("its selector k8s-app=kube-dnss matches no pod, although DNS pods are running")


@scenario(on_demand=True, fault=corefile("forward .", "forwrd ."), finds=CRASHES)
def test_corefile_broken(seen: Seen) -> None:
    """The pods have their own findings; what their logs say about the Corefile is reported once, on the Deployment."""
    assert seen.says("its Corefile has an error")
    assert seen.says("Unknown directive 'forwrd'")


@scenario(on_demand=True, fault=corefile(FORWARD, "forward . 127.0.0.1"), finds=CRASHES)
def test_forward_loop(seen: Seen) -> None:
    """The DNS pods forward to themselves, as they do if the node's resolv.conf lists a loopback address."""
    assert seen.says("its Corefile forwards queries to itself")


@scenario(
    on_demand=True,
    fault=corefile(FORWARD, f"forward . {NOWHERE}"),
    probe=True,
    finds=["cluster-dns[upstream] Service/kube-dns"],
)
def test_upstream_dead(seen: Seen) -> None:
    """Cluster names are resolved; the nodes' own name server answers, but CoreDNS does not forward to it."""
    assert seen.says("but no outside names")
    assert seen.says("by the name server of")


@scenario(fault=dns_pod_cut_off, probe=True, finds=["cluster-dns[pod-unreachable] Pod/coredns-*"])
def test_dns_pod_cut_off(seen: Seen) -> None:
    """The kubelet still sees it as ready, from its own node's network."""
    assert seen.says("is ready, but answers no queries")


@scenario(
    on_demand=True,
    fault=chain_emptied("worker2", "kube-system/kube-dns:dns"),
    probe=True,
    finds=["cluster-dns[service-unreachable] Node/worker2"],
)
def test_rules_of_the_dns_service_gone(seen: Seen) -> None:
    """Only the rules of this Service are missing on the node."""
    assert seen.says("although they reach the DNS pods")


@scenario(
    on_demand=True,
    fault=cluster_dns_of_kubelet("worker2", "10.96.0.99"),
    probe=True,
    finds=["cluster-dns[kubelet-mismatch] Node/worker2", "cluster-dns[resolv-conf-pod] Node/worker2"],
)
def test_kubelet_gives_another_name_server(seen: Seen) -> None:
    """The kubelet's configuration is the cause, the resolv.conf of its pods the symptom."""
    assert seen.says("its kubelet has clusterDNS 10.96.0.99")


@scenario(
    on_demand=True,
    fault=cluster_dns_of_kubelet("worker2", "169.254.20.10"),
    probe=True,
    finds=["cluster-dns[resolv-conf-pod] Node/worker2"],
)
def test_node_local_dns_dead(seen: Seen) -> None:
    """The address is right where NodeLocal DNS runs; here nothing listens on it."""
    assert seen.says("name server 169.254.20.10 does not answer")


@scenario(
    on_demand=True,
    fault=resolv_conf_emptied("worker2"),
    probe=True,
    finds=["cluster-dns[resolv-conf-node] Node/worker2"],
)
def test_resolv_conf_of_a_node_empty(seen: Seen) -> None:
    """DNS pods that start there have no server to forward to."""
    assert seen.says("no nameserver line")


@scenario(
    pod("by-itself", dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"]}),
    pod("by-its-node", dnsPolicy="Default"),
    pod("in-host-network", hostNetwork=True, dnsPolicy="ClusterFirst"),
    then=["wait --for=condition=Ready pod --all --timeout=60s"],
)
def test_pods_that_resolve_otherwise(seen: Seen) -> None:
    """A user chose it, or Kubernetes does it: in the host network, ClusterFirst uses the node's."""
    assert seen.get("Pod/by-itself").spec.dnsPolicy == "None"
    assert seen.get("Pod/in-host-network").spec.dnsPolicy == "ClusterFirst"
