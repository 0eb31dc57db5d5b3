"""A pod or a namespace is being deleted, and does not go.

Meaning:
    A pod is still there long after its grace period: its node is down, the kubelet cannot stop it, or a finalizer is
    not removed. A namespace goes only when all that is in it is gone, and when the API server can list all kinds.

Impact:
    A StatefulSet does not replace a pod that is not gone. A namespace that is being deleted accepts no new objects, and
    cannot be created again.

Diagnosis:
    `kubectl get pod -o yaml` shows deletionTimestamp and finalizers, `kubectl describe pod` the events of the kubelet.
    `kubectl get namespace -o yaml` shows in its conditions what is left, and why.

Mitigation:
    Bring the node or the controller back that has to finish the deletion. Remove a finalizer by hand only if its
    controller is uninstalled: what it would have cleaned up is left behind.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.terminating import OVERDUE, overdue_pods, what_keeps
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import CONCERNED, SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, owner, ref
from kubevitals.text import duration
from kubevitals.threshold import Threshold

EXPLAINS = (
    Explains(("node-ready",), SAME_NODE, ("terminating[pod]",)),
    Explains(
        ("cni-daemonset", "ip-allocation"), SAME_NODE, ("terminating[pod]",), words="cni|network for sandbox|teardown"
    ),
    Explains(("terminating[pod]", "volume-claim[delete-failed]"), CONCERNED, ("terminating[namespace]",)),
)

DELETION = Threshold(
    "terminating.namespace",
    900,
    "seconds that the deletion of a namespace may take: what is in it is deleted first, pods with their grace periods",
)

CONTENT, FINALIZERS = "NamespaceContentRemaining", "NamespaceFinalizersRemaining"
NOT_DELETED, NOT_LISTED = "NamespaceDeletionContentFailure", "NamespaceDeletionDiscoveryFailure"
NOT_PARSED = "NamespaceDeletionGroupVersionParsingFailure"
"""Conditions of a namespace that is being deleted (kubernetes/api core/v1/types.go)."""

_LEFT = re.compile(r"(?P<kind>[a-z0-9.-]{1,300}) has (?P<count>\d{1,9}) resource instances")
_FINALIZER = re.compile(r"(?P<name>[^\s,:]{1,300}) in (?P<count>\d{1,9}) resource instances")
"""How the namespace controller counts what is left (pkg/controller/namespace/deletion/status_condition_utils.go)."""

_GROUP_VERSION = re.compile(r"(?P<group>[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,9})/(?P<version>v[a-z0-9]{1,30})\b")

_CALLED = re.compile(r"https://(?P<service>[a-z0-9-]{1,63})\.(?P<namespace>[a-z0-9-]{1,63})\.svc[:/]")
_CONVERSION = re.compile(r"conversion webhook for \S{1,300}, Kind=(?P<kind>\w{1,63}) failed")
"""How the API server names a webhook (apiserver pkg/util/webhook/error.go, apiextensions-apiserver conversion)."""

NAMED = 5
"""Kinds, finalizers and objects that a finding names."""


def pod(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that are still there `terminating.pod` after their grace period.

    It is a warning where nothing runs any more and no StatefulSet waits for the name.
    """
    for stuck in overdue_pods(cluster):
        remains, controller = what_keeps(stuck, cluster), owner(stuck)
        waits = controller is not None and controller.kind == "StatefulSet"
        past = duration(cluster.age(stuck.metadata.deletionTimestamp))
        yield pod_finding(
            stuck,
            says=f"is being deleted and does not go: {remains.why}",
            remedy=remains.remedy.replace("NODE", stuck.spec.nodeName),
            evidence=[f"{past} past its grace period", *pod_lines(stuck, cluster)],
            severity=Severity.ERROR if waits or remains.is_running else Severity.WARNING,
        )


class Obstacle(NamedTuple):
    """What keeps a namespace: a clause, what to do, and the API services or Services that do not answer."""

    why: str
    remedy: str
    concerns: tuple[Ref, ...] = ()


def namespace(cluster: Cluster) -> Iterator[Finding]:
    """Find namespaces whose deletion takes longer than `terminating.namespace`, and where no pod has time left."""
    for stuck in cluster.namespaces:
        name, since = stuck.metadata.name, stuck.metadata.deletionTimestamp
        is_due = stuck.status.phase == "Terminating" and bool(since.seconds) and cluster.over(since, DELETION)
        if not is_due or not cluster.scope.covers(name):
            continue
        leaving = cluster.derive(_leaving)[name]
        if any(not cluster.over(pod.metadata.deletionTimestamp, OVERDUE) for pod in leaving):
            continue
        obstacle = _obstacle(stuck)
        held = [*map(ref, leaving), *cluster.derive(_leaving_claims)[name]]
        yield Finding(
            ref(stuck),
            says=f"is being deleted and does not go: {obstacle.why}",
            remedy=obstacle.remedy,
            evidence=_lines(stuck, held, cluster),
            severity=Severity.WARNING,
            concerns=(*obstacle.concerns, *held),
            since=since.seconds,
        )


