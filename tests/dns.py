"""The DNS of a built cluster: its Service, two pods behind it, and lookups at the Service."""

from collections.abc import Sequence

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.report import Through
from kubevitals.source.request import Answer
from tests.fakes import Answers, cluster_of
from tests.networks import DNS_IP, lookup, node, pod

NODES = [node("one"), node("two"), node("three")]
MARK = {"k8s-app": "kube-dns"}
A, B = pod("dns-a", "one", labels=MARK), pod("dns-b", "two", labels=MARK)
DOWN = [pod(p.metadata.name, p.spec.nodeName, "False", 300, labels=MARK) for p in (A, B)]


def dns_service(name: str = "kube-dns", namespace: str = "kube-system", **selector: str) -> pb.Service:
    return pb.Service(
        metadata=pb.ObjectMeta(name=name, namespace=namespace, labels=MARK),
        spec=pb.ServiceSpec(
            clusterIP=DNS_IP, clusterIPs=[DNS_IP], selector=selector or MARK, ports=[pb.ServicePort(port=53)]
        ),
    )


def slice_of(*ready: bool | None) -> pb.EndpointSlice:
    endpoints = [pb.Endpoint(addresses=["10.0.0.9"], conditions=pb.EndpointConditions(ready=r)) for r in ready]
    labels = {"kubernetes.io/service-name": "kube-dns"}
    return pb.EndpointSlice(metadata=pb.ObjectMeta(namespace="kube-system", labels=labels), endpoints=endpoints)


METRICS = "/api/v1/namespaces/kube-system/pods/{}:9153/proxy/metrics"
QUIET = Answer(200, b"coredns_panics_total 0\n")


def dns_cluster(answers: Answers | None = None, /, **lists: Sequence[Message]) -> Cluster:
    healthy: dict[str, Sequence[Message]] = {
        "nodes": NODES,
        "services": [dns_service()],
        "endpoint_slices": [slice_of(True)],
        "pods": [A, B],
    }
    quiet = {METRICS.format(name): QUIET for name in ("dns-a", "dns-b")}
    return cluster_of({**quiet, **(answers or {})}, **(healthy | lists))


CLUSTER = dns_cluster()
SERVED, UNSERVED = lookup(Through.SERVICE), lookup(Through.SERVICE, 0)
