"""The cluster's DNS: its Service, the pods behind it, and what they tell of themselves."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.objects import DNS_ELSEWHERE, DNS_LABEL, DNS_NAMES, DNS_VALUE, is_dns, is_finished, is_ready, path
from kubevitals.source.request import Answer, PlainHttp, Request
from kubevitals.text import clean

PODS_ASKED = 20
"""DNS pods whose metrics are read: clusters have from two to some dozen."""


def service(cluster: Cluster) -> pb.Service:
    """Return the cluster's DNS Service.

    Raises:
        NotObserved: none is found where clusters have it.
    """
    named = {
        (s.metadata.namespace, s.metadata.name): s for s in cluster.services if s.spec.clusterIP not in ("", "None")
    }
    places = [*(("kube-system", name) for name in DNS_NAMES), DNS_ELSEWHERE]
    if found := next((named[place] for place in places if place in named), None):
        return found
    for (namespace, _), candidate in sorted(named.items()):
        if namespace == "kube-system" and is_dns(candidate.metadata) and _serves_dns(candidate):
            return candidate
    cluster.scope.need("kube-system")
    cluster.scope.need(DNS_ELSEWHERE[0])
    raise NotObserved(
        f"no DNS Service is found: neither {', '.join(DNS_NAMES)} nor one with the label "
        f"{DNS_LABEL}={DNS_VALUE} in kube-system, nor {'/'.join(DNS_ELSEWHERE)}"
    )


def addresses(cluster: Cluster) -> set[str]:
    """Return the addresses at which pods may ask for names: those of all Services that serve DNS.

    Raises:
        NotObserved: the cluster's own DNS Service is not found.
    """
    service(cluster)
    return {ip for s in cluster.services if _serves_dns(s) for ip in [*s.spec.clusterIPs, s.spec.clusterIP] if ip}


def is_node_local(address: str) -> bool:
    """Return whether an address is link-local: NodeLocal DNS listens on one of these (KEP-1024)."""
    return address.startswith(("169.254.", "fe80:"))


def _serves_dns(candidate: pb.Service) -> bool:
    return any(port.port == 53 for port in candidate.spec.ports)


def pods(cluster: Cluster) -> list[pb.Pod]:
    """Return the pods that the DNS Service selects, and are not finished or on their way out."""
    wanted, place = dict(service(cluster).spec.selector), service(cluster).metadata.namespace
    return [pod for pod in _lasting(cluster, place) if wanted and wanted.items() <= dict(pod.metadata.labels).items()]


def likely_pods(cluster: Cluster) -> list[pb.Pod]:
    """Return the pods that look like the cluster's DNS, selected or not: by their label or their owner's name."""
    place = service(cluster).metadata.namespace
    return [pod for pod in _lasting(cluster, place) if is_dns(pod.metadata) or "coredns" in pod.metadata.name]


def ready_pods(cluster: Cluster) -> Mapping[str, pb.Pod]:
    """Return the DNS pods that are ready, by ``namespace/name``: what is not is broken in a way of its own."""
    found = [*pods(cluster), *likely_pods(cluster)]
    return {f"{pod.metadata.namespace}/{pod.metadata.name}": pod for pod in found if is_ready(pod)}


def _lasting(cluster: Cluster, namespace: str) -> list[pb.Pod]:
    """Return the namespace's pods that are not finished or on their way out."""
    return [
        pod
        for pod in cluster.pods
        if pod.metadata.namespace == namespace
        and not pod.metadata.HasField("deletionTimestamp")
        and not is_finished(pod)
    ]


def deployments(cluster: Cluster) -> list[pb.Deployment]:
    """Return the Deployments that look like the cluster's DNS."""
    place = service(cluster).metadata.namespace
    return [
        d
        for d in cluster.deployments
        if d.metadata.namespace == place and (is_dns(d.metadata) or d.metadata.name in DNS_NAMES)
    ]


def ready_endpoints(cluster: Cluster) -> int:
    """Return how many endpoints of the DNS Service are ready; one that does not say so counts (EndpointConditions)."""
    name, place = service(cluster).metadata.name, service(cluster).metadata.namespace
    return sum(
        not endpoint.conditions.HasField("ready") or endpoint.conditions.ready
        for piece in cluster.endpoint_slices
        if piece.metadata.namespace == place and piece.metadata.labels.get("kubernetes.io/service-name") == name
        for endpoint in piece.endpoints
    )


class LogLine(NamedTuple):
    """A text that DNS servers write, and what it means.

    Attributes:
        text: a regular expression.
        source: the project and the file where the text stands.
    """

    text: str
    means: str
    remedy: str
    source: str


