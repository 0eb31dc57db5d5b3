"""A pod has no node: the scheduler finds none that fits, or no scheduler looks at the pod.

Meaning:
    A pod stays Pending because every node is ruled out by something: too little free CPU or memory, a label that no
    node has, a taint, a cordon, a host port, an affinity, a volume that is elsewhere. The finding names the one
    constraint whose removal makes room, computed against the real nodes.

Impact:
    The pod does not run. A rollout waits for it, and a workload stays short of its replicas.

Diagnosis:
    `kubectl describe pod` shows the scheduler's summary (FailedScheduling), which counts the nodes by what rules them
    out. `kubectl describe node` shows what is allocatable and what is requested already.

Mitigation:
    Remove the constraint that is named: uncordon the node, correct nodeSelector or affinity, tolerate the taint,
    lower the requests, or add nodes that are large enough.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import ADDED
from kubevitals.facts.nodes.placement import HOSTNAME
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.states import Symptom
from kubevitals.facts.pods.unscheduled import DEFAULT_SCHEDULER, can_wait, is_at_limit, judges_nodes, refusal_of_node
from kubevitals.facts.scheduling.constraints import OF_THE_NODE, Blocker, Constraint
from kubevitals.facts.scheduling.relax import SchedulingVerdict, SchedulingVerdicts
from kubevitals.facts.scheduling.requests import PODS, most_free
from kubevitals.facts.workloads.replicas import pods_by_owner
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import pod_lines
from kubevitals.findings.explains import CONCERNED, CONCERNS, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import TEMPLATE_HASH, Ref, owner
from kubevitals.quantity import amount
from kubevitals.text import binary, plural

EXPLAINS = (
    Explains(("volume-claim[unbound]",), CONCERNS, ("scheduling[unschedulable]",)),
    Explains(("node-ready",), CONCERNED, ("scheduling[unschedulable]",)),
)

NAMED = 10
"""Nodes of which a finding says that they would take the pod."""

TOLD = 8
"""How many constraints are told where several must go: a node may have thousands of taints."""

BYTES = ("memory", "ephemeral-storage", "hugepages-")
"""Resources whose amounts are bytes."""


class Words(NamedTuple):
    """What is said of a constraint, and what helps; `_fields` fills both."""

    says: str
    remedy: str


WORDS = {
    Constraint.CLAIM: Words(
        'PersistentVolumeClaim "{detail}" is not bound', "find out why it is not bound: kubectl describe pvc {detail}"
    ),
    Constraint.CORDON: Words("{frees} {are} cordoned", "uncordon it: kubectl uncordon {node}"),
    Constraint.TAINT: Words(
        "it does not tolerate the taint {detail} of {frees}",
        "add a toleration to the workload's template, or remove the taint from the node",
    ),
    Constraint.LABEL: Words(
        "{against} the label {detail}, which its nodeSelector requires",
        "correct nodeSelector, or label a node: kubectl label node {node} {detail}",
    ),
    Constraint.AFFINITY: Words(
        "its required node affinity rules out {ruled}", "correct the node affinity, or label a node for it"
    ),
    Constraint.RESOURCE: Words(
        "it requests {request}, and the node with most has {free} free",
        "lower its requests, remove other pods, or add nodes that are large enough",
    ),
    Constraint.PORT: Words(
        "host port {detail} is taken on {frees}", "use a Service or another port, or run fewer replicas than nodes"
    ),
    Constraint.VOLUME: Words(
        'PersistentVolume "{detail}" cannot be used on {ruled}',
        "let the pod run where its volume is, or restore the volume elsewhere",
    ),
    **{
        constraint: Words(
            "its {constraint} by {detail} rules out {ruled}", "relax the {constraint}, or add nodes{apart}"
        )
        for constraint in (Constraint.NEAR, Constraint.APART, Constraint.SPREAD)
    },
}
GIVEN_LABEL = Words(
    WORDS[Constraint.LABEL].says,
    "correct nodeSelector, or add nodes that have it: their kubelet or cloud sets this label",
)
GIVEN = re.compile(
    r"(?:(?:node|topology|beta|failure-domain\.beta)\.)?kubernetes\.io/(?:arch|os|hostname|instance-type|zone|region|windows-build)"
    r"|(?:cloud\.google\.com|eks\.amazonaws\.com|karpenter\.[a-z0-9.]{1,40}|kubernetes\.azure\.com)/.+"
)
"""Keys of labels that describe a machine, so that nobody may set them by hand (kubernetes/api core/v1
well_known_labels.go, and those of clouds and Karpenter)."""

NO_DEVICE = Words(
    "no node offers {detail}, which it requests",
    "see whether the device plugin runs on the nodes that have the device, or add such nodes",
)
NOT_SET_UP = Words(
    "{frees} {are} not set up yet: the taint {detail} is still there",
    "find out why the cloud's controller manager, the CNI or the CSI driver that sets {frees} up does not remove it",
)
NO_DOMAIN = Words(
    "its {constraint} goes by the label {detail}, which no node has",
    "label the nodes with it, or name a label that they have",
)
FARGATE_REMEDY = (
    "change what the message names: the pod, its Fargate profile, or a limit of the account; or let the pod run on "
    "other nodes than Fargate's"
)
CLAIMED = re.compile(r"allocate all claims|resource ?claim", re.IGNORECASE)
"""What the scheduler says of devices that a pod claims (pkg/scheduler/framework/plugins/dynamicresources)."""

DEVICES = (
    "compare what its ResourceClaims ask for with what drivers offer: kubectl describe resourceclaims, kubectl get "
    "resourceslices; a driver that offers nothing may not run"
)
NO_MORE_PODS = Words(
    "{frees} cannot run more pods (allocatable pods)", "remove pods, add nodes, or raise the kubelet's maxPods"
)


def unschedulable(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that no node takes, past `pod.stuck`, unless a new node is on its way.

    It is a warning for pods with a negative priority, which wait for what others leave.
    """
    for symptom in broken_pods(cluster, PodFault.UNSCHEDULABLE):
        verdict = cluster.derive(SchedulingVerdicts).of(symptom.pod)
        words = _words(symptom, verdict, cluster)
        yield pod_finding(
            symptom.pod,
            says=f"cannot be scheduled: {words.says}",
            remedy=words.remedy,
            evidence=_lines(symptom, verdict, cluster),
            severity=Severity.WARNING if can_wait(symptom.pod) else Severity.ERROR,
            concerns=(*(Ref("Node", "", name) for name in verdict.frees[:NAMED]), *_claims(symptom, verdict)),
        )


