"""Pods that are bound to a node that does not exist: a nodeName in their template, of which no scheduler is asked."""

from collections.abc import Mapping
from contextlib import suppress

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, owner, ref


def is_on_absent_node(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod's node does not exist; not if nodes are not observed."""
    with suppress(NotObserved):
        return bool(cluster.nodes) and pod.spec.nodeName not in cluster.nodes_by_name
    return False


def is_made_for_absent_node(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the template of the pod's workload names a node that does not exist.

    No such pod gets old: it is deleted after 40 s, and created again (kubernetes/kubernetes
    pkg/controller/podgc/gc_controller.go, gcOrphaned).
    """
    with suppress(NotObserved):
        of = owner(pod)
        is_named = of is not None and cluster.derive(_node_names).get(of) == pod.spec.nodeName
        return is_named and is_on_absent_node(pod, cluster)
    return False


def _node_names(cluster: Cluster) -> Mapping[Ref, str]:
    """Return the nodes that templates of workloads name."""
    workloads: tuple[pb.Deployment | pb.StatefulSet, ...] = (*cluster.deployments, *cluster.stateful_sets)
    return {ref(workload): name for workload in workloads if (name := workload.spec.template.spec.nodeName)}
