"""Why a container exits, from its own log: the message that it ends with, and what that names in the cluster."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.messages import Line, Names, recognise
from kubevitals.facts.apps.resolvers import foreign_resolver
from kubevitals.facts.apps.services import ServiceName, named_by, services, services_by_ip
from kubevitals.facts.apps.silent_services import why_silent
from kubevitals.facts.pods.log_lines import telling_lines
from kubevitals.facts.pods.named_containers import container_named
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, containers, ref, service_of
from kubevitals.text import near_name

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", "0.0.0.0"})  # noqa: S104
"""Addresses that mean the pod itself."""

API_SERVER = ServiceName("default", "kubernetes")
"""The Service by which pods reach the API server."""

_API_SERVER_REMEDY = (
    "see what drops traffic from pods to the API server: a firewall on the control-plane nodes (port 6443; firewalld "
    "says no route to host), kube-proxy or the CNI on the pod's node, or a NetworkPolicy"
)


@dataclass(frozen=True, slots=True)
class AppCause:
    """Why an application exits.

    Attributes:
        means: what is wrong, without a subject's name that differs from pod to pod.
        missing: objects that it needs and that do not exist.
        concerns: objects that it depends on.
    """

    line: str
    means: str
    remedy: str
    missing: tuple[Ref, ...] = ()
    concerns: tuple[Ref, ...] = ()


def cause_of_exit(lines: Sequence[str], pod: pb.Pod, container: str, cluster: Cluster) -> AppCause | None:
    """Return why the container ended, as its last log lines say; nothing where they say nothing that is known.

    Lines that are marked as errors count before all others, the last one first, and then what follows it. What a line
    names is looked up as far as it can be observed.
    """
    line = _recognised(lines)
    if not line:
        return None
    words = line.words
    plain = AppCause(line.text, line.message.means.format_map(words), line.message.remedy.format_map(words))
    try:
        return _looked_up(line, plain, pod, container, cluster)
    except NotObserved:
        return plain  # the line says what it says, whether or not more can be seen


def _recognised(lines: Sequence[str]) -> Line | None:
    errors = telling_lines(lines)
    for error in errors:
        if line := recognise(line for line in lines if error in line):
            return line
    if not errors:
        return recognise(lines)
    return recognise(lines[max(number for number, line in enumerate(lines) if errors[0] in line) :])


def missing_right(words: str) -> AppCause | None:
    """Return the missing right and its account, if a text reports one: a log line, or the output of a probe."""
    line = recognise([words])
    if not line or line.message.names is not Names.ACCOUNT:
        return None
    plain = AppCause(words, line.message.means.format_map(line.words), line.message.remedy.format_map(line.words))
    return _account(plain, line.words["name"])


def _looked_up(line: Line, plain: AppCause, pod: pb.Pod, container: str, cluster: Cluster) -> AppCause:
    words = line.words
    match line.message.names:
        case Names.PORT:
            return _port(plain, words.get("port", ""), pod, container, cluster)
        case Names.BINARY:
            return _binary(plain, pod, cluster)
        case Names.HOST if "name" in words:
            return _host(plain, words["name"], pod, cluster)
        case Names.ADDRESS if "name" in words:
            return _address(plain, words["name"], words.get("port", ""), pod, cluster)
        case Names.ACCOUNT:
            return _account(plain, words["name"])
        case Names.DIRECTORY:
            return _directory(plain, pod, container)
    return plain


def _port(plain: AppCause, said: str, pod: pb.Pod, container: str, cluster: Cluster) -> AppCause:
    """Say who has the port: a container of the pod, or on the host's network a pod of the node.

    A message without a number is about one of the ports that the container declares.
    """
    ports = {int(said)} if said else _declared(pod, container)
    for other in containers(pod.spec):
        for port in sorted(ports & _declared(pod, other.name)) if other.name != container else ():
            means = f'port {port} is already in use: container "{other.name}" of the same pod declares it'
            return replace(plain, means=means)
    for port in sorted(ports) if pod.spec.hostNetwork else ():
        for neighbour in cluster.derive(_host_network_ports).get((pod.spec.nodeName, port), ()):
            if neighbour.uid != pod.metadata.uid:
                means = f"port {port} is already in use: {neighbour.pod} has it on the node"
                return replace(plain, means=means, concerns=(neighbour.pod,))
    return replace(plain, means=f"port {said} is already in use") if said else plain


def _declared(pod: pb.Pod, container: str) -> set[int]:
    return {port.containerPort for port in container_named(pod, container).ports}


@dataclass(frozen=True, slots=True)
class _Neighbour:
    uid: str
    pod: Ref


def _host_network_ports(cluster: Cluster) -> dict[tuple[str, int], list[_Neighbour]]:
    """Return the pods on each node's network by the ports that they declare."""
    ports: dict[tuple[str, int], list[_Neighbour]] = {}
    for pod in cluster.pods:
        if pod.spec.hostNetwork and pod.status.phase == "Running":
            for declared in (port for container in containers(pod.spec) for port in container.ports):
                place = pod.spec.nodeName, declared.containerPort
                ports.setdefault(place, []).append(_Neighbour(pod.metadata.uid, ref(pod)))
    return ports


