"""Pods whose specification keeps them from the cluster's DNS: the names of Services do not exist for them."""

from collections.abc import Callable

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.causes import AppCause, cause_of_exit
from tests.built import BuiltPod
from tests.dns import dns_cluster, dns_service
from tests.networks import DNS_IP
from tests.test_app_causes import service

CLUSTERS = "check the cluster's DNS (see cluster-dns), and network policies that forbid port 53"


def cause(change: Callable[[pb.PodSpec], None]) -> AppCause:
    built = BuiltPod()
    change(built.pod.spec)
    line = "dial tcp: lookup db on 8.8.8.8:53: no such host"
    found = cause_of_exit([line], built.pod, "app", dns_cluster(services=[dns_service(), service("db")]))
    assert found
    assert found.means.startswith('"db" cannot be resolved, although Service db exists')
    return found


def elsewhere(spec: pb.PodSpec) -> None:
    spec.dnsPolicy = "None"
    spec.dnsConfig.nameservers.append("8.8.8.8")


def of_the_node(spec: pb.PodSpec) -> None:
    spec.dnsPolicy = "Default"


def in_the_host_network(spec: pb.PodSpec) -> None:
    spec.hostNetwork, spec.dnsPolicy = True, "ClusterFirst"


@pytest.mark.parametrize(
    ("change", "why", "remedy"),
    [
        (elsewhere, ": its dnsPolicy is None, and 8.8.8.8 is not the cluster's DNS", "leave dnsPolicy and dnsConfig"),
        (of_the_node, ": with dnsPolicy Default it queries the node's name servers", "leave dnsPolicy out"),
        (in_the_host_network, ": in the host network, dnsPolicy ClusterFirst means", "set dnsPolicy of the pod"),
    ],
)
def test_a_pod_that_queries_other_name_servers(change: Callable[[pb.PodSpec], None], why: str, remedy: str) -> None:
    found = cause(change)
    assert why in found.means
    assert found.remedy.startswith(remedy)


def ordinary(spec: pb.PodSpec) -> None:
    spec.dnsPolicy = "ClusterFirst"


def with_host_net(spec: pb.PodSpec) -> None:
    spec.hostNetwork, spec.dnsPolicy = True, "ClusterFirstWithHostNet"


def also_the_clusters(spec: pb.PodSpec) -> None:
    elsewhere(spec)
    spec.dnsConfig.nameservers.append(DNS_IP)


def of_its_node(spec: pb.PodSpec) -> None:
    spec.dnsPolicy = "None"
    spec.dnsConfig.nameservers.append("169.254.20.10")


@pytest.mark.parametrize("change", [ordinary, with_host_net, also_the_clusters, of_its_node])
def test_a_pod_that_queries_the_clusters_dns(change: Callable[[pb.PodSpec], None]) -> None:
    found = cause(change)
    assert found.means.endswith("although Service db exists")
    assert found.remedy == CLUSTERS
