"""Which labels a selector wants, and on which nodes a DaemonSet wants a pod: node selector, affinity, taints."""

from collections.abc import Mapping, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.threshold import Threshold

HOSTNAME = "kubernetes.io/hostname"
"""A label that each node has for itself (kubernetes/api core/v1 well_known_labels.go)."""

START = Threshold(
    "daemon-set.start", 120, "a node's daemons take up to a minute to start after it joined, or after an update"
)

_TOLERATED = frozenset(
    f"node.kubernetes.io/{taint}"
    for taint in ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
)
"""The taints that the DaemonSet controller lets its pods tolerate (pkg/controller/daemon/util/daemonset_util.go)."""
_NO_NETWORK = "node.kubernetes.io/network-unavailable"
"""One more, for pods in the host network."""


def belongs_on(spec: pb.PodSpec, node: pb.Node) -> bool:
    """Return whether a DaemonSet with this pod specification runs a pod on the node."""
    return not exclusion(spec, node)


def exclusion(spec: pb.PodSpec, node: pb.Node) -> str:
    """Return what keeps a DaemonSet with this pod specification off the node; empty if it runs a pod there."""
    labels = dict(node.metadata.labels)
    for key, value in spec.nodeSelector.items():
        if labels.get(key) != value:
            return f"its nodeSelector requires {key}={value}"
    if not matches(spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution, node):
        return "its node affinity excludes this node"
    for taint in node.spec.taints:
        if not _tolerated(taint, spec):
            return f"it does not tolerate the taint {taint.key}{'=' if taint.value else ''}{taint.value}:{taint.effect}"
    return ""


def matches(selector: pb.NodeSelector, node: pb.Node) -> bool:
    """Return whether the node satisfies one of the selector's terms; a selector without terms matches every node."""
    terms = selector.nodeSelectorTerms
    if not terms:
        return True
    fields = {"metadata.name": node.metadata.name}
    labels = dict(node.metadata.labels)
    return any(
        all(satisfies(labels, requirement) for requirement in term.matchExpressions)
        and all(satisfies(fields, requirement) for requirement in term.matchFields)
        for term in terms
        if term.matchExpressions or term.matchFields
    )


def selects(selector: pb.LabelSelector, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector selects an object's labels."""
    return all(labels.get(key) == value for key, value in selector.matchLabels.items()) and all(
        satisfies(labels, requirement) for requirement in selector.matchExpressions
    )


def meant_for(spec: pb.PodSpec) -> frozenset[str]:
    """Return the names of the nodes that a pod is meant for, as a DaemonSet's are; nothing where it may be any."""
    terms = spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
    fields = (field for term in terms for field in term.matchFields if field.key == "metadata.name")
    return frozenset(name for field in fields for name in field.values)


def satisfies(labels: Mapping[str, str], requirement: pb.NodeSelectorRequirement | pb.LabelSelectorRequirement) -> bool:
    """Return whether labels, or an object's fields, satisfy a requirement of a selector; an unknown operator never."""
    value, wanted = labels.get(requirement.key), requirement.values
    match requirement.operator:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compared(requirement.operator, value, wanted)
        case _:
            return False


def _compared(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
    if value is None or len(wanted) != 1 or not (_is_number(value) and _is_number(wanted[0])):
        return False
    return int(value) > int(wanted[0]) if operator == "Gt" else int(value) < int(wanted[0])


def _is_number(text: str) -> bool:
    """Return whether the API server and its controllers would read a number: one of 64 bits."""
    return text.isdecimal() and len(text) < 20


def _tolerated(taint: pb.Taint, spec: pb.PodSpec) -> bool:
    by_default = taint.key in _TOLERATED or (taint.key == _NO_NETWORK and spec.hostNetwork)
    return by_default or tolerates(spec, taint)


def tolerates(spec: pb.PodSpec, taint: pb.Taint) -> bool:
    """Return whether the scheduler puts a pod with this specification on a node in spite of a taint."""
    return taint.effect == "PreferNoSchedule" or any(
        toleration.effect in ("", taint.effect)
        and toleration.key in ("", taint.key)
        and (toleration.operator == "Exists" or (toleration.key == taint.key and toleration.value == taint.value))
        for toleration in spec.tolerations
    )
