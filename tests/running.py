"""Clusters in which all that is installed runs: manifests, with what controllers and kubelets add to them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.json_objects import message_of
from kubevitals.facts.nodes.placement import selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import SERVICE_NAME
from tests.fakes import NOW, cluster_of

INSTALLED = Path(__file__).parent / "installed"
"""Manifests of software that many clusters have, reduced to what checks read: from its charts and its operators."""

SYSTEM = "system"
"""The file of what every cluster has."""

NODES = ("w1", "w2", "w3")
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")

Object = dict[str, Any]


def manifests(name: str) -> Iterator[Object]:
    """Yield the objects of a file."""
    yield from deepcopy(_parsed(name))


@cache
def _parsed(name: str) -> tuple[Object, ...]:
    return tuple(yaml.safe_load_all((INSTALLED / f"{name}.yaml").read_text(encoding="utf-8")))


def names() -> list[str]:
    """Return what is installed."""
    return sorted({path.stem for path in INSTALLED.glob("*.yaml")} - {SYSTEM})


class Running:
    """A cluster of three nodes, on which objects were created so many seconds ago and are ready for half as long."""

    def __init__(self, age: int) -> None:
        self.objects: dict[str, list[Object]] = defaultdict(list)
        self._namespaces: set[str] = set()
        self._created, self._ready, self._addresses = _time(age), _time(age // 2), count(1)
        for name in NODES:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": _time(86400)}
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
            metadata = {"name": name, "labels": labels, "creationTimestamp": _time(86400)}
            self._keep({"kind": "Node", "metadata": metadata, "status": {"conditions": [ready]}})
        self.add(manifests(SYSTEM))

    def add(self, objects: Iterable[Object]) -> "Running":
        """Have objects run."""
        for obj in objects:
            self._keep(obj)
            if run := _RUN.get(obj["kind"]):
                run(self, obj)
        return self

    def cluster(self) -> Cluster:
        """Return the cluster, with endpoints of Services and statuses of PodDisruptionBudgets."""
        slices = [self._endpoints(each) for each in self.objects["Service"] if each["spec"].get("selector")]
        for budget in self.objects["PodDisruptionBudget"]:
            budget["status"] = self._allowed(budget)
        listed = {listing.schema.__name__: listing for listing in reversed(Cluster.listings())}
        lists = {
            listed[kind].name: [message_of(listed[kind].schema, obj) for obj in objects]
            for kind, objects in (self.objects | {"EndpointSlice": self.objects["EndpointSlice"] + slices}).items()
        }
        return cluster_of(**lists)

    def _keep(self, obj: Object) -> None:
        metadata = obj["metadata"]
        metadata.setdefault("creationTimestamp", self._created)
        metadata.setdefault("uid", f"{obj['kind']}-{metadata['name']}")
        self.objects[obj["kind"]].append(obj)
        namespace = metadata.get("namespace", "")
        if namespace and namespace not in self._namespaces:
            self._namespaces.add(namespace)
            self._keep({"kind": "Namespace", "metadata": {"name": namespace}, "status": {"phase": "Active"}})

    def conditions(self, *kinds: str) -> list[Object]:
        """Return conditions that are True since all is ready."""
        return [{"type": kind, "status": "True", "lastTransitionTime": self._ready} for kind in kinds]

    def pod(self, owner: Object, number: int, kind: str = "", node: str = "") -> None:
        """Create a ready pod of an owner, by its template; of a Job, one that has completed."""
        name, template = owner["metadata"]["name"], owner["spec"]["template"]
        reference = {"kind": kind or owner["kind"], "name": name, "uid": owner["metadata"]["uid"], "controller": True}
        made: Object = {
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{number}",
                "namespace": owner["metadata"]["namespace"],
                "labels": dict(template["metadata"].get("labels", {})),
                "ownerReferences": [reference],
            },
            "spec": template["spec"] | {"nodeName": node or NODES[number % len(NODES)]},
            "status": {"phase": "Succeeded"} if owner["kind"] == "Job" else {},
        }
        if kind == "ReplicaSet":
            made["metadata"]["labels"]["pod-template-hash"] = "5d"
            reference["name"] = f"{name}-5d"
        self.add([made])

    def run(self, pod: Object) -> None:
        """Write the status of a pod: all its containers run, or have completed."""
        spec, status = pod["spec"], pod.setdefault("status", {})
        is_done = status.setdefault("phase", "Running") == "Succeeded"
        spec.setdefault("nodeName", NODES[0])
        spec.setdefault("restartPolicy", "Never" if is_done else "Always")
        address = f"10.244.{NODES.index(spec['nodeName'])}.{next(self._addresses)}"
        status |= {"podIP": address, "startTime": self._created, "conditions": self.conditions(*CONDITIONS)}
        status["containerStatuses"] = [self._container(each["name"], is_done) for each in spec["containers"]]
        status["initContainerStatuses"] = [
            self._container(each["name"], is_done or each.get("restartPolicy") != "Always")
            for each in spec.get("initContainers", ())
        ]
        if is_done:
            status["conditions"][2]["status"] = status["conditions"][3]["status"] = "False"

    def _container(self, name: str, is_done: bool) -> Object:
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": self._created, "finishedAt": self._ready}
        state = {"terminated": ended} if is_done else {"running": {"startedAt": self._created}}
        return {"name": name, "state": state, "ready": not is_done, "started": not is_done}

    def _pods(self, namespace: str, selector: Object) -> list[Object]:
        """Return the running pods with these labels."""
        return [
            pod
            for pod in self.objects["Pod"]
            if pod["metadata"]["namespace"] == namespace
            and pod["status"]["phase"] == "Running"
            and selector.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def _endpoints(self, service: Object) -> Object:
        metadata = service["metadata"]
        pods = self._pods(metadata["namespace"], service["spec"]["selector"])
        return {
            "metadata": metadata | {"labels": {SERVICE_NAME: metadata["name"]}},
            "endpoints": [{"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True}} for pod in pods],
        }

    def _allowed(self, budget: Object) -> Object:
        spec = budget["spec"]
        pods = len(self._pods(budget["metadata"]["namespace"], spec["selector"]["matchLabels"]))
        is_least = "minAvailable" in spec
        number = _of(spec["minAvailable" if is_least else "maxUnavailable"], pods)
        demanded = number if is_least else max(0, pods - number)
        (condition,) = self.conditions("DisruptionAllowed")
        return {
            "expectedPods": pods,
            "currentHealthy": pods,
            "desiredHealthy": demanded,
            "disruptionsAllowed": max(0, pods - demanded),
            "conditions": [condition | {"status": str(pods > demanded)}],
        }


def _of(number: int | str, pods: int) -> int:
    """Return a number of pods; a share of them is rounded up, as the controller does."""
    return number if isinstance(number, int) else ceil(pods * int(number.rstrip("%")) / 100)


def _time(age: int) -> str:
    return datetime.fromtimestamp(NOW.timestamp() - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _replicas(running: Running, obj: Object) -> None:
    """Create the pods of a Deployment or a StatefulSet."""
    replicas = obj["spec"].setdefault("replicas", 1)
    counted = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), replicas)
    obj["status"] = counted | {"observedGeneration": 1, "conditions": running.conditions("Available", "Progressing")}
    for number in range(replicas):
        running.pod(obj, number, "ReplicaSet" if obj["kind"] == "Deployment" else "")


def _daemons(running: Running, obj: Object) -> None:
    """Create a pod on each node that a DaemonSet selects."""
    selector = pb.LabelSelector(matchLabels=obj["spec"]["template"]["spec"].get("nodeSelector", {}))
    nodes = [each["metadata"] for each in running.objects["Node"] if selects(selector, each["metadata"]["labels"])]
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberReady", "numberAvailable")
    obj["status"] = dict.fromkeys((*counts, "updatedNumberScheduled"), len(nodes)) | {"observedGeneration": 1}
    for number, node in enumerate(nodes):
        running.pod(obj, number, node=node["name"])


def _job(running: Running, obj: Object) -> None:
    """Complete a Job, unless it is suspended."""
    if not obj["spec"].get("suspend"):
        obj["status"] = {"succeeded": 1, "conditions": running.conditions("Complete")}
        running.pod(obj, 0)


def _service(running: Running, obj: Object) -> None:
    """Give a Service an address, and one outside of the cluster if it has a load balancer."""
    obj["spec"].setdefault("clusterIP", f"10.96.1.{len(running.objects['Service'])}")
    obj["spec"].setdefault("type", "ClusterIP")
    if obj["spec"]["type"] == "LoadBalancer":
        obj["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}


def _available(running: Running, obj: Object) -> None:
    """Have an aggregated API answer."""
    obj["status"] = {"conditions": running.conditions("Available")}


_RUN = {
    "Deployment": _replicas,
    "StatefulSet": _replicas,
    "DaemonSet": _daemons,
    "Job": _job,
    "Pod": Running.run,
    "Service": _service,
    "APIService": _available,
}
