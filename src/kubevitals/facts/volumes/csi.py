"""Which pods belong to a CSI driver, and on which nodes the driver should be registered."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import settled_nodes
from kubevitals.facts.nodes.placement import belongs_on
from kubevitals.facts.pods.states import is_down
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished, is_ready, owner, ref, turned_at
from kubevitals.threshold import Threshold

DRIVER_START = Threshold(
    "volume-claim.driver-start",
    120,
    "seconds for which a driver's pod may be unready: its start and its registration take up to a minute",
)

_CONTROLLER_SIDECARS = frozenset({"csi-provisioner", "csi-attacher", "csi-resizer", "csi-snapshotter"})


def unready_pods(driver: str, cluster: Cluster) -> list[pb.Pod]:
    """Return the driver's pods, node plugins and controllers, that have not been ready for `volume-claim.driver-start`.

    Pods on a node that is not ready do not count: the node is at fault.
    """
    return [pod for pod in cluster.derive(_pods_by_driver).get(driver, ()) if _is_down(pod, cluster)]


def missing_on_nodes(driver: str, cluster: Cluster) -> Iterator[pb.Node]:
    """Yield the nodes where the driver's DaemonSet runs, but the driver is not registered although it is on others.

    Nodes where the driver's pod is down do not count, since the pod is at fault, nor those where it has just started.
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
    """Return each driver's pods: those that mount its socket's folder, and the controller's in the same namespace."""
    drivers = {driver.metadata.name for driver in cluster.csi_drivers}
    pods: dict[str, list[pb.Pod]] = defaultdict(list)
    for pod in cluster.pods:
        for driver in drivers & _folders(pod.spec):
            pods[driver].append(pod)
    plugins = {(pod.metadata.namespace, _owner_name(pod), driver) for driver in pods for pod in pods[driver]}
    for pod in filter(_is_controller, cluster.pods):
        near = [(plugin, driver) for namespace, plugin, driver in plugins if namespace == pod.metadata.namespace]
        for driver in _most_alike(_owner_name(pod), near) - _folders(pod.spec):
            pods[driver].append(pod)
    return pods


def _most_alike(controller: str, plugins: list[tuple[str, str]]) -> set[str]:
    """Return the drivers whose plugin has most of its name's beginning in common with the controller.

    ``ebs-csi-controller`` belongs to the driver of ``ebs-csi-node``.
    """
    in_common = [(_length_in_common(controller, plugin), driver) for plugin, driver in plugins]
    most = max(in_common, default=(0, ""))[0]
    return {driver for length, driver in in_common if length == most}


def _length_in_common(one: str, other: str) -> int:
    differences = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differences, min(len(one), len(other)))


def _owner_name(pod: pb.Pod) -> str:
    return (owner(pod) or ref(pod)).name


def _folders(spec: pb.PodSpec) -> set[str]:
    """Return the parts of the paths that the pod mounts from its node: a driver's socket is in plugins/DRIVER.

    That is the convention for CSI drivers (kubernetes/design-proposals-archive storage/container-storage-interface.md).
    """
    return {folder for volume in spec.volumes for folder in volume.volumeSource.hostPath.path.split("/")}


def _is_controller(pod: pb.Pod) -> bool:
    return any(container.name in _CONTROLLER_SIDECARS for container in pod.spec.containers)


def _is_down(pod: pb.Pod, cluster: Cluster) -> bool:
    has_ended = pod.metadata.HasField("deletionTimestamp") or is_finished(pod)
    return not has_ended and not _is_on_dead_node(pod, cluster) and is_down(pod, cluster, DRIVER_START)


def _is_on_dead_node(pod: pb.Pod, cluster: Cluster) -> bool:
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    return bool(pod.spec.nodeName) and not (node and is_ready(node))
