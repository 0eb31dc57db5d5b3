"""Objects of a cluster that has never been, among them a pod to which faults are done one after another."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, pod_faults
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import statuses
from kubevitals.source.request import Answer, Request
from scenarios.harness import lines, verdicts
from tests.fakes import CREATED, Answers, ago, cluster_of

NORMAL = frozenset({"Created", "Killing", "Pulled", "Pulling", "SandboxChanged", "Started", "SuccessfulAttachVolume"})
"""Reasons of events that are not warnings."""

HEALTHZ = pb.ProbeHandler(httpGet=pb.HTTPGetAction(path="/healthz", port=pb.IntOrString(intVal=8080)))

NO_NETWORK = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:x"
"""What a node without CNI says of itself."""


def node(name: str = "one", *cidrs: str, message: str = "", created: pb.Time = CREATED) -> pb.Node:
    ready = pb.NodeCondition(type="Ready", status="False" if message else "True", message=message)
    return pb.Node(
        metadata=pb.ObjectMeta(name=name, creationTimestamp=created),
        spec=pb.NodeSpec(podCIDR=cidrs[0] if cidrs else "", podCIDRs=cidrs),
        status=pb.NodeStatus(conditions=[ready]),
    )


def probe(handler: pb.ProbeHandler, delay: int = 0, period: int = 1, threshold: int = 0, timeout: int = 0) -> pb.Probe:
    return pb.Probe(
        handler=handler,
        initialDelaySeconds=delay,
        periodSeconds=period,
        failureThreshold=threshold,
        timeoutSeconds=timeout,
    )


def config_map(name: str) -> pb.ConfigMapVolumeSource:
    """A volume's source."""
    return pb.ConfigMapVolumeSource(localObjectReference=pb.LocalObjectReference(name=name))


