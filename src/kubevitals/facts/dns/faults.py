"""Why the cluster's DNS does not serve, as its objects, logs and metrics tell it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.dns import service as dns
from kubevitals.facts.dns.lookups import lookups, told
from kubevitals.facts.pods.states import is_down
from kubevitals.findings.evidence import pod_lines
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.objects import DNS_LABEL, Ref, is_ready, owner, ref, statuses
from kubevitals.probe.report import ABSENT, Through
from kubevitals.text import duration, plural
from kubevitals.threshold import Threshold

LASTING = Threshold("cluster-dns.lasting", 30, "seconds a DNS pod may be not ready: CoreDNS starts in a few")
SERVFAIL_WARNING = Threshold(
    "cluster-dns.servfail-warning", 1, "percent of answers that are SERVFAIL (povilasv/coredns-mixin: warning)"
)
SERVFAIL_ERROR = Threshold(
    "cluster-dns.servfail-error", 3, "percent of answers that are SERVFAIL (povilasv/coredns-mixin: critical)"
)
SERVFAIL_RECENT = Threshold(
    "cluster-dns.servfail-recent",
    3600,
    "what was counted for longer than this tells of the past: no more than a warning",
)
ANSWERS = Threshold("cluster-dns.answers", 1000, "answers below which a share of SERVFAIL tells nothing")


class Why(NamedTuple):
    """Why the DNS Service has no endpoint."""

    says: str
    remedy: str
    lines: list[str]
    concerns: tuple[Ref, ...] = ()


def why_empty(cluster: Cluster) -> Why | None:
    """Return why the DNS Service has no ready endpoint; nothing while its pods have just been started."""
    chosen = dns.pods(cluster)
    if chosen:
        if not any(is_down(pod, cluster, LASTING) for pod in chosen):
            return None
        return Why(
            f"{plural(len(chosen), 'pod')} that it selects {'is' if len(chosen) == 1 else 'are'} not ready",
            "bring the DNS pods back: their log and events say what they lack",
            [line for pod in chosen[:3] for line in (f"not ready: {ref(pod)}", *pod_lines(pod, cluster))],
            (*map(ref, chosen), *_dead_nodes(chosen, cluster)),
        )
    wanted = ",".join(f"{key}={value}" for key, value in sorted(dns.service(cluster).spec.selector.items()))
    if others := dns.likely_pods(cluster):
        labels = ",".join(f"{key}={value}" for key, value in sorted(others[0].metadata.labels.items()))
        return Why(
            f"its selector {wanted or '(none)'} matches no pod, though DNS pods run",
            f"correct its selector: the DNS pods have {DNS_LABEL}={others[0].metadata.labels.get(DNS_LABEL, '…')}",
            [f"{ref(others[0])} has the labels {labels}"],
            tuple(map(ref, others)),
        )
    return _nothing_runs(wanted, cluster)


def _dead_nodes(pods: Iterable[pb.Pod], cluster: Cluster) -> Iterator[Ref]:
    """Yield the nodes of the pods that are down, as far as nodes are observed."""
    try:
        nodes = [cluster.nodes_by_name.get(pod.spec.nodeName) for pod in pods]
    except NotObserved:
        return
    yield from dict.fromkeys(ref(node) for node in nodes if node and not is_ready(node))


def _nothing_runs(wanted: str, cluster: Cluster) -> Why:
    found = dns.deployments(cluster)
    scaled = [d for d in found if not d.spec.replicas]
    says = "its Deployment is scaled to 0 replicas" if scaled else f"no pod has {wanted or 'a selector: it has none'}"
    remedy = (
        f"scale it up again: {ref(scaled[0]).kubectl('scale')} --replicas=2"
        if scaled
        else "bring the DNS pods back: see what keeps their Deployment or DaemonSet from making them"
    )
    return Why(says, remedy, [f"{ref(d)} wants {plural(d.spec.replicas, 'replica')}" for d in found])


def by_log(cluster: Cluster) -> Iterator[Finding]:
    """Yield what the logs of DNS pods that crash or are not ready say of their configuration, once an owner.

    Raises:
        NotObserved: after the last one, if a log could not be read.
    """
    seen: dict[tuple[Ref, str], list[pb.Pod]] = {}
    told_by: dict[tuple[Ref, str], tuple[dns.LogLine, str]] = {}
    unread: NotObserved | None = None
    for pod in dns.likely_pods(cluster):
        for status in statuses(pod) if is_down(pod, cluster, LASTING) else ():
            try:
                known = dns.explain_log(_last_words(pod, status, cluster))
            except NotObserved as error:
                unread = error
                continue
            if known:
                key = (owner(pod) or ref(pod), known[0].means)
                told_by.setdefault(key, known)
                seen.setdefault(key, []).append(pod)
    for key, (text, line) in told_by.items():
        yield Finding(
            key[0],
            says=f"does not serve: {text.means}",
            remedy=text.remedy,
            evidence=[f"log: {line}", *pod_lines(seen[key][0], cluster)],
            concerns=tuple(map(ref, seen[key])),
        )
    if unread:
        raise unread


def _last_words(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> tuple[str, ...]:
    """Return the log's last lines; a container that was never started has none."""
    has_begun = status.state.HasField("running") or status.state.HasField("terminated")
    if not has_begun and not status.lastState.HasField("terminated"):
        return ()
    return cluster.log(pod, status.name, previous=not has_begun)


