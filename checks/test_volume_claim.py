"""A PersistentVolumeClaim (PVC) cannot be bound, attached, mounted, expanded or deleted.

Meaning:
    A pod's PVC is not bound to a PersistentVolume (its StorageClass or volume is missing, the provisioner fails or
    does not respond), or the volume cannot be attached to the pod's node (still attached to another node, used by
    another pod, the CSI attacher does not respond) or mounted there (driver missing, wrong file system, server
    unreachable). Or an expansion or a deletion does not finish, or a CSI driver is down.

Impact:
    Pods that need the volume stay in Pending or ContainerCreating. Pods that have it mounted keep running.

Diagnosis:
    `kubectl describe pvc` and `kubectl describe pod` show the events; `kubectl get storageclass,pv,volumeattachments`
    shows what exists. The CSI driver's controller and its pod on the node have logs.

Mitigation:
    Fix what the finding names. To free a volume that a dead node holds, delete the Node, or give it the taint
    node.kubernetes.io/out-of-service; never delete a VolumeAttachment while the node may still write to the volume.
"""

from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.why_ended import why_crashing
from kubevitals.facts.pods.down_lines import down_lines
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.volumes.attaching import unattached
from kubevitals.facts.volumes.binding import WhyUnbound, why_lost, why_unbound
from kubevitals.facts.volumes.claims import BINDING, VolumeFault, absent_claims, claims_waiting_for, users, waiting_line
from kubevitals.facts.volumes.csi import (
    Controller,
    absent_plugin,
    is_controller,
    lost_controllers,
    missing_on_nodes,
    node_plugin,
    unready_pods,
)
from kubevitals.facts.volumes.deleting import undeleted
from kubevitals.facts.volumes.expanding import unexpanded
from kubevitals.facts.volumes.mounting import (
    by_claim,
    by_driver,
    mount_remedy,
    only_node,
    volume_words,
    waiting_lines,
    without_plugin,
)
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, CONCERNS, SAME_MISSING, SAME_OBJECT, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, owner, ref
from kubevitals.text import plural

NAMED = 3
"""Nodes that a sentence names."""

BOUND_TO_WAIT = tuple(
    f"volume-claim[{variant}]" for variant in ("unbound", "attach-failed", "mount-failed", "delete-failed")
)
NEEDS_DRIVER = (*BOUND_TO_WAIT, "volume-claim[expansion-failed]")

CRASHES = ("startup-error[app-exit]", "startup-error[init-container]")
"""Faults that are the driver's own: where its pod crashes, the driver is the root, in the words of its log."""

KEEPS_FROM_STARTING = (
    *(cause for cause in BROKEN_PODS if cause != "startup-error"),
    *(
        f"startup-error[{variant}]"
        for variant in ("image", "bad-reference", "bad-command", "post-start", "not-started")
    ),
)

EXPLAINS = (
    Explains(KEEPS_FROM_STARTING, CONCERNED, ("volume-claim[driver-down]",)),
    Explains(("volume-claim[driver-down]",), CONCERNS, CRASHES),
    Explains(
        ("volume-claim[unbound]",),
        SAME_OBJECT,
        ("volume-claim[attach-failed]", "volume-claim[mount-failed]"),
    ),
    Explains(BOUND_TO_WAIT, CONCERNS, ("startup-error", "liveness-probe[killed-by-probe]")),
    Explains(BOUND_TO_WAIT, CONCERNS, ("scheduling[unschedulable]",)),
    Explains(("volume-claim[unbound]",), SAME_MISSING, ("volume-claim[unbound]",)),
    Explains(("volume-claim[driver-down]",), SAME_MISSING, NEEDS_DRIVER),
    Explains(("volume-claim[driver-down]",), CONCERNS, NEEDS_DRIVER),
)


def unbound(cluster: Cluster) -> Iterator[Finding]:
    """Find PVCs that are missing, Lost, or Pending for longer than `volume-claim.binding` although a pod needs them.

    A PVC whose StorageClass has WaitForFirstConsumer waits for its first pod, which is not a fault.
    """
    for claim in cluster.claims:
        if claim.metadata.HasField("deletionTimestamp") or claim.status.phase == "Bound":
            continue
        if claim.status.phase == "Lost":
            yield _unbound(claim, why_lost(claim), cluster)
        elif cluster.over(claim.metadata.creationTimestamp, BINDING) and (reason := why_unbound(claim, cluster)):
            yield _unbound(claim, reason, cluster)
    yield from _absent_claims(cluster)


