"""NetworkPolicies allow pods to connect to other pods, but not to query DNS.

Meaning:
    A pod that an egress policy selects may connect only to what some policy allows, and DNS is no exception: without a
    rule for UDP port 53 the pod resolves no name, although everything else works. A rule without `protocol` is for TCP
    only. Policies of one namespace add up. Pods to which no connection at all is allowed are left alone on purpose, and
    are reported only if their lookups fail.

Impact:
    The application finds no Service and no outside host by name. Lookups end after five seconds or more, so that it
    looks like a slow or broken DNS, in these pods alone.

Diagnosis:
    `kubectl -n NAMESPACE describe networkpolicy` lists what each policy allows. In a pod that it selects,
    `nslookup kubernetes.default` times out, and in a pod that no policy selects it answers. Whether policies are
    enforced depends on the CNI: where its image does not tell, the check is not observed, nor where policies of other
    kinds (Calico's, Cilium's) exist, which may allow what these do not.

Mitigation:
    Add an egress rule to a policy that selects the pods: ports 53 of UDP and TCP, to pods with the label
    `k8s-app: kube-dns` in the namespace `kube-system`. The port is that of the pods, and not of their Service: in
    OpenShift 5353, in the namespace `openshift-dns`.
"""

from collections.abc import Iterator

from kubevitals.facts.apps.lookup_errors import failed_lookup
from kubevitals.facts.dns.egress import Silenced, silenced
from kubevitals.facts.network.enforcement import need_enforcement, need_no_other_policies
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import CONCERNS, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready, ref
from kubevitals.text import plural

LOOKUPS = r"resolv|lookup|bad address|name or service|unknown ?host|enotfound|eai_again|timed out|i/o timeout"
"""What pods say, and what their probes answer, if names are not resolved: some only say that the time was over."""

EXPLAINS = (
    Explains(
        ("network-policy[no-dns]",),
        CONCERNS,
        ("startup-error", "liveness-probe", "readiness[probe-failing]"),
        words=LOOKUPS,
    ),
)

ASKED = 3
"""Pods of a group whose words are read, so that a group of many pods costs few requests."""

GROUPS = 20
"""Groups of pods whose words are read."""

NAMED = 5
"""Pods that the evidence names."""


def no_dns(cluster: Cluster) -> Iterator[Finding]:
    """Find NetworkPolicies that keep pods from DNS: a warning, and an error if such a pod says that lookups fail."""
    groups = silenced(cluster)
    if not groups:
        return
    need_enforcement(cluster)
    unproven = []
    for number, group in enumerate(groups):
        if said := _failed_lookup(group, cluster) if number < GROUPS else "":
            yield _finding(group, Severity.ERROR, [f"a pod says: {said}"])
        elif not group.isolated:
            unproven.append(group)
    if unproven:
        need_no_other_policies(cluster)
    yield from (_finding(group, Severity.WARNING, []) for group in unproven)


def _failed_lookup(group: Silenced, cluster: Cluster) -> str:
    unready = [pod for pod in group.pods if not is_ready(pod)]
    return next((said for pod in unready[:ASKED] if (said := failed_lookup(pod, cluster))), "")


def _finding(group: Silenced, severity: Severity, proof: list[str]) -> Finding:
    policies = sorted(group.policies, key=lambda policy: (not policy.spec.egress, policy.metadata.name))
    first, others = policies[0], [policy.metadata.name for policy in policies[1:]]
    tcp_only = "allows its pods DNS over TCP only, and lookups use UDP"
    port = ", ".join(map(str, sorted(group.where.ports)[:NAMED]))
    return Finding(
        ref(first),
        says=tcp_only
        if group.tcp_only
        else f"allows its pods no DNS: no egress rule is for UDP port {port} of the DNS pods",
        remedy=f"add an egress rule for UDP and TCP port {port} to {group.where.says}",
        evidence=[*proof, *_lines(group, others)],
        severity=severity,
        concerns=tuple(ref(pod) for pod in group.pods),
        part=", ".join(others),
    )


def _lines(group: Silenced, others: list[str]) -> Iterator[str]:
    names = ", ".join(pod.metadata.name for pod in group.pods[:NAMED])
    yield f"it selects {plural(len(group.pods), 'pod')}: {names}{', …' if len(group.pods) > NAMED else ''}"
    if others:
        yield f"these policies select the same pods, and allow no DNS either: {', '.join(others[:NAMED])}"


@check(no_dns, chapter="6.4")
def test_network_policies_allow_dns() -> None:
    """Every pod that may connect to others may also query DNS."""
