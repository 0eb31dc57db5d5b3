"""A fake API server's cluster that runs what the probe makes: its pods print what real ones printed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.probe.outcome import Ran
from tests.fake_server import Reply
from tests.fakes import NOW, list_bytes, status_json

HEALTHY = msgspec.json.decode((Path(__file__).parent / "recorded/probe.json").read_bytes(), type=Ran)
"""The result of the probe in a healthy kind cluster of three nodes."""

NODES = tuple(dict.fromkeys(pod.node for pod in HEALTHY.pods))
PLACE = "/api/v1/namespaces/kubevitals-probe"
SETS = "/apis/apps/v1/namespaces/kubevitals-probe/daemonsets"

Event = Callable[[], Reply | None]


def serving(node: str) -> pb.Node:
    """Return a Linux node that is ready."""
    ready = pb.NodeCondition(type="Ready", status="True", lastTransitionTime=pb.Time(seconds=1))
    return pb.Node(
        metadata=pb.ObjectMeta(name=node, labels={"kubernetes.io/os": "linux"}),
        status=pb.NodeStatus(conditions=[ready]),
    )


class ProbedCluster:
    """What happens on each path; `otherwise` of an ApiServer.

    Attributes:
        namespace: its labels, or nothing where it does not exist.
        objects: what exists, by its path.
        targets: the targets of each pod.
        requests: the requests, as ``METHOD path``.
        ready: whether pods come to their end.
        waiting: pods that do not start, by node, with the state they are in.
        warnings: what an event says of the pods on a node.
        vitals: the termination messages of pods, by node.
    """

    def __init__(self) -> None:
        self.namespace: dict[str, str] | None = None
        self.objects: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, str] = {}
        self.requests: list[str] = []
        self.ready = True
        self.waiting: dict[str, pb.ContainerStateWaiting] = {}
        self.warnings: dict[str, str] = {}
        self.vitals: dict[str, str] = {}
        self._faults: list[tuple[re.Pattern[str], list[Event]]] = []

    def on(self, pattern: str, *events: Event) -> None:
        """Have things happen at requests that match; each once, the last one again and again."""
        self._faults.append((re.compile(pattern), list(events)))

    def __call__(self, handler: Any) -> None:
        """Answer a request."""
        path = urlsplit(handler.path)
        self.requests.append(f"{handler.command} {path.path}")
        for pattern, events in self._faults:
            if pattern.search(self.requests[-1]):
                reply = (events.pop(0) if len(events) > 1 else events[0])()
                if reply is not None:
                    handler.send(reply)
                    return
        query = {key: values[0] for key, values in parse_qs(path.query).items()}
        handler.send(getattr(self, f"_{handler.command.lower()}")(path.path, query, handler.content))

    def _get(self, path: str, query: dict[str, str], _: bytes) -> Reply:
        if path == PLACE:
            found = {"metadata": {"name": "kubevitals-probe", "labels": self.namespace}}
            return Reply(b"{}", 404) if self.namespace is None else Reply(json.dumps(found).encode())
        if path == f"{PLACE}/pods":
            return Reply(list_bytes(_selected(self._pods(), query)))
        if path.endswith("/log"):
            if "container" not in query:
                return Reply(status_json("a container name must be specified"), 400)
            return Reply(self._log(path.split("/")[-2]).encode())
        if path == f"{PLACE}/events":
            return Reply(list_bytes(self._warning(pod) for pod in self._pods() if pod.spec.nodeName in self.warnings))
        kinds = {SETS: pb.DaemonSet, f"{PLACE}/services": pb.Service}
        if path in kinds:
            made = [_object(kinds[path], obj) for at, obj in self.objects.items() if at.startswith(f"{path}/")]
            return Reply(list_bytes(_selected(made, query)))
        return Reply(list_bytes())

    def _post(self, path: str, _: dict[str, str], content: bytes) -> Reply:
        made = json.loads(content)
        if path == "/api/v1/namespaces":
            self.namespace = made["metadata"]["labels"]
        else:
            self.objects[f"{path}/{made['metadata']['name']}"] = made
        if made["kind"] == "Service":
            made["spec"] |= {"clusterIPs": ["10.96.7.7"]}
            made["spec"]["ports"][0]["nodePort"] = 30777
        return Reply(json.dumps(made).encode(), 201)

    def _patch(self, path: str, _: dict[str, str], content: bytes) -> Reply:
        self.targets[path.rpartition("/")[2]] = json.loads(content)["metadata"]["annotations"]["kubevitals.io/targets"]
        return Reply(b"{}")

    def _delete(self, path: str, _: dict[str, str], __: bytes) -> Reply:
        if path == PLACE:
            self.namespace = None
            self.objects.clear()
            return Reply(b"{}")
        return Reply(b"{}") if self.objects.pop(path, None) else Reply(status_json("not found"), 404)

    def _warning(self, pod: pb.Pod) -> pb.Event:
        about = pb.ObjectReference(kind="Pod", name=pod.metadata.name)
        return pb.Event(type="Warning", involvedObject=about, message=self.warnings[pod.spec.nodeName])

    def _pods(self) -> list[pb.Pod]:
        made = [obj for obj in self.objects.values() if obj["kind"] == "DaemonSet"]
        return [self._pod(obj, node) for obj in made for node in NODES]

    def _pod(self, daemon_set: dict[str, Any], node: str) -> pb.Pod:
        labels = daemon_set["spec"]["template"]["metadata"]["labels"]
        name = f"{daemon_set['metadata']['name']}-{node}"
        ip = next(p.ip for p in HEALTHY.pods if (p.node, p.network) == (node, labels["kubevitals.io/network"]))
        status = pb.ContainerStatus(name="probe", ready=self.ready and name in self.targets)
        sent = pb.ContainerStatus(
            name="vitals", ready=True, state=pb.ContainerState(running=pb.ContainerStateRunning())
        )
        sent.lastState.terminated.message = self.vitals.get(node, "")
        if node in self.waiting:
            status.state.waiting.CopyFrom(self.waiting[node])
        else:
            status.state.running.SetInParent()
        return pb.Pod(
            metadata=pb.ObjectMeta(name=name, labels=labels),
            spec=pb.PodSpec(nodeName=node),
            status=pb.PodStatus(phase="Running", podIP=ip, podIPs=[pb.PodIP(ip=ip)], containerStatuses=[status, sent]),
        )

    def _log(self, pod: str) -> str:
        """Return what a real pod on that node printed, as one of this run."""
        _, network, run, node = pod.split("-", 3)
        daemon_set = self.objects[f"{SETS}/probe-{network}-{run}"]
        container, _ = daemon_set["spec"]["template"]["spec"]["containers"]
        token = next(each["value"] for each in container["env"] if each["name"] == "TOKEN")
        log = next(p.log for p in HEALTHY.pods if (p.node, p.network) == (node, network))
        log = log.replace(HEALTHY.run, run).replace(HEALTHY.token, token)
        return log if self.ready else log[: len(log) // 2]


def _selected(objects: list[Any], query: dict[str, str]) -> list[Any]:
    selector = query.get("labelSelector", "")
    if "!=" in selector:
        key, _, value = selector.partition("!=")
        return [obj for obj in objects if obj.metadata.labels.get(key) != value]
    key, _, value = selector.partition("=")
    return [obj for obj in objects if not key or obj.metadata.labels.get(key) == value]


def _object(schema: Any, manifest: dict[str, Any]) -> Any:
    metadata = manifest["metadata"]
    created = int(NOW.timestamp()) - metadata.get("age", 0)
    labels = metadata.get("labels", {})
    meta = pb.ObjectMeta(name=metadata["name"], labels=labels, creationTimestamp=pb.Time(seconds=created))
    return schema(metadata=meta)
