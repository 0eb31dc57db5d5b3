"""Which pods make up a CSI driver, and on which nodes it should be registered."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import takewhile
from operator import eq

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import settled_nodes
from kubevitals.facts.nodes.placement import belongs_on
from kubevitals.facts.pods.states import is_down
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished, is_ready, owner, ref, turned_at
from kubevitals.threshold import Threshold

DRIVER_START = Threshold(
    "volume-claim.driver-start", 120, "a driver's pod and its registration take up to a minute to start"
)

_CONTROLLER_SIDECARS = frozenset({"csi-provisioner", "csi-attacher", "csi-resizer", "csi-snapshotter"})


def unready_pods(driver: str, cluster: Cluster) -> list[pb.Pod]:
    """Return the driver's pods, of its nodes and of its controller, that are not ready and have had time to be.

    On a node that is down no pod is ready: that is the node's fault.
    """
    return [pod for pod in cluster.derive(_pods_by_driver).get(driver, ()) if _is_down(pod, cluster)]


def missing_on_nodes(driver: str, cluster: Cluster) -> Iterator[pb.Node]:
    """Yield the nodes where the driver's DaemonSet belongs but the driver is not registered, though it is on others.

    Where the driver's pod on the node is down, that is the fault; where it has just started, it may yet register.
    """
    excused = {
        pod.spec.nodeName
        for pod in cluster.derive(_pods_by_driver).get(driver, ())
        if _is_down(pod, cluster) or not cluster.over(turned_at(pod), DRIVER_START)
    }
    registered = {node.metadata.name for node in cluster.csi_nodes if any(d.name == driver for d in node.spec.drivers)}
    plugins = [
        daemon_set.spec.template.spec
        for daemon_set in cluster.daemon_sets
        if driver in _folders(daemon_set.spec.template.spec)
        and cluster.over(daemon_set.metadata.creationTimestamp, DRIVER_START)
    ]
    if not registered or not plugins:
        return
    for node in cluster.derive(settled_nodes):
        if node.metadata.name not in registered | excused and any(belongs_on(spec, node) for spec in plugins):
            yield node


def _pods_by_driver(cluster: Cluster) -> Mapping[str, list[pb.Pod]]:
    """Return the pods that make up each driver: those that hold its socket, and its controller's in their namespace."""
    drivers = {driver.metadata.name for driver in cluster.csi_drivers}
    found: dict[str, list[pb.Pod]] = defaultdict(list)
    for pod in cluster.pods:
        for driver in drivers & _folders(pod.spec):
            found[driver].append(pod)
    plugins = {(pod.metadata.namespace, _maker(pod), driver) for driver, own in found.items() for pod in own}
    for pod in filter(_is_controller, cluster.pods):
        near = [(maker, driver) for place, maker, driver in plugins if place == pod.metadata.namespace]
        for driver in _most_alike(_maker(pod), near) - _folders(pod.spec):
            found[driver].append(pod)
    return found


def _most_alike(controller: str, plugins: list[tuple[str, str]]) -> set[str]:
    """Return the drivers whose plugin is named most like the controller: ``ebs-csi-node``, ``ebs-csi-controller``."""
    alike = [(sum(takewhile(bool, map(eq, controller, maker))), driver) for maker, driver in plugins]
    most = max(alike, default=(0, ""))[0]
    return {driver for length, driver in alike if length == most}


def _maker(pod: pb.Pod) -> str:
    return (owner(pod) or ref(pod)).name


def _folders(spec: pb.PodSpec) -> set[str]:
    """Return the folders that the pod mounts of its node: a driver's socket is by convention in plugins/DRIVER."""
    return {folder for volume in spec.volumes for folder in volume.volumeSource.hostPath.path.split("/")}


def _is_controller(pod: pb.Pod) -> bool:
    return any(container.name in _CONTROLLER_SIDECARS for container in pod.spec.containers)


def _is_down(pod: pb.Pod, cluster: Cluster) -> bool:
    gone = pod.metadata.HasField("deletionTimestamp") or is_finished(pod)
    return not gone and not _is_on_dead_node(pod, cluster) and is_down(pod, cluster, DRIVER_START)


def _is_on_dead_node(pod: pb.Pod, cluster: Cluster) -> bool:
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    return bool(pod.spec.nodeName) and not (node and is_ready(node))
