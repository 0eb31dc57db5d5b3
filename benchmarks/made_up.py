"""Serves the API of a made-up cluster: ``python -m benchmarks.made_up KUBECONFIG NODES PODS BROKEN [apart]``.

Its pods are as large as those of a real cluster: two containers with probes, limits and variables, and managedFields.
Every Deployment has 25 pods, ten old ReplicaSets and a Service; the image of broken pods does not exist. DNS,
kube-proxy and a CNI run as well. Kubelets do not answer: the API server says so at once.
"""

import signal
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

from google.protobuf.message import Message

from benchmarks import made_up_faults as faults
from benchmarks import made_up_policies as policies
from benchmarks import made_up_system as system
from benchmarks.made_up_policies import PODS_OF_ONE, TEAMS, meta, pod_name, team
from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from tests.fake_server import EMPTY, ApiServer, Handler, Reply, write_kubeconfig
from tests.fakes import CREATED, ago, envelope, item_bytes, proto_field

OLD = 10
"""ReplicaSets that a Deployment keeps (Deployment.spec.revisionHistoryLimit)."""
NOTES = proto_field(15, b"f" * 2600)
"""A field of the size of a pod's managedFields."""

TEMPLATE = proto_field(2, proto_field(3, b"t" * 2000))
"""A ReplicaSet's spec.template of a usual size."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    kubeconfig, nodes, pods, broken = sys.argv[1], *map(int, sys.argv[2:5])
    apart = sys.argv[5:] == ["apart"]
    server = ApiServer()
    _serve(server, "/api/v1/nodes", [_node(number) for number in range(nodes)])
    _serve(server, "/api/v1/namespaces", map(_namespace, ["default", system.SYSTEM, *map(team, range(TEAMS))]))
    apps, more = divmod(pods - len(system.DAEMONS) * nodes - system.DNS_PODS, PODS_OF_ONE)
    dns = range(system.DNS_PODS + more)
    of_apps = (_pod(number, nodes, broken) for number in range(apps * PODS_OF_ONE))
    if apart:
        of_apps = (faults.set_apart(pod, number) if number < broken else pod for number, pod in enumerate(of_apps))
    _serve(server, "/api/v1/pods", chain(system.daemon_pods(nodes), system.dns_pods(dns, nodes), of_apps))
    _serve(server, "/api/v1/events", faults.events(broken, apart=apart))
    _serve(server, "/api/v1/services", [system.dns_service(), *map(_service, range(apps))])
    slices = (_slice(number, nodes, broken) for number in range(apps))
    _serve(server, Cluster.endpoint_slices.path, chain([system.dns_endpoints(dns, nodes)], slices))
    _serve(server, "/api/v1/configmaps", system.root_cas([system.SYSTEM, *map(team, range(TEAMS))]))
    _serve(server, "/apis/apps/v1/daemonsets", system.daemon_sets(nodes))
    ready = (PODS_OF_ONE - max(0, min(PODS_OF_ONE, broken - PODS_OF_ONE * number)) for number in range(apps))
    _serve(
        server, "/apis/apps/v1/deployments", chain([system.dns_deployment(dns)], map(_deployment, range(apps), ready))
    )
    _serve(server, "/apis/apps/v1/replicasets", _replica_sets(apps), TEMPLATE)
    _serve(server, Cluster.node_leases.path, [_lease(f"node-{number:05}") for number in range(nodes)])
    _serve(server, Cluster.system_leases.path, [_lease(name) for name in ("kube-scheduler", "kube-controller-manager")])
    _serve_policies(server, apps)
    write_kubeconfig(Path(kubeconfig), server.address, "made-up")
    server.otherwise = _otherwise
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()


def _serve_policies(server: ApiServer, apps: int) -> None:
    _serve(server, "/api/v1/resourcequotas", [policies.quota(number) for number in range(TEAMS)])
    _serve(server, "/api/v1/limitranges", [policies.limit_range(number) for number in range(TEAMS)])
    _serve(server, Cluster.network_policies.path, [_policy(number) for number in range(TEAMS)])
    _serve(server, "/apis/autoscaling/v2/horizontalpodautoscalers", map(policies.autoscaler, range(apps)))
    _serve(server, "/apis/policy/v1/poddisruptionbudgets", map(policies.budget, range(apps)))
    _serve(server, "/apis/networking.k8s.io/v1/ingresses", map(policies.ingress, range(apps)))
    _serve(server, Cluster.ingress_classes.path, [policies.ingress_class()])
    for kind in ("gateways", "httproutes"):
        server.script(f"/apis/gateway.networking.k8s.io/v1/{kind}", Reply(b"404 page not found", 404))


def _serve(server: ApiServer, path: str, items: Iterable[Message], more: bytes = b"") -> None:
    noted = (item_bytes(_noted(item) + more) for item in items)
    server.script(path, Reply(envelope(proto_field(1, b"") + b"".join(noted))))


def _noted(item: Any) -> bytes:
    item.metadata.MergeFromString(NOTES)
    return cast("bytes", item.SerializeToString())


def made_up_pods(count: int) -> Iterator[bytes]:
    """Yield pods, encoded as the API server sends them."""
    return (_noted(_pod(number, count // 10, 0)) for number in range(count))


def _namespace(name: str) -> pb.Namespace:
    return pb.Namespace(metadata=pb.ObjectMeta(name=name, uid=name, creationTimestamp=CREATED))


def _otherwise(handler: Handler) -> None:
    handler.send(Reply(b"error trying to reach service", 503) if "/proxy/" in handler.path else EMPTY)


def _node(number: int) -> pb.Node:
    kinds = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
    conditions = [pb.NodeCondition(type=kind, status=status) for kind, status in kinds.items()]
    status = pb.NodeStatus(conditions=conditions, addresses=[pb.NodeAddress(type="InternalIP", address="10.0.0.1")])
    cidr = f"10.{number // 256}.{number % 256}.0/24"
    return pb.Node(
        metadata=pb.ObjectMeta(name=f"node-{number:05}", creationTimestamp=CREATED),
        spec=pb.NodeSpec(podCIDR=cidr, podCIDRs=[cidr]),
        status=status,
    )


def _lease(name: str) -> pb.Lease:
    spec = pb.LeaseSpec(holderIdentity=name, leaseDurationSeconds=40, renewTime=ago(5))
    return pb.Lease(metadata=pb.ObjectMeta(name=name), spec=spec)


def _policy(number: int) -> pb.NetworkPolicy:
    """Return a policy that allows all pods of a namespace everything on ports 53 and 443."""
    ports = [pb.NetworkPolicyPort(protocol="UDP", port=pb.IntOrString(intVal=port)) for port in (53, 443)]
    rule = pb.NetworkPolicyEgressRule(ports=ports)
    return pb.NetworkPolicy(
        metadata=meta("egress", number),
        spec=pb.NetworkPolicySpec(podSelector=pb.LabelSelector(), egress=[rule], policyTypes=["Egress"]),
    )


def _deployment(number: int, ready: int) -> pb.Deployment:
    labels = {"app": f"app-{number:05}"}
    containers = [_container(name) for name in ("app", "sidecar")]
    template = pb.PodTemplateSpec(metadata=pb.ObjectMeta(labels=labels), spec=pb.PodSpec(containers=containers))
    selector = pb.LabelSelector(matchLabels=labels)
    spec = pb.DeploymentSpec(replicas=PODS_OF_ONE, template=template, selector=selector)
    status = pb.DeploymentStatus(
        observedGeneration=1, replicas=PODS_OF_ONE, updatedReplicas=PODS_OF_ONE, availableReplicas=ready
    )
    return pb.Deployment(metadata=meta(f"app-{number:05}", number), spec=spec, status=status)


def _service(number: int) -> pb.Service:
    address = f"10.96.{1 + number // 250}.{number % 250}"
    spec = pb.ServiceSpec(type="ClusterIP", clusterIP=address, clusterIPs=[address])
    spec.ports.add(name="http", port=80, protocol="TCP")
    spec.selector["app"] = f"app-{number:05}"
    return pb.Service(metadata=meta(f"app-{number:05}", number), spec=spec)


def _slice(number: int, nodes: int, broken: int) -> pb.EndpointSlice:
    pods = range(number * PODS_OF_ONE, (number + 1) * PODS_OF_ONE)
    endpoints = [
        pb.Endpoint(
            addresses=[_address(pod, nodes)],
            conditions=pb.EndpointConditions(ready=pod >= broken),
            targetRef=pb.ObjectReference(kind="Pod", namespace=team(number), name=pod_name(pod)),
            nodeName=f"node-{pod % nodes:05}",
        )
        for pod in pods
    ]
    return system.endpoint_slice(_service(number), endpoints, 8080)


def _replica_sets(deployments: int) -> Iterator[pb.ReplicaSet]:
    """Yield the ReplicaSets of all Deployments: each has one with pods, and old ones."""
    for number in range(deployments):
        yield _replica_set(number, "7c9d8f", PODS_OF_ONE)
        for old in range(OLD):
            yield _replica_set(number, f"{old:06}", 0)


def _replica_set(number: int, template: str, pods: int) -> pb.ReplicaSet:
    labels = {"app": f"app-{number:05}", "pod-template-hash": template}
    made = pb.ReplicaSet(
        metadata=meta(f"app-{number:05}-{template}", number),
        spec=pb.ReplicaSetSpec(replicas=pods, selector=pb.LabelSelector(matchLabels=labels)),
        status=pb.ReplicaSetStatus(observedGeneration=1, replicas=pods, readyReplicas=pods, availableReplicas=pods),
    )
    made.metadata.labels.update(labels)
    made.metadata.ownerReferences.add(kind="Deployment", name=f"app-{number:05}", controller=True)
    return made


def _container(name: str) -> pb.Container:
    def probe(path: str) -> pb.Probe:
        action = pb.HTTPGetAction(path=path, port=pb.IntOrString(intVal=8080), scheme="HTTP")
        handler = pb.ProbeHandler(httpGet=action)
        return pb.Probe(handler=handler, timeoutSeconds=1, periodSeconds=10, failureThreshold=3)

    return pb.Container(
        name=name,
        image="registry.example/app:1.2.3",
        env=[pb.EnvVar(name=f"SETTING_{number}") for number in range(8)],
        resources=pb.ResourceRequirements(limits={"memory": pb.Quantity(string="256Mi")}),
        livenessProbe=probe("/livez"),
        readinessProbe=probe("/readyz"),
    )


def _address(number: int, nodes: int) -> str:
    """Return an address of the podCIDR of the pod's node."""
    node = number % nodes
    return f"10.{node // 256}.{node % 256}.{1 + number // nodes % 250}"


