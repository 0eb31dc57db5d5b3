"""Which pods and workloads belong to a CSI driver, which are missing, and where the driver is not registered."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import settled_nodes
from kubevitals.facts.nodes.placement import belongs_on, exclusion
from kubevitals.facts.pods.states import is_down
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_finished, is_ready, owner, ref, turned_at
from kubevitals.threshold import Threshold

DRIVER_START = Threshold(
    "volume-claim.driver-start",
    120,
    "seconds for which a driver's pod may be unready: its start and its registration take up to a minute",
)

Controller = pb.Deployment | pb.StatefulSet

_CONTROLLER_SIDECARS = frozenset({"csi-provisioner", "csi-attacher", "csi-resizer", "csi-snapshotter"})
"""The containers beside a driver's controller, by the names in the drivers' manifests (kubernetes-csi.github.io)."""


def unready_pods(driver: str, cluster: Cluster) -> list[pb.Pod]:
    """Return the driver's pods, node plugins and controllers, that have not been ready for `volume-claim.driver-start`.

    Pods on a node that is not ready do not count: the node is at fault.
    """
    return [pod for pod in cluster.derive(_pods_by_driver).get(driver, ()) if _is_down(pod, cluster)]


def lost_controllers(driver: str, cluster: Cluster) -> list[Controller]:
    """Return the driver's controllers, Deployments and StatefulSets, that have no pod at all."""
    owners = {owner for owner, _ in cluster.derive(_pods_by_owner)}
    controllers = cluster.derive(_controllers_by_driver).get(driver, ())
    return [
        controller
        for controller in controllers
        if ref(controller) not in owners and cluster.over(controller.metadata.creationTimestamp, DRIVER_START)
    ]


def node_plugin(folder: str, node: str, cluster: Cluster) -> pb.Pod | None:
    """Return the pod on the node whose DaemonSet mounts the folder of a driver's socket, or nothing.

    The folder is usually named like the driver.
    """
    pods = cluster.derive(_pods_by_owner)
    daemon_sets = cluster.derive(_daemon_sets_by_folder).get(folder, ())
    return next((pods[ref(d), node] for d in daemon_sets if (ref(d), node) in pods), None)


def absent_plugin(folder: str, node: pb.Node, cluster: Cluster) -> tuple[Ref, str] | None:
    """Return the driver's DaemonSet that has no pod on this node, and why; nothing if it has one, or none exists."""
    daemon_sets = cluster.derive(_daemon_sets_by_folder).get(folder, ())
    if not daemon_sets or node_plugin(folder, node.metadata.name, cluster):
        return None
    spec = daemon_sets[0].spec.template.spec
    why = exclusion(spec, node) or "its pod was not created"
    if not any(belongs_on(spec, other) for other in cluster.nodes):
        why += ", and no other node fits either"
    return ref(daemon_sets[0]), why


def _pods_by_owner(cluster: Cluster) -> Mapping[tuple[Ref | None, str], pb.Pod]:
    return {(owner(pod), pod.spec.nodeName): pod for pod in cluster.pods if not is_finished(pod)}


def _daemon_sets_by_folder(cluster: Cluster) -> Mapping[str, list[pb.DaemonSet]]:
    daemon_sets: dict[str, list[pb.DaemonSet]] = defaultdict(list)
    for daemon_set in cluster.daemon_sets:
        for folder in _folders(daemon_set.spec.template.spec):
            daemon_sets[folder].append(daemon_set)
    return daemon_sets


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
        for daemon_set in cluster.derive(_daemon_sets_by_folder).get(driver, ())
        if cluster.over(daemon_set.metadata.creationTimestamp, DRIVER_START)
    ]
    if not registered or not plugins:
        return
    for node in cluster.derive(settled_nodes):
        if node.metadata.name not in registered | excused and any(belongs_on(spec, node) for spec in plugins):
            yield node


def is_controller(pod: pb.Pod) -> bool:
    """Return whether a pod of a driver is its controller, or a part of it."""
    return _has_sidecar(pod.spec)


def driver_names(cluster: Cluster) -> frozenset[str]:
    """Return the names of all CSIDrivers."""
    return frozenset(driver.metadata.name for driver in cluster.csi_drivers)


def _pods_by_driver(cluster: Cluster) -> Mapping[str, list[pb.Pod]]:
    """Return each driver's pods: those that mount its socket's folder, and the controller's in the same namespace."""
    drivers = cluster.derive(driver_names)
    pods: dict[str, list[pb.Pod]] = defaultdict(list)
    for pod in cluster.pods:
        for driver in drivers & _folders(pod.spec):
            pods[driver].append(pod)
    plugins = {(pod.metadata.namespace, _owner_name(pod), driver) for driver in pods for pod in pods[driver]}
    for pod in filter(is_controller, cluster.pods):
        for driver in _controlled(pod.metadata.namespace, _owner_name(pod), plugins) - _folders(pod.spec):
            pods[driver].append(pod)
    return pods


def _controllers_by_driver(cluster: Cluster) -> Mapping[str, list[Controller]]:
    plugins = {
        (daemon_set.metadata.namespace, daemon_set.metadata.name, driver.metadata.name)
        for driver in cluster.csi_drivers
        for daemon_set in cluster.derive(_daemon_sets_by_folder).get(driver.metadata.name, ())
    }
    controllers: dict[str, list[Controller]] = defaultdict(list)
    workloads: tuple[Controller, ...] = (*cluster.deployments, *cluster.stateful_sets)
    for workload in workloads:
        if _has_sidecar(workload.spec.template.spec):
            for driver in _controlled(workload.metadata.namespace, workload.metadata.name, plugins):
                controllers[driver].append(workload)
    return controllers


def _controlled(namespace: str, controller: str, plugins: Iterable[tuple[str, str, str]]) -> set[str]:
    """Return the drivers whose plugin has most of its name's beginning in common with the controller.

    ``ebs-csi-controller`` belongs to the driver of ``ebs-csi-node``.
    """
    in_common = [
        (_length_in_common(controller, plugin), driver) for place, plugin, driver in plugins if place == namespace
    ]
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


def _has_sidecar(spec: pb.PodSpec) -> bool:
    return any(container.name in _CONTROLLER_SIDECARS for container in spec.containers)


def _is_down(pod: pb.Pod, cluster: Cluster) -> bool:
    has_ended = pod.metadata.HasField("deletionTimestamp") or is_finished(pod)
    return not has_ended and not _is_on_dead_node(pod, cluster) and is_down(pod, cluster, DRIVER_START)


def _is_on_dead_node(pod: pb.Pod, cluster: Cluster) -> bool:
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    return bool(pod.spec.nodeName) and not (node and is_ready(node))
