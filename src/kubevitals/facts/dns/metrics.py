"""What DNS pods count about their own answers, in their metrics."""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns import service as dns
from kubevitals.inventory.circuit_breaker import StartedRequest
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.prometheus import Sample, samples
from kubevitals.objects import is_ready, path
from kubevitals.source.request import Answer, PlainHttp, Request
from kubevitals.text import duration
from kubevitals.threshold import Threshold

SERVFAIL_WARNING = Threshold(
    "cluster-dns.servfail-warning", 1, "percent of answers that are SERVFAIL (povilasv/coredns-mixin: warning)"
)
SERVFAIL_ERROR = Threshold(
    "cluster-dns.servfail-error", 3, "percent of answers that are SERVFAIL (povilasv/coredns-mixin: critical)"
)
SERVFAIL_RECENT = Threshold(
    "cluster-dns.servfail-recent",
    3600,
    "SERVFAILs and panics of a DNS pod that has run for longer than this may be old: they are only a warning",
)
ANSWERS = Threshold("cluster-dns.answers", 1000, "number of answers below which a share of SERVFAIL means nothing")

PODS_QUERIED = 20
"""DNS pods whose metrics are read: clusters have two to some dozen."""

METRICS_PORT = 9153
"""The port of CoreDNS' metrics (its plugin prometheus)."""

_METRICS = r"coredns_(?:dns_responses_total|panics_total)[{ ]"


class MetricFault(NamedTuple):
    """What is wrong with the answers of a DNS pod.

    Attributes:
        says: in a sentence without the pod's name; `line` has the counts.
        recent: whether it is severe and the pod has not run for so long that it may be over.
    """

    pod: pb.Pod
    says: str
    line: str
    recent: bool


class Responses(NamedTuple):
    """What a DNS pod has answered since it started.

    Attributes:
        failed: how many of the answers were SERVFAIL.
        panics: how many queries made their handler panic.
        started: when the pod's latest container started.
    """

    pod: pb.Pod
    answered: int
    failed: int
    panics: int

    @property
    def started(self) -> pb.Time:
        """When the pod's latest container started."""
        return max(
            (status.state.running.startedAt for status in self.pod.status.containerStatuses),
            key=lambda time: time.seconds,
            default=pb.Time(),
        )


def metric_faults(cluster: Cluster) -> Iterator[MetricFault]:
    """Yield the DNS pods that answer too many queries with SERVFAIL, or panic.

    Raises:
        NotObserved: pods must not be queried; or, after the last pod, the metrics of some pod could not be read.
    """
    for counted in responses(cluster):
        yield from _faults(counted, cluster)


def _faults(counted: Responses, cluster: Cluster) -> Iterator[MetricFault]:
    pod, answered, failed, panics = counted
    since = f"since its start {duration(cluster.age(counted.started))} ago" if counted.started.seconds else "in all"
    recent = not cluster.over(counted.started, SERVFAIL_RECENT)
    share = 100 * failed / answered if answered else 0.0
    if answered >= cluster.limit(ANSWERS) and share > cluster.limit(SERVFAIL_WARNING):
        line = f"{failed:,} of {answered:,} answers {since} were SERVFAIL"
        severe = recent and share > cluster.limit(SERVFAIL_ERROR)
        yield MetricFault(pod, f"answers {share:.1f} % of queries with SERVFAIL", line, severe)
    if panics:
        yield MetricFault(pod, "panics while it answers queries", f"{panics} panics {since}", recent)


def responses(cluster: Cluster) -> Iterator[Responses]:
    """Yield what each ready DNS pod has counted.

    Raises:
        NotApplicable: no DNS pod opens the port of CoreDNS' metrics.
        NotObserved: pods must not be queried; or, after the last pod, the metrics of some pod could not be read.
    """
    if not cluster.ask_kubelets:
        raise NotObserved("DNS pods are not queried (--kubelet=none)", unasked=True)
    ready = [pod for pod in dns.pods(cluster) if is_ready(pod)]
    pods = [pod for pod in ready if _may_have_metrics(pod)][:PODS_QUERIED]
    if ready and not pods:
        raise NotApplicable(f"the DNS pods do not open port {METRICS_PORT} for metrics")
    yield from answers([(pod, _ask(pod, cluster)) for pod in pods], _counted)


def _may_have_metrics(pod: pb.Pod) -> bool:
    """Return whether a pod opens the port of CoreDNS' metrics; a pod that lists no ports may open any."""
    ports = {port.containerPort for container in pod.spec.containers for port in container.ports}
    return not ports or METRICS_PORT in ports


def _ask(pod: pb.Pod, cluster: Cluster) -> StartedRequest:
    metrics = PlainHttp(path(pod), METRICS_PORT, "metrics", pod.status.podIP)
    return cluster.fetcher.submit(Request(metrics, lines=_METRICS))


def _counted(pod: pb.Pod, answer: Answer) -> Responses:
    counted = [sample for sample in samples(answer, "get pods/proxy") if sample.name.startswith("coredns_")]
    if not counted:
        raise NotObserved(f"{pod.metadata.name} has no metrics of CoreDNS on port {METRICS_PORT}")
    answers_ = [sample for sample in counted if sample.name == "coredns_dns_responses_total"]
    failed = [sample for sample in answers_ if sample.labels.get("rcode") == "SERVFAIL"]
    panics = [sample for sample in counted if sample.name == "coredns_panics_total"]
    return Responses(pod, _sum(answers_), _sum(failed), _sum(panics))


def _sum(counted: list[Sample]) -> int:
    return int(sum(sample.value for sample in counted))