class BuiltPod:
    """A pod that is on its node for ten minutes, has no sandbox yet and waits without a word.

    Attributes:
        sidecars: whether the containers that are added are native sidecars, which run beside init containers.
        node: the pod's node.
        events: what was said of both.
        logs: the last words of containers that died.
        memory: what the kubelet says that the pod's own container uses, in bytes.
    """

    def __init__(self, *, sidecars: bool = False) -> None:
        conditions = [
            pb.PodCondition(type=kind, status=status, lastTransitionTime=ago(600))
            for kind, status in (("PodScheduled", "True"), ("PodReadyToStartContainers", "False"))
        ]
        self.sidecars, self.node = sidecars, node()
        self.events: list[pb.Event] = []
        self.logs: dict[str, str] = {}
        self.memory = 0
        self.pod = pb.Pod(
            metadata=pb.ObjectMeta(name="app", namespace="shop", uid="1"),
            spec=pb.PodSpec(nodeName="one", restartPolicy="Always", containers=[pb.Container(name="app")]),
            status=pb.PodStatus(phase="Pending", startTime=ago(600), conditions=conditions),
        )
        self.pod.status.containerStatuses.append(pb.ContainerStatus(name="app", state=_waiting("ContainerCreating")))

    def has_sandbox(self, *, yes: bool) -> None:
        self.pod.status.conditions[1].status = str(yes)

    def start(self) -> None:
        """Have the pod's own container run, or wait for init containers."""
        self.has_sandbox(yes=True)
        waits = bool(self.pod.spec.initContainers)
        own = self.pod.status.containerStatuses[0]
        running = pb.ContainerState(running=pb.ContainerStateRunning())
        own.state.CopyFrom(_waiting("PodInitializing") if waits else running)
        own.ready = not waits
        self.pod.status.phase = "Pending" if waits else "Running"

    def mounting(self, name: str, **source: Any) -> None:
        """Have the pod's container mount a volume."""
        self.pod.spec.volumes.append(pb.Volume(name=name, volumeSource=pb.VolumeSource(**source)))
        self.pod.spec.containers[0].volumeMounts.append(pb.VolumeMount(name=name))

    def mounting_disk(self, on: str, *, attached: bool = True) -> dict[str, list[Message]]:
        """Have the pod mount a claim of a volume that is attached to a node, or is to be; return the lists of these."""
        self.mounting("data", persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName="data"))
        claim = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(name="data", namespace="shop"))
        claim.spec.volumeName, claim.status.phase = "disk", "Bound"
        disk = pb.PersistentVolume(metadata=pb.ObjectMeta(name="disk"))
        disk.spec.claimRef.CopyFrom(pb.ObjectReference(namespace="shop", name="data"))
        held = pb.VolumeAttachment(metadata=pb.ObjectMeta(name="csi-1", creationTimestamp=ago(500)))
        held.spec.CopyFrom(pb.VolumeAttachmentSpec(nodeName=on, attacher="disk.example"))
        held.spec.source.persistentVolumeName, held.status.attached = "disk", attached
        return {"claims": [claim], "volumes": [disk], "attachments": [held]}

    def said(self, reason: str, message: str, before: int = 10, container: str = "") -> None:
        """Have an event say something of the pod, or of a container, so many seconds ago."""
        field = "initContainers" if any(c.name == container for c in self.pod.spec.initContainers) else "containers"
        path = f"spec.{field}{{{container}}}" if container else ""
        about = pb.ObjectReference(kind="Pod", namespace="shop", name="app", uid="1", fieldPath=path)
        kind = "Normal" if reason in NORMAL else "Warning"
        self.events.append(
            pb.Event(involvedObject=about, type=kind, reason=reason, message=message, lastTimestamp=ago(before))
        )

    def node_said(self, reason: str, before: int) -> None:
        about = pb.ObjectReference(kind="Node", name="one")
        self.events.append(pb.Event(involvedObject=about, reason=reason, lastTimestamp=ago(before)))

    def container(self, status: pb.ContainerStatus, *, init: bool = False, **spec: Any) -> None:
        """Add a container beside the pod's own, which has been started, or waits for init containers."""
        container = pb.Container(name=status.name, **spec)
        if init or self.sidecars:
            container.restartPolicy = "" if init else "Always"
            self.pod.spec.initContainers.append(container)
            self.pod.status.initContainerStatuses.append(status)
        else:
            self.pod.spec.containers.append(container)
            self.pod.status.containerStatuses.append(status)
        self.start()

    def crashing(
        self,
        name: str,
        code: int = 1,
        reason: str = "Error",
        message: str = "",
        *,
        waiting: str = "CrashLoopBackOff",
        why: str = "",
        probed: bool = False,
        hooked: bool = False,
        log: str = "",
        init: bool = False,
        ended: int = 30,
        restarts: int = 4,
    ) -> None:
        """Add a container whose last run, of 60 seconds, ended half a minute ago.

        Args:
            name: its name.
            code: its exit code.
            reason: why it ended.
            message: its termination message.
            waiting: what it waits for now; if nothing, it runs.
            why: what is said of that.
            probed: whether its liveness probe had it killed.
            hooked: whether its postStart hook had failed.
            log: its last words.
            init: whether it is an init container.
            ended: how many seconds ago it ended.
            restarts: how often it was started again.
        """
        last = pb.ContainerStateTerminated(
            exitCode=code, reason=reason, message=message, startedAt=ago(ended + 60), finishedAt=ago(ended)
        )
        status = _restarted(name, last, restarts, waiting=_waiting(waiting, why) if waiting else None)
        self._add_crashed(status, probed=probed, hooked=hooked, init=init, ended=ended)
        if log:
            self.logs[name] = log

    def _add_crashed(self, status: pb.ContainerStatus, *, probed: bool, hooked: bool, init: bool, ended: int) -> None:
        name = status.name
        spec: dict[str, Any] = {"livenessProbe": probe(HEALTHZ, period=10)} if probed else {}
        spec |= {"lifecycle": pb.Lifecycle(postStart=pb.Present())} if hooked else {}
        self.container(status, init=init, **spec)
        if probed:
            self.said("Killing", f"Container {name} failed liveness probe, will be restarted", ended + 1, name)
        if hooked:
            self.said("FailedPostStartHook", "PostStartHook failed", ended + 1, name)

    def waiting(self, name: str, reason: str, message: str) -> None:
        """Add a container that waits and has never run."""
        self.container(pb.ContainerStatus(name=name, state=_waiting(reason, message)))

    def cluster(self) -> Cluster:
        """Return a cluster of one node with this pod, and a ConfigMap `present` beside it."""
        answers: Answers = {
            "/api/v1/namespaces/shop/pods/app/log": self._log,
            "/api/v1/nodes/one/proxy/stats/summary": Answer(200, json.dumps(self._figures()).encode()),
        }
        present = pb.ConfigMap(metadata=pb.ObjectMeta(name="present", namespace="shop"))
        return cluster_of(answers, pods=[self.pod], nodes=[self.node], all_events=self.events, config_maps=[present])

    def _figures(self) -> dict[str, object]:
        used = {"name": "app", "memory": {"workingSetBytes": self.memory}}
        return {"node": {}, "pods": [{"podRef": {"name": "app", "namespace": "shop"}, "containers": [used]}]}

    def _log(self, request: Request) -> Answer:
        (name,) = parse_qs(urlsplit(request.path).query)["container"]
        assert name in {status.name for status in statuses(self.pod)}
        return Answer(200, self.logs.get(name, "").encode())


def _restarted(
    name: str, last: pb.ContainerStateTerminated, restarts: int, waiting: pb.ContainerState | None
) -> pb.ContainerStatus:
    """Return a container that ended before, and runs since or waits."""
    started = pb.Time(seconds=last.finishedAt.seconds + 1)
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=started))
    return pb.ContainerStatus(
        name=name,
        state=waiting or running,
        lastState=pb.ContainerState(terminated=last),
        restartCount=restarts,
        ready=waiting is None,
    )


def _waiting(reason: str, message: str = "") -> pb.ContainerState:
    return pb.ContainerState(waiting=pb.ContainerStateWaiting(reason=reason, message=message))


def owner_of(cluster: Cluster) -> PodFault | None:
    """Return the fault of the only pod."""
    found = pod_faults(cluster).symptoms
    owners = [fault for fault, symptoms in found.items() for _ in symptoms]
    assert len(owners) <= 1
    return owners[0] if owners else None


def findings(cluster: Cluster) -> list[str]:
    """Return what all checks find on the pod: nothing else is in its namespace that could have a fault."""
    found = [found for verdict in verdicts(cluster) for found in lines(cluster, verdict)]
    return [line for obj, line in found if obj.namespace == "shop"]
