"""What every cluster has besides its workloads: DNS, kube-proxy and a CNI, with a pod of each on every node."""

from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.completeness import ROOT_CA
from kubevitals.objects import SERVICE_NAME
from tests.fakes import CREATED

SYSTEM = "kube-system"
DAEMONS = ("kube-proxy", "kindnet")
DNS_PODS = 2
OF_ALL_NODES = (pb.Toleration(operator="Exists"),)


def root_cas(namespaces: Iterable[str]) -> Iterator[pb.ConfigMap]:
    """Yield the ConfigMap that every namespace has."""
    for namespace in namespaces:
        yield pb.ConfigMap(metadata=pb.ObjectMeta(name=ROOT_CA, namespace=namespace))


def daemon_sets(nodes: int) -> Iterator[pb.DaemonSet]:
    """Yield the DaemonSets, all of whose pods are available."""
    for name in DAEMONS:
        template = pb.PodTemplateSpec(spec=pb.PodSpec(containers=[_container(name)], tolerations=OF_ALL_NODES))
        template.metadata.labels["app"] = name
        yield pb.DaemonSet(
            metadata=_meta(name),
            spec=pb.DaemonSetSpec(template=template, selector=pb.LabelSelector(matchLabels={"app": name})),
            status=pb.DaemonSetStatus(
                observedGeneration=1,
                currentNumberScheduled=nodes,
                desiredNumberScheduled=nodes,
                numberReady=nodes,
                updatedNumberScheduled=nodes,
                numberAvailable=nodes,
            ),
        )


def daemon_pods(nodes: int) -> Iterator[pb.Pod]:
    """Yield the pods of the DaemonSets."""
    for number in range(nodes):
        address = f"172.{16 + number // 65536}.{number // 256 % 256}.{number % 256}"
        for name in DAEMONS:
            pod = _pod(name, f"{name}-{number:05}", number, address)
            pod.metadata.ownerReferences.add(kind="DaemonSet", name=name, uid=name, controller=True)
            pod.spec.hostNetwork = True
            yield pod


def dns_pods(numbers: range, nodes: int) -> Iterator[pb.Pod]:
    """Yield the pods of DNS."""
    for number in numbers:
        pod = _pod("coredns", f"coredns-5f7c-{number}", number % nodes, _dns_address(number, nodes))
        pod.metadata.ownerReferences.add(kind="ReplicaSet", name="coredns-5f7c", controller=True)
        pod.metadata.labels.update({"k8s-app": "kube-dns", "pod-template-hash": "5f7c"})
        yield pod


def _dns_address(number: int, nodes: int) -> str:
    """Return an address of the podCIDR of the pod's node."""
    return f"10.0.{number % nodes}.{254 - number // nodes}"


def dns_deployment(numbers: range) -> pb.Deployment:
    """Return the Deployment of DNS."""
    labels, pods = {"k8s-app": "kube-dns"}, len(numbers)
    template = pb.PodTemplateSpec(
        metadata=pb.ObjectMeta(labels=labels), spec=pb.PodSpec(containers=[_container("dns")])
    )
    spec = pb.DeploymentSpec(replicas=pods, template=template, selector=pb.LabelSelector(matchLabels=labels))
    status = pb.DeploymentStatus(observedGeneration=1, replicas=pods, updatedReplicas=pods, availableReplicas=pods)
    return pb.Deployment(metadata=_meta("coredns"), spec=spec, status=status)


def dns_service() -> pb.Service:
    """Return the DNS Service."""
    service = pb.Service(
        metadata=_meta("kube-dns"),
        spec=pb.ServiceSpec(
            ports=[pb.ServicePort(name="dns", port=53, protocol="UDP")],
            selector={"k8s-app": "kube-dns"},
            clusterIP="10.96.0.10",
            clusterIPs=["10.96.0.10"],
            type="ClusterIP",
        ),
    )
    service.metadata.labels["k8s-app"] = "kube-dns"
    return service


def dns_endpoints(numbers: range, nodes: int) -> pb.EndpointSlice:
    """Return the endpoints of DNS."""
    endpoints = [
        pb.Endpoint(
            addresses=[_dns_address(number, nodes)],
            conditions=pb.EndpointConditions(ready=True),
            targetRef=pb.ObjectReference(kind="Pod", namespace=SYSTEM, name=f"coredns-5f7c-{number}"),
        )
        for number in numbers
    ]
    return endpoint_slice(dns_service(), endpoints, 53)


def endpoint_slice(service: pb.Service, endpoints: list[pb.Endpoint], port: int) -> pb.EndpointSlice:
    """Return the EndpointSlice of a Service."""
    made = pb.EndpointSlice(metadata=service.metadata, endpoints=endpoints, addressType="IPv4")
    made.metadata.labels[SERVICE_NAME] = service.metadata.name
    made.ports.add(name=service.spec.ports[0].name, protocol=service.spec.ports[0].protocol, port=port)
    return made


def _meta(name: str) -> pb.ObjectMeta:
    return pb.ObjectMeta(name=name, namespace=SYSTEM, uid=name, creationTimestamp=CREATED)


def _container(name: str) -> pb.Container:
    return pb.Container(name=name, image=f"registry.example/{name}:v1.34.4")


def _pod(name: str, pod: str, node: int, address: str) -> pb.Pod:
    state = pb.ContainerState(running={"startedAt": CREATED})
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    made = pb.Pod(
        metadata=_meta(pod),
        spec=pb.PodSpec(containers=[_container(name)], nodeName=f"node-{node:05}", restartPolicy="Always"),
        status=pb.PodStatus(
            phase="Running",
            conditions=[pb.PodCondition(type=kind, status="True", lastTransitionTime=CREATED) for kind in kinds],
            podIP=address,
            podIPs=[pb.PodIP(ip=address)],
            startTime=CREATED,
            containerStatuses=[pb.ContainerStatus(name=name, ready=True, started=True, state=state)],
        ),
    )
    made.metadata.labels["app"] = name
    return made
