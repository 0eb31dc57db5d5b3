"""Replicas that wait to become the leader, and are not ready until then: their readiness probe asks for leadership."""

import re
from collections import Counter

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.shared_pods import is_calm
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import REVISION, Ref, controller, is_ready, ref
from kubevitals.text import listed, plural

_WAITS = re.compile(r"(?i)attempting to acquire leader lease|in slave mode waiting a lock to be acquired")
_LEADS = re.compile(r"(?i)successfully acquired lease|KahaDB is version \d")
"""What Kubernetes' client libraries log (client-go tools/leaderelection/leaderelection.go, and the Java client), and
brokers that share a store (apache/activemq SharedFileLocker.java, MessageDatabase.java)."""

NAMED = 3
"""Pods that the remark names."""

_Replicas = tuple[Ref, str]
"""What replicas of one revision share: their controller, and the hash of the template."""


def is_standby(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod waits for its turn: its log says so, and one replica of the same revision is ready.

    In a rollout, the leader may be of the old revision, and the new pod never becomes ready: that is a fault.
    """
    return ref(pod) in cluster.derive(_standby)


def _standby(cluster: Cluster) -> frozenset[Ref]:
    """Return all standby pods; a remark counts them."""
    running = (pod for pod in cluster.pods if not is_calm(pod) and pod.status.phase == "Running")
    unready = {ref(pod): (replicas, pod) for pod in running if not is_ready(pod) and (replicas := _replicas(pod))}
    asked = {replicas for replicas, _ in unready.values()}
    ready = Counter(of for pod in cluster.pods if asked and (of := _replicas(pod)) in asked and is_ready(pod))
    found = frozenset(name for name, (of, pod) in unready.items() if ready[of] == 1 and _waits(pod, cluster))
    if found:
        told = listed([f"{pod.namespace}/{pod.name}" for pod in found], NAMED)
        cluster.remarks.append(
            f"{plural(len(found), 'pod')} not ready on purpose: waiting to become the leader ({told})"
        )
    return found


def _replicas(pod: pb.Pod) -> _Replicas | None:
    of = controller(pod)
    return (of, pod.metadata.labels.get(REVISION, "")) if of else None


def _waits(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod's only container that is not ready runs, and logged last that it waits."""
    waiting = [status for status in pod.status.containerStatuses if not status.ready]
    if len(waiting) != 1 or not waiting[0].state.HasField("running"):
        return False
    try:
        lines = cluster.log(pod, waiting[0].name, previous=False)
    except NotObserved:
        return False  # it is reported, and says that it may be a standby
    told = [line for line in lines if _WAITS.search(line) or _LEADS.search(line)]
    return bool(told) and bool(_WAITS.search(told[-1]))