LOG_LINES = (
    LogLine(
        r"plugin/loop: Loop .{0,80} detected",
        "it forwards names to itself: the forward loop is detected and ends it",
        "let `forward` of the Corefile point at real name servers: mostly it takes /etc/resolv.conf of a node that "
        "names a loopback address (systemd-resolved: give the kubelet --resolv-conf /run/systemd/resolve/resolv.conf)",
        "coredns/coredns plugin/loop/loop.go",
    ),
    LogLine(
        r"Corefile:\d{1,6} - |Error during parsing|[Ss]yntax error: ",
        "its Corefile has an error",
        "correct the Corefile in its ConfigMap: kubectl -n kube-system edit configmap coredns",
        "coredns/caddy caddyfile/dispenser.go",
    ),
    LogLine(
        r"Still waiting on: .{0,40}kubernetes",
        "it waits for the API server and knows no Service yet",
        "see whether its node's pods reach the API server by its ClusterIP, and whether it may list Services",
        "coredns/coredns plugin/ready/ready.go",
    ),
    LogLine(
        r"listen (?:tcp|udp) \S{0,60}: bind: ",
        "it cannot listen on its port",
        "see what else listens there, or whether the pod may open low ports (NET_BIND_SERVICE)",
        "golang/go src/net/net.go",
    ),
)


def explain_log(lines: tuple[str, ...]) -> tuple[LogLine, str] | None:
    """Return what a log of a DNS pod tells, with the line that does, or nothing."""
    for known in LOG_LINES:
        for line in reversed(lines):
            if re.search(known.text, line):
                return known, line
    return None


class Responses(NamedTuple):
    """What a DNS pod has answered since it started.

    Attributes:
        failed: how many of them were SERVFAIL.
        panics: how often a query brought its handler down.
    """

    pod: pb.Pod
    answered: int
    failed: int
    panics: int


_METRICS = r"coredns_(?:dns_responses_total|panics_total)[{ ]"
_SAMPLE = re.compile(r"coredns_(\w{1,40})(?:\{(.{0,400})\})? (\d[\d.e+]{0,24})")
_RCODE = re.compile(r'rcode="(\w{1,20})"')


LARGEST = 1e18
"""Answers beyond are no count of a name server's."""

METRICS_PORT = 9153
"""Where CoreDNS tells its metrics (its plugin prometheus)."""


def responses(cluster: Cluster) -> Iterator[Responses]:
    """Yield what each ready DNS pod counts.

    Raises:
        NotObserved: pods are not to be asked, or, after the last one, some pod's metrics could not be had.
    """
    if not cluster.ask_kubelets:
        raise NotObserved("DNS pods are not asked (--kubelet=none)", unasked=True)
    asked = [(pod, _ask_pod(pod, cluster)) for pod in pods(cluster)[:PODS_ASKED] if is_ready(pod)]
    yield from answers(asked, _counted)


def _ask_pod(pod: pb.Pod, cluster: Cluster) -> Future[Answer]:
    metrics = PlainHttp(path(pod), METRICS_PORT, "metrics", pod.status.podIP)
    return cluster.ask_later(Request(metrics, lines=_METRICS))


def _counted(pod: pb.Pod, answer: Answer) -> Responses:
    counts: dict[str, float] = defaultdict(float)
    for line in answer.expect("get pods/proxy").body.decode("utf-8", "replace").splitlines():
        if sample := _SAMPLE.fullmatch(line.strip()):
            name, labels, value = sample.groups()
            rcode = _RCODE.search(labels or "")
            counts[f"{name} {rcode[1] if rcode else ''}"] += _number(value)
    if not counts:
        raise NotObserved(f"{pod.metadata.name} has no metrics of CoreDNS on port {METRICS_PORT}")
    of = partial(_sum, counts)
    return Responses(pod, of("dns_responses_total "), of("dns_responses_total SERVFAIL"), of("panics_total "))


def _sum(counts: Mapping[str, float], beginning: str) -> int:
    return int(sum(count for name, count in counts.items() if name.startswith(beginning)))


def _number(text: str) -> float:
    try:
        return min(float(text), LARGEST)
    except ValueError:
        return 0.0


def name_servers_of_kubelets(cluster: Cluster) -> Iterator[tuple[str, list[str]]]:
    """Yield the name servers that each ready node's kubelet gives its pods; Windows nodes are left out.

    Raises:
        NotObserved: kubelets are not to be asked, or, after the last one, some could not be.
    """
    for node, config in kubelet.configs(cluster):
        if node.status.nodeInfo.operatingSystem != "windows":
            yield node.metadata.name, [clean(ip, 60) for ip in config.kubeletconfig.clusterDNS or ()]