def _leaving(cluster: Cluster) -> Mapping[str, list[pb.Pod]]:
    """Return the pods that are being deleted, by namespace."""
    pods: dict[str, list[pb.Pod]] = defaultdict(list)
    for one in cluster.pods:
        if one.metadata.HasField("deletionTimestamp"):
            pods[one.metadata.namespace].append(one)
    return pods


def _leaving_claims(cluster: Cluster) -> Mapping[str, list[Ref]]:
    """Return the PersistentVolumeClaims that are being deleted, by namespace."""
    claims: dict[str, list[Ref]] = defaultdict(list)
    for claim in cluster.claims:
        if claim.metadata.HasField("deletionTimestamp"):
            claims[claim.metadata.namespace].append(ref(claim))
    return claims


def _obstacle(stuck: pb.Namespace) -> Obstacle:
    """Return what keeps a namespace: first what keeps the controller from looking at all, then what is left."""
    said = {c.type: c.message for c in stuck.status.conditions if c.status == "True"}
    if NOT_LISTED in said:
        return _unlisted(said[NOT_LISTED])
    if failed := said.get(NOT_PARSED) or said.get(NOT_DELETED):
        return _undeletable(failed)
    if FINALIZERS in said:
        return _finalizers(stuck, said[FINALIZERS], said.get(CONTENT, ""))
    if CONTENT in said:
        kinds = _kinds(said[CONTENT])
        return Obstacle(f"in it are left {_counted(kinds, said[CONTENT])}", _look(stuck, kinds))
    if own := [name for name in stuck.metadata.finalizers if name != "kubernetes"]:
        named = ", ".join(sorted(own)[:NAMED])
        return Obstacle(f"its finalizer {named} is not removed", _CONTROLLER)
    return Obstacle("nothing deletes what is in it", "check that kube-controller-manager runs")


_CONTROLLER = "find out why the controller of that finalizer does not remove it, or whether it is still installed"


def _undeletable(message: str) -> Obstacle:
    """Return what keeps the content: often a webhook, for deletions or conversions, whose Service was deleted first."""
    why, called = f"its content cannot be deleted: {message}", _CALLED.search(message)
    if not called:
        return Obstacle(why, "fix what the message reports")
    service = Ref("Service", called["namespace"], called["service"])
    of = _CONVERSION.search(message)
    leftover = f"the CustomResourceDefinition of {of['kind']}" if of else "the configuration of the webhook"
    return Obstacle(
        why, f"bring {service} back, or delete {leftover} if what it belonged to was uninstalled", (service,)
    )


def _unlisted(message: str) -> Obstacle:
    services = sorted({f"{match['version']}.{match['group']}" for match in _GROUP_VERSION.finditer(message)})[:NAMED]
    if not services:
        return Obstacle(f"the API server cannot list all kinds: {message}", "fix what the message reports")
    return Obstacle(
        f"the API server cannot list all kinds: APIService {', '.join(services)} does not answer",
        f"bring its Service back, or delete it if it is not needed: kubectl get apiservice {services[0]}",
        tuple(Ref("APIService", "", service) for service in services),
    )


def _finalizers(stuck: pb.Namespace, message: str, left: str) -> Obstacle:
    found, kinds = [(m["name"], m["count"]) for m in _FINALIZER.finditer(message)][:NAMED], _kinds(left)
    named = ", ".join(f"{name} ({count}×)" for name, count in found) or message
    content = f" on {_counted(kinds, left)}" if kinds else ""
    return Obstacle(f"finalizers are not removed{content}: {named}", f"{_CONTROLLER}; {_look(stuck, kinds)}")


def _kinds(message: str) -> list[tuple[str, str]]:
    """Return the kinds that are left and how many objects of each: ``("configmaps", "1")``."""
    return [(match["kind"].rstrip("."), match["count"]) for match in _LEFT.finditer(message)][:NAMED]


def _counted(kinds: list[tuple[str, str]], message: str) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds) or message


def _look(stuck: pb.Namespace, kinds: list[tuple[str, str]]) -> str:
    listed = ",".join(kind for kind, _ in kinds) or "all"
    return f"see them: kubectl -n {stuck.metadata.name} get {listed}"


def _lines(stuck: pb.Namespace, held: list[Ref], cluster: Cluster) -> Iterator[str]:
    yield f"being deleted for {duration(cluster.age(stuck.metadata.deletionTimestamp))}"
    for condition in stuck.status.conditions:
        if condition.status == "True":
            yield f"{condition.type}: {condition.message}"
    for obj in held[:NAMED]:
        yield f"being deleted in it: {obj}"
    yield from event_lines(stuck, cluster)


@check(pod, namespace, chapter="5.7")
def test_deletions_finish() -> None:
    """Whatever is being deleted goes."""
