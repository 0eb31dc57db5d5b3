"""Reduces objects to the fields that checks read, and keeps them in little memory."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Generic, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.stream import delimited

M = TypeVar("M", bound=Message)

CLUSTER_CIDR = "--cluster-cidr="
"""The flag of kube-controller-manager with the networks from which nodes get their podCIDRs."""

NO_LEADER = "--leader-elect=false"
"""The argument of kube-scheduler and kube-controller-manager with which they work without a Lease."""

BATCH = 64
"""Objects that share one block of memory; separately, each would take more than twice as much."""

EVENT_LIMIT = 16_384
"""Characters of an event's message that are kept. Kubernetes' own have up to 1,024; a client may send a megabyte."""

STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"
"""The annotation with a claim's StorageClass, from before Kubernetes 1.6; it is still valid."""

SERVICE_HOST = re.compile(r"(?<![\w-])([a-z0-9][a-z0-9-]{0,62})\.([a-z0-9][a-z0-9-]{0,62})\.svc(?![\w-])", re.ASCII)
"""The DNS name of a Service up to its namespace, in a longer name or in a URL. Anything shorter may be a secret."""

SERVICE_HOSTS, SEARCHED = 8, 4096
"""Names of Services that are kept of one container, and characters of a value or an argument that are searched."""

INGRESS_CLASS = "kubernetes.io/ingress.class"
"""The annotation with an Ingress' class, from before Kubernetes 1.18; controllers still read it."""

DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
"""The annotation of the IngressClass that Ingresses without a class get (kubernetes/api networking/v1/types.go)."""

_READ_ANNOTATIONS = frozenset(
    {
        "storageclass.kubernetes.io/is-default-class",
        "volume.kubernetes.io/selected-node",
        STORAGE_CLASS,
        INGRESS_CLASS,
        DEFAULT_INGRESS_CLASS,
    }
)
_READ_ARGUMENTS = (CLUSTER_CIDR, NO_LEADER)
_ITEM = 1 << 3 | 2


def reduce(item: Message) -> None:
    """Drop what no check reads: unknown fields, most annotations and arguments, variables without a reference.

    Of the arguments and variables of a pod that is not ready, the names of Services are kept, as arguments.
    """
    item.DiscardUnknownFields()
    metadata = getattr(item, "metadata", None)
    if isinstance(metadata, pb.AnnotatedMeta):
        for key in metadata.annotations.keys() - _READ_ANNOTATIONS:
            del metadata.annotations[key]
    if isinstance(item, pb.Event):
        item.message, item.reason = item.message[:EVENT_LIMIT], item.reason[:EVENT_LIMIT]
    _reduce_run(item)
    for spec in _pod_specs(item):
        is_ailing = isinstance(item, pb.Pod) and _is_ailing(item)
        for container in (*spec.initContainers, *spec.containers):
            hosts = _service_hosts(container) if is_ailing else ()
            _reduce_container(container)
            container.args.extend(hosts)


def _reduce_run(item: Message) -> None:
    """Drop what is over for what runs: what the scheduler needed, and what a Job makes its pods of."""
    if isinstance(item, pb.Job):
        item.spec.ClearField("template")
    if isinstance(item, pb.Pod):
        if item.spec.nodeName:
            _reduce_scheduled(item.spec)
        reduce_statuses(item.spec, statuses(item.status))


def _pod_specs(item: Message) -> Iterator[pb.PodSpec]:
    if isinstance(item, pb.Pod):
        yield item.spec
    elif isinstance(item, pb.Deployment | pb.StatefulSet | pb.DaemonSet):
        yield item.spec.template.spec
    elif isinstance(item, pb.CronJob):
        yield item.spec.jobTemplate.spec.template.spec


_FOR_THE_SCHEDULER = ("tolerations", "topologySpreadConstraints", "schedulerName", "schedulingGates")
"""Fields that matter only until the pod has a node."""


def _reduce_scheduled(spec: pb.PodSpec) -> None:
    for field in _FOR_THE_SCHEDULER:
        spec.ClearField(field)
    if spec.affinity.HasField("podAffinity"):
        spec.affinity.ClearField("podAffinity")


def reduce_statuses(spec: pb.PodSpec, of_containers: Iterable[pb.ContainerStatus]) -> None:
    """Drop the resources in container statuses that equal those in the specification, as most do."""
    if with_resources := [each for each in of_containers if each.HasField("resources")]:
        wanted = {container.name: container.resources for container in (*spec.initContainers, *spec.containers)}
        for each in with_resources:
            if each.resources == wanted.get(each.name):
                each.ClearField("resources")


def statuses(status: pb.PodStatus) -> list[pb.ContainerStatus]:
    """Return the statuses of all containers, init containers first."""
    return [*status.initContainerStatuses, *status.containerStatuses]


def _is_ailing(pod: pb.Pod) -> bool:
    """Return whether the pod is not ready although it should be."""
    ready = any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)
    return not ready and pod.status.phase in ("Pending", "Running")


def _service_hosts(container: pb.Container) -> list[str]:
    """Return the Services that arguments and values of variables name in full, as ``NAME.NAMESPACE.svc``."""
    hosts: dict[str, None] = {}
    for text in (*container.command, *container.args, *(variable.value for variable in container.env)):
        if ".svc" in text[:SEARCHED]:
            hosts |= dict.fromkeys(match[0] for match in SERVICE_HOST.finditer(text[:SEARCHED]))
    return list(hosts)[:SERVICE_HOSTS]


def _reduce_container(container: pb.Container) -> None:
    for words in (container.command, container.args):
        if words:
            words[:] = [word for word in words if word.startswith(_READ_ARGUMENTS)]
    if container.env:
        read = [variable for variable in container.env if variable.HasField("valueFrom")]
        for variable in read:
            variable.ClearField("value")
        del container.env[:]
        container.env.extend(read)


class Compact(Generic[M]):
    """A growing list of objects that takes no more memory than their fields.

    Dropped fields of an object, even unknown ones, stay in memory until it is parsed again.
    """

    def __init__(self, schema: type[M]) -> None:
        self._holder = _holder(schema.DESCRIPTOR.full_name)
        self._items: list[M] = []
        self._pieces: list[bytes] = []

    def add(self, item: M) -> None:
        """Add a copy of an object."""
        self._pieces += delimited(_ITEM, item.SerializeToString())
        if len(self._pieces) == 3 * BATCH:
            self._pack()

    def all(self) -> list[M]:
        """Return the objects."""
        self._pack()
        return self._items

    def _pack(self) -> None:
        self._items += self._holder.FromString(b"".join(self._pieces)).items
        self._pieces.clear()


@cache
def _holder(name: str) -> Any:
    """Return a type of message whose only field is a list of the named type."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.holder", package="kubevitals.holders", syntax="proto3", dependency=[pb.DESCRIPTOR.name]
    )
    holder = file.message_type.add(name=name.rpartition(".")[2])
    holder.field.add(
        name="items",
        number=1,
        type=FieldDescriptor.TYPE_MESSAGE,
        label=FieldDescriptor.LABEL_REPEATED,
        type_name=f".{name}",
    )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"kubevitals.holders.{holder.name}"))
