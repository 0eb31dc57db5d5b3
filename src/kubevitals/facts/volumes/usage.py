"""How full the volumes of PersistentVolumeClaims are: by kubelets' figures, or by what their pods report."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, observed
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.no_space import NO_SPACE, explain_no_space, writable_mounts
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster, claim_name, claim_names
from kubevitals.inventory.events import is_current, last_seen
from kubevitals.objects import is_ready, turned_at
from kubevitals.threshold import Threshold

ClaimName = tuple[str, str]
"""The namespace and the name of a PersistentVolumeClaim."""

BY_DESIGN = "kubevitals.io/full-by-design"
"""The label of a PersistentVolumeClaim that may be full."""

COUNTED = Threshold(
    "storage-full.counted",
    180,
    "seconds after which a pod's volumes must have figures; kubelets count them once a minute (volumeStatsAggPeriod)",
)

_CONTAINER = re.compile(r"ontainers\{([^}]{1,253})\}")


@dataclass(frozen=True, slots=True)
class VolumeFigures:
    """Kubelets' figures of claims' volumes.

    Attributes:
        by_claim: the figures of each claim's volume.
        of_nodes: claims whose figures are those of the node's disk: a plain directory.
        nodes: the nodes whose kubelets were observed, and `unseen` why others were not.
    """

    by_claim: Mapping[ClaimName, kubelet.Volume]
    of_nodes: frozenset[ClaimName]
    nodes: frozenset[str]
    unseen: NotObserved | None


def volume_figures(cluster: Cluster) -> VolumeFigures:
    """Return how full the volumes of all claims are, as far as kubelets know."""
    summaries = observed(kubelet.summaries(cluster))
    by_claim: dict[ClaimName, kubelet.Volume] = {}
    of_nodes: set[ClaimName] = set()
    for _, summary in summaries.items:
        whole = summary.node.fs.capacityBytes if summary.node.fs else None
        for figures in (volume for pod in summary.pods or () for volume in pod.volume or ()):
            if figures.pvcRef and figures.capacityBytes:
                name = (figures.pvcRef.namespace, figures.pvcRef.name)
                if figures.capacityBytes == whole:
                    of_nodes.add(name)
                else:
                    by_claim.setdefault(name, figures)
    nodes = frozenset(node.metadata.name for node, _ in summaries.items)
    return VolumeFigures(by_claim, frozenset(of_nodes), nodes, summaries.unseen)


def is_skipped(claim: pb.PersistentVolumeClaim) -> bool:
    """Return whether nothing is to be said of how full a claim's volume is: read-only, a block device, or by design."""
    is_only_read = list(claim.spec.accessModes) == ["ReadOnlyMany"]
    return is_only_read or claim.spec.volumeMode == "Block" or claim.metadata.labels.get(BY_DESIGN) == "true"


def claims_without_figures(cluster: Cluster) -> dict[ClaimName, pb.PersistentVolumeClaim]:
    """Return the claims that running pods use and that no kubelet has figures of, though it should have by now."""
    figures = cluster.derive(volume_figures)
    names = {
        (pod.metadata.namespace, name)
        for pod in cluster.pods
        if pod.status.phase == "Running" and pod.spec.nodeName in figures.nodes
        if cluster.over(pod.status.startTime, COUNTED)
        for name in claim_names(pod)
    }
    claims = {name: cluster.claims_by_name[name] for name in sorted(names) if name in cluster.claims_by_name}
    known = figures.by_claim.keys() | figures.of_nodes
    return {name: claim for name, claim in claims.items() if name not in known and not is_skipped(claim)}


def has_host_path(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether the claim's volume is a directory of its node, of which no kubelet ever has figures.

    It shares the node's disk (kubernetes/kubernetes pkg/volume/hostpath: MetricsNil).
    """
    bound = cluster.volumes_by_name.get(claim.spec.volumeName)
    return bound is not None and bound.spec.persistentVolumeSource.HasField("hostPath")


class SpaceReport(NamedTuple):
    """What a container says about a volume without figures that has no space left.

    Attributes:
        volume: the pod's volume, by its name.
        is_certain: whether the message has a path on the volume; else it is the container's only such volume.
        claim: the volume's claim, or nothing.
    """

    pod: pb.Pod
    container: str
    text: str
    volume: str
    is_certain: bool
    claim: pb.PersistentVolumeClaim | None


def space_reports(cluster: Cluster) -> list[SpaceReport]:
    """Return what containers say about full volumes that no kubelet has figures of."""
    return [report for message in _messages(cluster) if (report := _report(*message, cluster))]


Message = tuple[pb.Pod, str, str]
"""A pod, its container, and what that says about missing space."""


def _messages(cluster: Cluster) -> Iterator[Message]:
    yield from _answers(cluster)
    for symptom in observed(broken_pods(cluster, PodFault.NO_SPACE_IN_LOG)).items:
        yield symptom.pod, symptom.status.name, symptom.words


def _answers(cluster: Cluster) -> Iterator[Message]:
    """Yield what containers answer to their probes at present."""
    pods = {(pod.metadata.namespace, pod.metadata.name): pod for pod in cluster.pods}
    for event in cluster.all_events:
        container = _CONTAINER.search(event.involvedObject.fieldPath)
        if event.reason == "Unhealthy" and container and NO_SPACE in event.message.lower():
            pod = pods.get((event.involvedObject.namespace, event.involvedObject.name))
            recovered = pod is not None and is_ready(pod) and turned_at(pod).seconds > last_seen(event)
            if pod and is_current(event, cluster.now) and not recovered:
                yield pod, container[1], event.message


def _report(pod: pb.Pod, container: str, text: str, cluster: Cluster) -> SpaceReport | None:
    cause = explain_no_space(text, pod, cluster, container)
    candidates = [volume.name for volume in writable_mounts(pod, container) if _lacks_figures(pod, volume, cluster)]
    name = cause.volume or (candidates[0] if cause.is_unknown and len(candidates) == 1 else "")
    volume = next((volume for volume in pod.spec.volumes if volume.name == name and name in candidates), None)
    if volume is None:
        return None
    claim = cluster.claims_by_name.get((pod.metadata.namespace, claim_name(pod, volume)))
    return SpaceReport(pod, container, text, name, bool(cause.volume), claim)


def _lacks_figures(pod: pb.Pod, volume: pb.Volume, cluster: Cluster) -> bool:
    name = (pod.metadata.namespace, claim_name(pod, volume))
    claim = cluster.claims_by_name.get(name)
    return name not in cluster.derive(volume_figures).by_claim and not (claim and is_skipped(claim))
