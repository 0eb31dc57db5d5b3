"""What the control plane says if etcd stores nothing any more."""

import re
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.control_plane.leases import without_writes
from kubevitals.inventory.cluster import Cluster
from kubevitals.text import clean, duration

NO_SPACE = re.compile(r"database space exceeded|etcdserver: no space")
"""What etcd answers to each write while its alarm NOSPACE is on, and what its own log says (etcd-io/etcd
api/v3rpc/rpctypes/error.go, server/etcdserver/errors/errors.go)."""

COMPONENTS = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
"""Whose logs are read, in this order: the first two try to renew their Lease every 2 seconds, and log why they fail."""

READ = 6
"""Logs that are read: those of three control-plane nodes, for two components."""

LINE = 300
"""Characters of a line that are kept."""


class NoSpace(NamedTuple):
    """The pod that says that etcd has no space left, and its words."""

    pod: pb.Pod
    said: str


def no_space(cluster: Cluster) -> NoSpace | None:
    """Return who says that etcd is full; nothing if the API server stores what is written to it.

    Raises:
        NotApplicable: there are no Leases.
        NotObserved: nothing was written lately, and no log that could be read says why.
    """
    silence = without_writes(cluster)
    if not silence:
        return None
    for pod in _pods(cluster)[:READ]:
        try:
            lines = cluster.log(pod, pod.metadata.labels["component"], previous=False)
        except NotObserved:
            continue
        for line in reversed(lines):
            if NO_SPACE.search(line):
                return NoSpace(pod, clean(line, LINE))
    raise NotObserved(
        f"no Lease has been renewed for {duration(silence)}, and no log of the control plane says that etcd is full"
    )


def _pods(cluster: Cluster) -> list[pb.Pod]:
    """Return the pods of the control plane, as kubeadm names and labels them."""
    of = {name: number for number, name in enumerate(COMPONENTS)}
    pods = [pod for pod in cluster.pods if pod.metadata.namespace == "kube-system"]
    ours = [pod for pod in pods if pod.metadata.labels.get("component") in of]
    return sorted(ours, key=lambda pod: (of[pod.metadata.labels["component"]], pod.metadata.name))
