"""DNS gives a wrong answer for a Service, or pods use a name server of their own that does not answer.

Meaning:
    The cluster's DNS answers, but for the name of a Service it says NXDOMAIN or gives another address: a `template`,
    `rewrite` or `hosts` block of the Corefile, or a server block for a part of the cluster's domain, answers instead of
    the plugin `kubernetes`. Or a pod lists a name server in its `dnsConfig`, and nothing answers there.

Impact:
    Applications do not find this one Service, or connect to something else, while all others work. Pods whose own
    name server does not answer resolve no names, or only after a time-out.

Diagnosis:
    In a pod `nslookup NAME.NAMESPACE.svc.cluster.local` beside `kubectl -n NAMESPACE get service NAME`;
    `kubectl -n kube-system get configmap coredns -o yaml`. For pods with a name server of their own,
    `kubectl get pod NAME -o jsonpath='{.spec.dnsPolicy} {.spec.dnsConfig}'`, and `nslookup` at this server.

Mitigation:
    Remove or narrow the block of the Corefile; CoreDNS reloads it within two minutes. Correct `dnsConfig.nameservers`
    in the pod's template, or use `dnsPolicy: ClusterFirst`.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.dns import service as dns
from kubevitals.facts.dns.corefile import answering, corefile, edit_command
from kubevitals.facts.dns.lookups import NAME_ERRORS, fails, lookup_line, lookups, refused
from kubevitals.facts.dns.names import WrongName, is_sampled, wrong_names
from kubevitals.facts.network.cni import without_network
from kubevitals.facts.network.reach import require_all
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import SAME_OWNER, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults, probed
from kubevitals.objects import is_finished, owner, ref
from kubevitals.probe.report import Lookup, Through
from kubevitals.text import plural

SHOWN = 5
"""Name servers, or nodes, that are shown."""

EXPLAINS = (
    Explains(
        ("dns-answer[own-name-server]",),
        SAME_OWNER,
        ("startup-error", "liveness-probe[killed-by-probe]", "readiness[probe-failing]"),
        NAME_ERRORS,
    ),
)


def wrong_answer(cluster: Cluster) -> Iterator[Finding]:
    """Find Services whose name the cluster's DNS does not resolve to their ClusterIP, although it resolves others.

    The probe looks up the names of the youngest Services, and of those beside pods that are not ready.
    """
    results = probed(cluster)
    for wrong in wrong_names(results, cluster):
        service = wrong.service
        yield Finding(
            ref(service),
            says=wrong.says,
            remedy="find the block of the Corefile that answers for this name, and remove or narrow it: "
            + edit_command(cluster),
            evidence=[
                f"ClusterIP of the Service: {service.spec.clusterIP}",
                *(_answer(node, lookup) for node, lookup in list(wrong.tried.items())[:SHOWN]),
                *_corefile_lines(wrong, cluster),
            ],
        )
    require_all(results, "pod", without_network(cluster))
    if not is_sampled(results) and results.of("pod"):
        raise NotObserved("the probe looked up no name of a Service")


def own_name_server(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that list a name server in their dnsConfig that does not answer; the cluster's own ones do not count.

    An error if the pod has no other name server. Without the probe, such name servers are only a remark.
    """
    pods = _pods_with_own(cluster)
    if not pods:
        return
    listed = {server for _, servers in pods for server in servers}
    try:
        results = probed(cluster)
    except NotObserved:
        shown = ", ".join(sorted(listed)[:SHOWN])
        cluster.remarks.append(f"{plural(len(pods), 'pod')} with name servers of their own: {shown}")
        raise
    queried = _by_server(results)
    for pod, servers in pods:
        if silent := [ip for ip in servers if fails(queried.get(ip, [])) and not refused(queried[ip])]:
            yield _own_finding(pod, silent, [lookup for ip in silent for lookup in queried[ip]])
    if untried := sorted(listed - queried.keys()):
        require_all(results, "pod", without_network(cluster))
        raise NotObserved(f"the probe did not query {', '.join(untried[:SHOWN])}, which pods list as name servers")


def _own_finding(pod: pb.Pod, silent: list[str], tried: list[Lookup]) -> Finding:
    only = pod.spec.dnsPolicy == "None" and set(pod.spec.dnsConfig.nameservers) <= set(silent)
    return Finding(
        ref(pod),
        says=f"its dnsConfig lists name server {', '.join(silent[:SHOWN])}, which does not answer",
        remedy="correct dnsConfig.nameservers in the pod's template, or remove it and use dnsPolicy ClusterFirst",
        evidence=[f"dnsPolicy: {pod.spec.dnsPolicy}", *map(lookup_line, tried)],
        severity=Severity.ERROR if only else Severity.WARNING,
        owner=owner(pod),
        node=pod.spec.nodeName,
    )


def _pods_with_own(cluster: Cluster) -> list[tuple[pb.Pod, list[str]]]:
    """Return the pods that list name servers, with those of them that are not the cluster's own."""
    listing = [
        pod for pods in cluster.alike_pods if pods[0].spec.dnsConfig.nameservers for pod in pods if not is_finished(pod)
    ]
    known = dns.addresses(cluster) if listing else set()
    own = [(pod, [ip for ip in pod.spec.dnsConfig.nameservers if ip not in known]) for pod in listing]
    return [(pod, servers) for pod, servers in own if servers]


def _by_server(results: ProbeResults) -> dict[str, list[Lookup]]:
    queried: dict[str, list[Lookup]] = {}
    for report in results.of("pod"):
        for lookup in lookups(report, Through.OWN):
            queried.setdefault(lookup.server, []).append(lookup)
    return queried


def _answer(node: str, lookup: Lookup) -> str:
    answer = f"answers {', '.join(lookup.addresses)}" if lookup.ok else lookup.said or "no answer"
    return f"from {node}: {lookup.name} at {lookup.server}: {answer}"


def _corefile_lines(wrong: WrongName, cluster: Cluster) -> Iterator[str]:
    """Yield the blocks of the Corefile that may answer for the name, as evidence."""
    try:
        text = corefile(cluster)
    except NotObserved as error:
        yield f"Corefile not observed: {error}"
        return
    yield from map(str, answering(text, next(iter(wrong.tried.values())).name))


@check(wrong_answer, own_name_server, chapter="4.2")
def test_dns_answers_are_right() -> None:
    """DNS resolves the name of every Service to its ClusterIP, and the name servers that pods list answer."""
