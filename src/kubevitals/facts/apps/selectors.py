"""What the selector of a Service matches: pods and the templates of workloads, looked up by their labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_finished, owner, ref

T = TypeVar("T")


class Workload(NamedTuple):
    """A workload, or a pod that none of the known workloads made.

    Attributes:
        labels: those of its pods' template.
        replicas: how many pods it is to have; 1 if that is decided elsewhere, as for a DaemonSet.
    """

    obj: Ref
    labels: Mapping[str, str]
    replicas: int


class ByLabel(Generic[T]):
    """Objects by namespace and label, so that a selector is compared only with those that have its rarest label."""

    def __init__(self, objects: Iterable[tuple[str, Mapping[str, str], T]]) -> None:
        self._by_label: dict[tuple[str, str, str], list[tuple[Mapping[str, str], T]]] = defaultdict(list)
        for namespace, labels, obj in objects:
            for key, value in labels.items():
                self._by_label[namespace, key, value].append((labels, obj))

    def matching(self, namespace: str, selector: Mapping[str, str]) -> list[T]:
        """Return the objects of a namespace that have all labels of a selector, which has at least one."""
        having = [self._by_label.get((namespace, *label), []) for label in selector.items()]
        rarest = min(having, key=len)
        return [obj for labels, obj in rarest if matches(selector, labels)]


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether the labels have all that a selector asks for."""
    return all(labels.get(key) == value for key, value in selector.items())


def pods_by_label(cluster: Cluster) -> ByLabel[Sequence[pb.Pod]]:
    """Return all pods by their labels, in groups that are alike, finished ones too."""
    return ByLabel((pods[0].metadata.namespace, pods[0].metadata.labels, pods) for pods in cluster.alike_pods)


def workloads_by_label(cluster: Cluster) -> ByLabel[Workload]:
    """Return all workloads by the labels of their pods' templates."""
    return ByLabel((workload.obj.namespace, workload.labels, workload) for workload in _workloads(cluster))


def _workloads(cluster: Cluster) -> Iterator[Workload]:
    for deployment in cluster.deployments:
        spec = deployment.spec
        yield Workload(ref(deployment), spec.template.metadata.labels, spec.replicas)
    for stateful_set in cluster.stateful_sets:
        yield Workload(ref(stateful_set), stateful_set.spec.template.metadata.labels, stateful_set.spec.replicas)
    for daemon_set in cluster.daemon_sets:
        yield Workload(ref(daemon_set), daemon_set.spec.template.metadata.labels, 1)
    for cron_job in cluster.cron_jobs:
        yield Workload(ref(cron_job), cron_job.spec.jobTemplate.spec.template.metadata.labels, 0)


def workloads_by_namespace(cluster: Cluster) -> Mapping[str, list[Workload]]:
    """Return the workloads of each namespace, and the running pods that none of them made, one for each owner."""
    known = {workload.obj: workload for workload in _workloads(cluster)}
    others = {}
    for pods in cluster.alike_pods:
        maker = owner(pods[0])
        for pod in () if maker in known else pods:
            if not is_finished(pod):
                others[maker or ref(pod)] = Workload(maker or ref(pod), pod.metadata.labels, 1)
    namespaces: dict[str, list[Workload]] = defaultdict(list)
    for workload in (*known.values(), *others.values()):
        namespaces[workload.obj.namespace].append(workload)
    return namespaces


def labels_set_later(cluster: Cluster) -> frozenset[tuple[str, str]]:
    """Return, by namespace, the keys of labels that controllers and applications set on pods, and no template has.

    Operators of databases label the pod that leads: a Service for replicas selects nothing while there are none.
    """
    owned = (pods[0].metadata for pods in cluster.alike_pods if owner(pods[0]))
    on_pods = {(metadata.namespace, key) for metadata in owned for key in metadata.labels}
    return frozenset(on_pods) - {
        (workload.obj.namespace, key) for workload in _workloads(cluster) for key in workload.labels
    }
