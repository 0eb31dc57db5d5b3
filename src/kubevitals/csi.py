"""Which pods make up a CSI driver, and on which nodes it should be registered."""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.inventory import Cluster
from kubevitals.placement import belongs_on
from kubevitals.pod_states import is_down
from kubevitals.threshold import Threshold

DRIVER_START = Threshold(
    "volume-claim.driver-start", 120, "a driver's pod and its registration take up to a minute to start"
)

_CONTROLLER_SIDECARS = frozenset({"csi-provisioner", "csi-attacher", "csi-resizer", "csi-snapshotter"})


def unready_pods(driver: str, cluster: Cluster) -> list[pb.Pod]:
    """Return the driver's pods, of its nodes and of its controller, that are not ready and have had time to be."""
    own = [pod for pod in cluster.pods if _is_node_plugin(pod.spec, driver)]
    namespaces = {pod.metadata.namespace for pod in own}
    controllers = [pod for pod in cluster.pods if pod.metadata.namespace in namespaces and _is_controller(pod)]
    return [pod for pod in [*own, *controllers] if _is_down(pod, cluster)]


def missing_on_nodes(driver: str, cluster: Cluster) -> Iterator[pb.Node]:
    """Yield the nodes where the driver's DaemonSet belongs but the driver is not registered, though it is on others.

    Where the driver's pod on the node is down, that is the fault.
    """
    down = {pod.spec.nodeName for pod in unready_pods(driver, cluster)}
    registered = {node.metadata.name for node in cluster.csi_nodes if any(d.name == driver for d in node.spec.drivers)}
    plugins = [
        daemon_set.spec.template.spec
        for daemon_set in cluster.daemon_sets
        if _is_node_plugin(daemon_set.spec.template.spec, driver)
    ]
    if not registered or not plugins:
        return
    for node in cluster.nodes:
        if (
            node.metadata.name not in registered | down
            and cluster.over(node.metadata.creationTimestamp, DRIVER_START)
            and any(belongs_on(spec, node) for spec in plugins)
        ):
            yield node


def _is_node_plugin(spec: pb.PodSpec, driver: str) -> bool:
    """Return whether the pod holds the driver's socket: by convention in the kubelet's folder plugins/DRIVER."""
    return any(driver in volume.volumeSource.hostPath.path.split("/") for volume in spec.volumes)


def _is_controller(pod: pb.Pod) -> bool:
    return any(container.name in _CONTROLLER_SIDECARS for container in pod.spec.containers)


def _is_down(pod: pb.Pod, cluster: Cluster) -> bool:
    gone = pod.metadata.HasField("deletionTimestamp") or pod.status.phase == "Succeeded"
    return not gone and is_down(pod, cluster, DRIVER_START)