def _words(symptom: Symptom, verdict: SchedulingVerdict, cluster: Cluster) -> Words:
    words = _against_nodes(symptom, verdict, cluster)
    if refusal := refusal_of_node(symptom.pod, cluster):
        remedy = f"raise the cloud's quota, or let the node pool use other zones or machine types; or {words.remedy}"
        return Words(f"{words.says}; no node can be added: {refusal}", remedy)
    if is_at_limit(symptom.pod, cluster):
        remedy = f"raise the maximum of the node group, or limits of Karpenter's NodePool; or {words.remedy}"
        return Words(f"{words.says}; the autoscaler adds no node, since its own limit is reached", remedy)
    return words


def _against_nodes(symptom: Symptom, verdict: SchedulingVerdict, cluster: Cluster) -> Words:
    """Return what rules out the nodes that exist."""
    if not judges_nodes(symptom.pod):
        return Words(symptom.words, FARGATE_REMEDY)
    if not verdict.nodes:
        return Words("the cluster has no node for it", "add a node")
    if not verdict.decisive:
        rules_out = "see in the scheduler's message what rules the nodes out"
        return Words(symptom.words, DEVICES if CLAIMED.search(symptom.words) else rules_out)
    told = [_of(blocker, verdict, symptom.pod, cluster) for blocker in verdict.decisive[:TOLD]]
    several = "no single change makes room: " if len(told) > 1 else ""
    more = len(verdict.decisive) - len(told)
    says = [*(words.says for words in told), *([plural(more, "more constraint")] if more else [])]
    return Words(several + "; and ".join(says), "; ".join(words.remedy for words in told))


def _of(blocker: Blocker, verdict: SchedulingVerdict, pod: pb.Pod, cluster: Cluster) -> Words:
    """Return what is said of one constraint."""
    words, fields = _template(blocker, cluster), _fields(blocker, verdict, cluster)
    says, remedy = words.says.format_map(fields), words.remedy.format_map(fields)
    if blocker.constraint in OF_OTHER_PODS and _is_new_of_rollout(pod, cluster):
        remedy = f"let the rollout remove a pod before it adds one (maxSurge 0, maxUnavailable 1), or {remedy}"
    volumes = [other.detail for other in verdict.against if other.constraint is Constraint.VOLUME]
    if blocker.constraint is Constraint.RESOURCE and volumes:
        says += f', of those that can use PersistentVolume "{volumes[0]}"'
        remedy += " there"
    if blocker.constraint in (Constraint.APART, Constraint.SPREAD) and volumes:
        says += f', among them all that can use PersistentVolume "{volumes[0]}"'
        remedy = f"give each pod a volume of its own (volumeClaimTemplates of a StatefulSet); or {remedy} there"
    return Words(says, remedy)


OF_OTHER_PODS = frozenset({Constraint.PORT, Constraint.APART, Constraint.SPREAD})
"""Constraints that old pods of the same Deployment take part in."""