def by_metrics(cluster: Cluster) -> Iterator[Finding]:
    """Yield the DNS pods that answer too much with SERVFAIL, or panic.

    Raises:
        NotObserved: after the last one, if a pod's metrics could not be had.
    """
    for counted in dns.responses(cluster):
        share = 100 * counted.failed / counted.answered if counted.answered else 0.0
        began = _began(counted.pod)
        since = duration(cluster.age(began)) if began.seconds else "ever"
        if counted.answered >= cluster.limit(ANSWERS) and share > cluster.limit(SERVFAIL_WARNING):
            now = share > cluster.limit(SERVFAIL_ERROR) and not cluster.over(began, SERVFAIL_RECENT)
            yield _finding(
                counted.pod,
                f"answers {share:.1f} % of lookups with SERVFAIL",
                f"{counted.failed:,} of {counted.answered:,} answers since its start {since} ago were SERVFAIL",
                Severity.ERROR if now else Severity.WARNING,
            )
        if counted.panics:
            yield _finding(
                counted.pod,
                "panics while it answers",
                f"{counted.panics} panics since its start {since} ago",
                Severity.WARNING if cluster.over(began, SERVFAIL_RECENT) else Severity.ERROR,
            )


def _began(pod: pb.Pod) -> pb.Time:
    """Return when the pod's latest container started."""
    return max(
        (status.state.running.startedAt for status in pod.status.containerStatuses),
        key=lambda time: time.seconds,
        default=pb.Time(),
    )


def _finding(pod: pb.Pod, says: str, line: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(
        ref(pod),
        says=says,
        remedy="read its log for the plugin that fails: `forward` when its name servers do not answer, `kubernetes` "
        "when the API server does not",
        evidence=[line],
        severity=severity,
        owner=owner(pod),
    )


def outside_is_known(found: ProbeResults) -> bool:
    """Return whether DNS should know of names outside: nodes' own name servers do, or the user has named one."""
    outside = [lookup for report in found.of("host") for lookup in lookups(report, Through.RESOLVER, outside=True)]
    asked = [lookup for report in found.of("pod") for lookup in lookups(report, Through.SERVICE, outside=True)]
    return any(lookup.ok for lookup in outside) or any(lookup.name != ABSENT for lookup in asked)


def by_nodes_resolver(found: ProbeResults) -> Iterator[str]:
    """Yield, as evidence, what nodes' own name servers say of a name from outside."""
    for report in found.of("host"):
        for lookup in lookups(report, Through.RESOLVER, outside=True)[:1]:
            yield f"by the name server of {report.node} itself: {told(lookup)}"