def _unbound(claim: pb.PersistentVolumeClaim, reason: WhyUnbound, cluster: Cluster) -> Finding:
    waiting = users(claim, cluster)
    lines = [
        waiting_line(claim, cluster),
        *event_lines(claim, cluster),
        *(f"waiting: {ref(pod)}" for pod in waiting[:5]),
    ]
    return Finding(
        ref(claim),
        says=f"is not bound to a PersistentVolume: {reason.why}",
        remedy=reason.remedy,
        evidence=lines,
        owner=owner(waiting[0]) if waiting else None,
        concerns=tuple(map(ref, waiting)),
        missing=reason.missing,
        since=claim.metadata.creationTimestamp.seconds if claim.status.phase == "Pending" else 0,
    )


def _absent_claims(cluster: Cluster) -> Iterator[Finding]:
    absent = list(absent_claims(cluster))
    complete = [entry for entry in absent if cluster.is_complete(entry[0].namespace)]
    for claim, pods, near in complete:
        yield Finding(
            claim,
            says=f"does not exist{near}, and {plural(len(pods), 'pod')} cannot start without it",
            remedy="create the PVC, or correct claimName in the workload's template",
            evidence=[f"referenced by: {ref(pods[0])}", *pod_lines(pods[0], cluster)],
            owner=owner(pods[0]),
            concerns=tuple(map(ref, pods)),
            look=ref(pods[0]).kubectl("describe"),
        )
    cluster.need_complete(*{claim.namespace for claim, *_ in absent} - {claim.namespace for claim, *_ in complete})


def attach_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find volumes that are not attached or detached in time, held by another pod, or not where their pod can run."""
    reported: set[Ref] = set()
    for fault in unattached(cluster):
        if fault.obj not in reported and cluster.scope.covers(fault.obj.namespace):
            reported.add(fault.obj)
            yield _finding(fault)


def expansion_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find PVCs whose expansion fails for `volume-claim.expansion-failing`, or takes `volume-claim.expansion`."""
    yield from map(_finding, unexpanded(cluster))


def delete_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find PVCs and released volumes whose deletion fails or takes `volume-claim.deletion`, or that pods wait for."""
    yield from map(_finding, undeleted(cluster))


def _finding(fault: VolumeFault) -> Finding:
    return Finding(
        fault.obj,
        says=fault.why,
        remedy=fault.remedy,
        evidence=fault.lines,
        severity=Severity.ERROR if fault.is_urgent else Severity.WARNING,
        owner=owner(fault.pods[0]) if fault.pods else None,
        concerns=tuple(map(ref, fault.pods)),
        node=fault.node,
        missing=_registrations(fault.node, [without_plugin(fault.why)]),
    )


def mount_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find volumes that cannot be mounted on their pod's node; ConfigMaps and Secrets are config-mount's."""
    for obj, symptoms in by_claim(broken_pods(cluster, PodFault.MOUNT_FAILED), cluster).items():
        words, node = symptoms[0].words, only_node(symptoms)
        yield Finding(
            obj,
            says=f"{_volume_of(obj, symptoms[0].volume)} cannot be mounted: {volume_words(words)}",
            remedy=_plugin_remedy(without_plugin(words), node, cluster) or mount_remedy(words),
            evidence=waiting_lines(symptoms, cluster),
            owner=owner(symptoms[0].pod),
            concerns=tuple(ref(symptom.pod) for symptom in symptoms),
            node=node,
            missing=_registrations(node, [without_plugin(words)]),
        )


def _plugin_remedy(driver: str, node: str, cluster: Cluster) -> str:
    plugin = node_plugin(driver, node, cluster) if driver else None
    return f"read the log of {ref(plugin)}, the node plugin of the CSI driver on this node" if plugin else ""


def _volume_of(obj: Ref, volume: str) -> str:
    return f'volume "{volume}"' if obj.kind == "Pod" else "its volume"


def driver_down(cluster: Cluster) -> Iterator[Finding]:
    """Find CSI drivers with pods that are not ready or missing, and nodes where a driver is not registered.

    A node without the driver's pod counts if a pod there needs the driver.
    """
    partial = set()
    for driver in cluster.csi_drivers:
        if unready := unready_pods(driver.metadata.name, cluster):
            yield _unready(driver, unready, cluster)
        for controller in lost_controllers(driver.metadata.name, cluster):
            if cluster.is_complete(controller.metadata.namespace):
                yield _without_controller(driver, controller, cluster)
            else:
                partial.add(controller.metadata.namespace)
        for node in missing_on_nodes(driver.metadata.name, cluster):
            yield _unregistered(driver.metadata.name, node)
    yield from _absent_plugins(cluster)
    cluster.need_complete(*partial)
    if cluster.csi_drivers:
        cluster.scope.need_all("a CSI driver's pods may be in any namespace")