def _binary(plain: AppCause, pod: pb.Pod, cluster: Cluster) -> AppCause:
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    architecture = node.metadata.labels.get("kubernetes.io/arch", "") if node else ""
    return replace(plain, means=f"{plain.means} (the node is {architecture})") if architecture else plain


def _host(plain: AppCause, host: str, pod: pb.Pod, cluster: Cluster) -> AppCause:
    service = named_by(host, pod.metadata.namespace, cluster)
    if not service:
        remedy = "check the name, and that DNS resolves names outside the cluster (see cluster-dns)"
        return replace(plain, means=f'"{host}" cannot be resolved', remedy=remedy)
    object_ = Ref("Service", *service)
    if service in cluster.derive(services):
        why, remedy = foreign_resolver(pod, cluster)
        exists = f'"{host}" cannot be resolved, although Service {service.name} exists'
        return replace(
            plain,
            means=f"{exists}: {why}" if why else exists,
            remedy=remedy or "check the cluster's DNS (see cluster-dns), and network policies that forbid port 53",
            concerns=(object_,),
        )
    cluster.need_complete(service.namespace)
    return replace(plain, means=f'"{host}" cannot be resolved: {absent(service, cluster)}', missing=(object_,))


def absent(service: ServiceName, cluster: Cluster) -> str:
    """Say that a Service does not exist, and which one may be meant."""
    near = near_name(service.name, [known.name for known in _of_namespace(service.namespace, cluster)])
    return f"Service {service.name} does not exist in namespace {service.namespace}{near}"


def _of_namespace(namespace: str, cluster: Cluster) -> list[ServiceName]:
    return [known for known in cluster.derive(services) if known.namespace == namespace]


def _address(plain: AppCause, host: str, port: str, pod: pb.Pod, cluster: Cluster) -> AppCause:
    place = f"{host}:{port}" if port else host
    if host in LOCAL:
        means = f"nothing listens on {place}, which is the pod itself"
        remedy = "use the name of the Service instead, or start the container that is to listen there"
        return replace(plain, means=means, remedy=remedy)
    service = cluster.derive(services_by_ip).get(host) or named_by(host, pod.metadata.namespace, cluster)
    found = cluster.derive(services).get(service) if service else None
    if host.strip("[]") in cluster.derive(_api_server_addresses):
        remedy = "see whether kube-apiserver runs there, and whether a firewall keeps this node or pod from its port"
        return replace(plain, means=f"the API server does not answer at {place}", remedy=remedy)
    if not service or not found:
        return replace(plain, means=f"nothing answers at {place}")
    if service == API_SERVER:
        return replace(plain, means=f"it does not reach the API server at {place}", remedy=_API_SERVER_REMEDY)
    silence = why_silent(found, port, plain.line, pod, cluster)
    means = f"Service {service.name} does not answer{f' on port {port}' if port else ''}{silence.reason}"
    return replace(plain, means=means, remedy=silence.remedy or plain.remedy, concerns=(Ref("Service", *service),))


def _api_server_addresses(cluster: Cluster) -> frozenset[str]:
    """Return the addresses behind the Service of the API server; none if they are not observed."""
    try:
        slices = [piece for piece in cluster.endpoint_slices if service_of(piece) == API_SERVER]
    except NotObserved:
        return frozenset()
    return frozenset(address for piece in slices for endpoint in piece.endpoints for address in endpoint.addresses)


def _directory(plain: AppCause, pod: pb.Pod, container: str) -> AppCause:
    """Name the subPath that is no key of its ConfigMap or Secret: the kubelet makes an empty directory of it."""
    volumes = {volume.name: volume.volumeSource for volume in pod.spec.volumes}
    mounts = [mount for mount in container_named(pod, container).volumeMounts if mount.subPath]
    keyed = [(mount, config) for mount in mounts if (config := _config(volumes.get(mount.name), pod))]
    named = [pair for pair in keyed if pair[0].mountPath and pair[0].mountPath in plain.line] or keyed[:1]
    for mount, config in named:
        means = f'{mount.mountPath} is a directory: subPath "{mount.subPath}" is not a key of {config}'
        return replace(
            plain,
            means=means,
            remedy=f"correct subPath: {config.kubectl('describe')} shows the keys",
            concerns=(config,),
        )
    return plain


def _config(source: pb.VolumeSource | None, pod: pb.Pod) -> Ref | None:
    """Return the ConfigMap or the Secret behind a volume."""
    if source and (name := source.configMap.localObjectReference.name):
        return Ref("ConfigMap", pod.metadata.namespace, name)
    return (
        Ref("Secret", pod.metadata.namespace, source.secret.secretName) if source and source.secret.secretName else None
    )


def _account(plain: AppCause, user: str) -> AppCause:
    namespace, _, name = user.removeprefix("system:serviceaccount:").partition(":")
    return replace(plain, concerns=(Ref("ServiceAccount", namespace, name),))