def _pod(number: int, nodes: int, broken: int) -> pb.Pod:
    app = number // PODS_OF_ONE
    metadata = meta(pod_name(number), app)
    metadata.uid = f"{number:036}"
    metadata.labels.update({"app": f"app-{app:05}", "pod-template-hash": "7c9d8f"})
    metadata.ownerReferences.add(kind="ReplicaSet", name=f"app-{app:05}-7c9d8f", uid=f"{app:036}", controller=True)
    spec = pb.PodSpec(
        containers=[_container(name) for name in ("app", "sidecar")],
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        nodeName=f"node-{number % nodes:05}",
        tolerations=[pb.Toleration(key=f"node.kubernetes.io/{key}") for key in ("not-ready", "unreachable")],
    )
    return pb.Pod(metadata=metadata, spec=spec, status=_status(number, _address(number, nodes), number < broken))


def _status(number: int, address: str, broken: bool) -> pb.PodStatus:
    kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ill = ("Ready", "ContainersReady") if broken else ()
    words = f'Back-off pulling image "registry.example/app:1.2.3": ErrImagePull: not found ({number})'
    waiting = pb.ContainerStateWaiting(reason="ImagePullBackOff", message=words)
    states = [
        pb.ContainerState(waiting=waiting) if broken else pb.ContainerState(running={"startedAt": CREATED})
        for _ in "ab"
    ]
    return pb.PodStatus(
        phase="Pending" if broken else "Running",
        conditions=[
            pb.PodCondition(type=kind, status="False" if kind in ill else "True", lastTransitionTime=CREATED)
            for kind in kinds
        ],
        podIP=address,
        podIPs=[pb.PodIP(ip=address)],
        startTime=CREATED,
        containerStatuses=[
            pb.ContainerStatus(name=name, ready=not broken, state=state)
            for name, state in zip(("app", "sidecar"), states, strict=True)
        ],
    )


if __name__ == "__main__":
    main()