def _unready(driver: pb.CSIDriver, pods: list[pb.Pod], cluster: Cluster) -> Finding:
    name = driver.metadata.name
    waiting = claims_waiting_for(name, cluster) if any(map(is_controller, pods)) else ()
    nodes = {pod.spec.nodeName for pod in pods if pod.spec.nodeName and not is_controller(pod)}
    why = next(filter(None, (why_crashing(pod, cluster) for pod in pods)), None)
    fix = "fix the driver's pods; until then volumes on their nodes cannot be attached or mounted"
    down = f"is not ready: {plural(len(pods), 'pod')} of it {'is' if len(pods) == 1 else 'are'} down{_on(nodes)}"
    return Finding(
        ref(driver),
        says=f"{down}: {why.means}" if why else down,
        remedy=why.remedy if why else fix,
        evidence=[line for pod in pods[:3] for line in (f"down: {ref(pod)}", *down_lines(pod, cluster))],
        concerns=(*map(ref, pods), *waiting),
        missing=tuple(registration for node in sorted(nodes) for registration in _registrations(node, [name])),
        node=nodes.pop() if len(nodes) == 1 else "",
        look=ref(pods[0]).kubectl("describe"),
    )


def _on(nodes: set[str]) -> str:
    """Return the nodes, if they are few: `` on node a, b``."""
    return f" on node {', '.join(sorted(nodes))}" if 0 < len(nodes) <= NAMED else ""


def _without_controller(driver: pb.CSIDriver, controller: Controller, cluster: Cluster) -> Finding:
    replicas, waiting = controller.spec.replicas, claims_waiting_for(driver.metadata.name, cluster)
    scale = f"{ref(controller).kubectl('scale')} --replicas=1"
    return Finding(
        ref(driver),
        says=f"has no controller pod: {ref(controller)} has {plural(replicas, 'replica')}"
        + (" and no pod" if replicas else ""),
        remedy="find out why the pods are not created: see the events of the controller and its ReplicaSet"
        if replicas
        else f"scale the controller up: {scale}; until then no volume is provisioned, attached or deleted",
        evidence=[f"waiting: {obj}" for obj in waiting if obj[1:] in cluster.claims_by_name][:5],
        severity=Severity.ERROR if waiting else Severity.WARNING,
        concerns=waiting,
        part=str(ref(controller)),
        look=ref(controller).kubectl("describe"),
    )


def _unregistered(driver: str, node: pb.Node) -> Finding:
    return Finding(
        ref(node),
        says=f"CSI driver {driver} is not registered, although its DaemonSet should run here",
        remedy="restart the driver's pod on the node, and read the log of its node-driver-registrar",
        evidence=[f"CSINode/{node.metadata.name} does not list {driver}"],
        part=driver,
        missing=_registrations(node.metadata.name, [driver]),
        look=Ref("CSINode", "", node.metadata.name).kubectl("describe"),
    )


def _absent_plugins(cluster: Cluster) -> Iterator[Finding]:
    for (driver, name), symptoms in by_driver(broken_pods(cluster, PodFault.MOUNT_FAILED)).items():
        node = cluster.nodes_by_name.get(name)
        if node and (absent := absent_plugin(driver, node, cluster)) and cluster.is_complete(absent[0].namespace):
            daemon_set, why = absent
            yield Finding(
                ref(node),
                says=f"the node plugin of CSI driver {driver} does not run here: {daemon_set}: {why}",
                remedy=f"let {daemon_set} run on this node, or keep pods with volumes of this driver off the node",
                evidence=waiting_lines(symptoms, cluster),
                part=driver,
                missing=_registrations(name, [driver]),
                look=daemon_set.kubectl("describe"),
            )


def _registrations(node: str, drivers: Iterable[str]) -> tuple[Ref, ...]:
    """Return drivers that do not run on a node, as what both a driver's finding and a volume's finding miss."""
    return tuple(Ref("CSINode", node, driver) for driver in drivers if driver)


@check(unbound, attach_failed, mount_failed, driver_down, expansion_failed, delete_failed, chapter="1.3")
def test_claims_are_usable() -> None:
    """Every PVC that a pod needs has a volume, attached and mounted on the pod's node."""