def _is_new_of_rollout(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether pods of an older template of the same Deployment hold nodes, so that it may wait for these."""
    of, revision = owner(pod), pod.metadata.labels.get(TEMPLATE_HASH, "")
    others = cluster.derive(pods_by_owner).get(of, ()) if of and of.kind == "Deployment" else ()
    return any(other.spec.nodeName and other.metadata.labels.get(TEMPLATE_HASH, "") != revision for other in others)


def _template(blocker: Blocker, cluster: Cluster) -> Words:
    match blocker.constraint:
        case Constraint.TAINT if blocker.key in OF_THE_NODE:
            return Words(f"{{frees}} {{are}} {OF_THE_NODE[blocker.key]}", "bring {frees} back")
        case Constraint.TAINT if blocker.key in ADDED:
            return NOT_SET_UP
        case Constraint.LABEL if GIVEN.match(blocker.detail):
            return GIVEN_LABEL
        case Constraint.SPREAD | Constraint.NEAR if not _is_a_label(blocker.detail, cluster):
            return NO_DOMAIN
        case Constraint.RESOURCE if blocker.detail == PODS:
            return NO_MORE_PODS
        case Constraint.RESOURCE if "/" in blocker.detail and not _is_offered(blocker.detail, cluster):
            return NO_DEVICE
    return WORDS[blocker.constraint]


def _is_a_label(key: str, cluster: Cluster) -> bool:
    return any(key in node.metadata.labels for node in cluster.nodes)


def _is_offered(resource: str, cluster: Cluster) -> bool:
    return any(amount(node.status.allocatable, resource) for node in cluster.nodes)


def _fields(blocker: Blocker, verdict: SchedulingVerdict, cluster: Cluster) -> dict[str, str]:
    """Return what fills the words for a constraint."""
    against, names, fields = verdict.against[blocker], verdict.frees, {"detail": blocker.detail}
    if blocker.constraint is Constraint.RESOURCE:
        fields["request"] = _amount(blocker.detail, verdict.demand.requests[blocker.detail])
        fields["free"] = _amount(blocker.detail, most_free(blocker.detail, names, cluster))
    return fields | {
        "constraint": blocker.constraint,
        "apart": "" if blocker.detail == HOSTNAME else f" to another {blocker.detail}",
        "frees": f"node {names[0]}" if len(names) == 1 else plural(len(names), "node"),
        "are": "is" if len(names) == 1 else "are",
        "node": names[0] if names else "NODE",
        "against": "no node has" if against == verdict.nodes else f"{against} of {verdict.nodes} nodes do not have",
        "ruled": "every node" if against == verdict.nodes else f"{against} of {verdict.nodes} nodes",
    }


def _amount(resource: str, value: float) -> str:
    """Return an amount of a resource as people write it: ``3.9 CPU``, ``2Gi of memory``, ``1 nvidia.com/gpu``."""
    if resource.startswith(BYTES):
        return f"{binary(max(value, 0))} of {resource}"
    return f"{round(max(value, 0), 2):g} {'CPU' if resource == 'cpu' else resource}"


def _claims(symptom: Symptom, verdict: SchedulingVerdict) -> Iterator[Ref]:
    for constraint, detail in verdict.decisive:
        if constraint is Constraint.CLAIM:
            yield Ref("PersistentVolumeClaim", symptom.pod.metadata.namespace, detail)


def _lines(symptom: Symptom, verdict: SchedulingVerdict, cluster: Cluster) -> Iterator[str]:
    yield f"scheduler: {symptom.words}"
    for blocker, count in sorted(verdict.against.items(), key=lambda pair: (-pair[1], pair[0])):
        yield (
            f"{blocker.constraint} {blocker.detail}".strip() + f": rules out {count} of {plural(verdict.nodes, 'node')}"
        )
    yield from pod_lines(symptom.pod, cluster, told=symptom.words)


def no_scheduler(cluster: Cluster) -> Iterator[Finding]:
    """Find pods at which no scheduler has looked past `pod.stuck`."""
    for symptom in broken_pods(cluster, PodFault.NO_SCHEDULER):
        name = symptom.pod.spec.schedulerName or DEFAULT_SCHEDULER
        yield pod_finding(
            symptom.pod,
            says=f'no scheduler has looked at it: schedulerName is "{name}"',
            remedy="start kube-scheduler: see its pods in kube-system"
            if name == DEFAULT_SCHEDULER
            else "start that scheduler, or correct schedulerName",
            evidence=pod_lines(symptom.pod, cluster),
        )


@check(unschedulable, no_scheduler, chapter="5.1")
def test_pods_get_a_node() -> None:
    """Every pod gets a node."""
