"""The cluster's DNS: gone, ending itself, cut off, misdirected; and what only looks like it."""

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
ENDS_ITSELF = ["cluster-dns[failing] Deployment/coredns", NO_ENDPOINTS, "startup-error[app-exit] Pod/coredns-*"]
FORWARD = "forward . /etc/resolv.conf"


@scenario(on_demand=True, fault=dns_scaled_down, finds=[NO_ENDPOINTS])
def test_dns_scaled_to_nothing(seen: Seen) -> None:
    """Nobody is ill: there is nobody."""
    assert seen.says("its Deployment is scaled to 0 replicas")


@scenario(fault=dns_selector_wrong, finds=[NO_ENDPOINTS])
def test_dns_selector_misspelt(seen: Seen) -> None:
    """All DNS pods are well, and the Service does not find them."""
    assert seen.says("its selector k8s-app=kube-dnss matches no pod, though DNS pods run")


@scenario(on_demand=True, fault=corefile("forward .", "forwrd ."), finds=ENDS_ITSELF)
def test_corefile_broken(seen: Seen) -> None:
    """The pods are findings of their own; what they say of the Corefile is told once, of their Deployment."""
    assert seen.says("its Corefile has an error")
    assert seen.says("Unknown directive 'forwrd'")


@scenario(on_demand=True, fault=corefile(FORWARD, "forward . 127.0.0.1"), finds=ENDS_ITSELF)
def test_forward_loop(seen: Seen) -> None:
    """The DNS pods ask themselves, as they do where the node's resolv.conf names a loopback address."""
    assert seen.says("the forward loop is detected")


@scenario(
    on_demand=True,
    fault=corefile(FORWARD, f"forward . {NOWHERE}"),
    probe=True,
    finds=["cluster-dns[upstream] Service/kube-dns"],
)
def test_upstream_dead(seen: Seen) -> None:
    """Names of the cluster are resolved, the nodes' own name server lives, and nothing asks it."""
    assert seen.says("none from outside")
    assert seen.says("by the name server of")


@scenario(fault=dns_pod_cut_off, probe=True, finds=["cluster-dns[pod-unreachable] Pod/coredns-*"])
def test_dns_pod_cut_off(seen: Seen) -> None:
    """The kubelet still finds it ready, from its own node's network."""
    assert seen.says("answers lookups from no node")


@scenario(
    on_demand=True,
    fault=chain_emptied("worker2", "kube-system/kube-dns:dns"),
    probe=True,
    finds=["cluster-dns[service-unreachable] Node/worker2"],
)
def test_rules_of_the_dns_service_gone(seen: Seen) -> None:
    """Only this Service has lost its rules on the node."""
    assert seen.says("though DNS pods answer there")


@scenario(
    on_demand=True,
    fault=cluster_dns_of_kubelet("worker2", "10.96.0.99"),
    probe=True,
    finds=["cluster-dns[kubelet-mismatch] Node/worker2", "cluster-dns[resolv-conf-pod] Node/worker2"],
)
def test_kubelet_gives_another_name_server(seen: Seen) -> None:
    """The kubelet's configuration is the cause, what its pods are given the symptom."""
    assert seen.says("has a kubelet whose clusterDNS is 10.96.0.99")


@scenario(
    on_demand=True,
    fault=cluster_dns_of_kubelet("worker2", "169.254.20.10"),
    probe=True,
    finds=["cluster-dns[resolv-conf-pod] Node/worker2"],
)
def test_node_local_dns_dead(seen: Seen) -> None:
    """The address is right where NodeLocal DNS runs; here nothing answers at it."""
    assert seen.says("name server 169.254.20.10 does not answer, the DNS Service does")


@scenario(
    on_demand=True,
    fault=resolv_conf_emptied("worker2"),
    probe=True,
    finds=["cluster-dns[resolv-conf-node] Node/worker2"],
)
def test_resolv_conf_of_a_node_empty(seen: Seen) -> None:
    """DNS pods that start there would have nobody to forward to."""
    assert seen.says("it names no name server")


@scenario(
    pod("by-itself", dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"]}),
    pod("by-its-node", dnsPolicy="Default"),
    pod("in-host-network", hostNetwork=True, dnsPolicy="ClusterFirst"),
    then=["wait --for=condition=Ready pod --all --timeout=60s"],
)
def test_pods_that_resolve_otherwise(seen: Seen) -> None:
    """Somebody wants it so, or Kubernetes does it so: in the host network ClusterFirst falls back to the node's."""
    assert seen.get("Pod/by-itself").spec.dnsPolicy == "None"
    assert seen.get("Pod/in-host-network").spec.dnsPolicy == "ClusterFirst"
