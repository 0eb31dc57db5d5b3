"""Ready pods in a quarter of the memory: what the pods of one template have in common is kept once.

Most pods of a large cluster are ready, and equal 25 others but for their name, node, addresses and times. As messages,
150,000 pods take 650 MB, and each access to a field of a message makes another Python object. So a ready pod is taken
apart while the list arrives. Its labels, ownerReferences and specification, as bytes, are the key under which they are
kept: they are parsed and reduced when they come for the first time. Of its status, which is like no other, the bytes
are kept, a quarter of a message's memory: they are parsed each time that a field is read, but for what every run asks
of every pod.

`alike` gives pods back in groups that share all this, so that what depends on it alone is decided once for a group.

A `Pod` has the fields of the message for which it stands, with the same values, but nothing can be set. Two exceptions
make more pods alike: the random end of the name of a kube-api-access volume becomes xxxxx, and affinity to nodes and to
other pods, which matters only until the pod has a node, is dropped. A pod that is not ready stays a message, as does
one that has a name like that volume's elsewhere.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from sys import intern
from typing import Any, Literal, NamedTuple, cast

from google.protobuf.message import DecodeError

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import Compact, reduce, reduce_statuses, statuses

_TOKEN_VOLUME = re.compile(rb"kube-api-access-[a-z0-9]{5}(?![a-z0-9])")
"""The volume that the ServiceAccount admission controller adds to each pod (plugin/pkg/admission/serviceaccount)."""

_ANY_TOKEN_VOLUME = b"kube-api-access-xxxxx"

DELETED, RUNNING = "deletionTimestamp", "Running"

_OF_META = ("name", "generateName", "uid", "resourceVersion", "creationTimestamp", "annotations", "managedFields")
"""Fields of the metadata that are a pod's own, or that nothing reads."""

_BEFORE: tuple[Literal["nodeAffinity", "podAffinity"], ...] = ("nodeAffinity", "podAffinity")
"""Affinity that matters only until a pod has a node; its podAntiAffinity keeps others away as long as it runs."""


class Time(NamedTuple):
    """Stands for `pb.Time`."""

    seconds: int
    nanos: int


class _SharedMeta(NamedTuple):
    """Metadata that pods have in common apart from their labels: a message without the fields that are read most."""

    message: pb.ObjectMeta
    owners: tuple[pb.OwnerReference, ...]


class _SharedSpec(NamedTuple):
    """A specification that pods have in common: the message, and its fields that are read most."""

    message: pb.PodSpec
    init_containers: tuple[pb.Container, ...]
    containers: tuple[pb.Container, ...]


class _Shared(NamedTuple):
    """What the pods of one template have in common. Other templates may have all of it but the labels."""

    namespace: str
    labels: dict[str, str]
    metadata: _SharedMeta
    spec: _SharedSpec


class Metadata:
    """Stands for `pb.ObjectMeta`."""

    __slots__ = ("creationTimestamp", "labels", "name", "namespace", "ownerReferences", "template", "uid")

    def __init__(self, name: str, uid: str, created: Time, shared: _Shared) -> None:
        self.name, self.uid, self.creationTimestamp = name, uid, created
        self.namespace, self.labels = shared.namespace, shared.labels
        self.template, self.ownerReferences = shared.metadata

    def __getattr__(self, field: str) -> Any:
        return getattr(self.template, field)

    def HasField(self, field: str) -> bool:  # noqa: N802
        """Return whether a field is set."""
        return field == "creationTimestamp"


class Spec:
    """Stands for `pb.PodSpec`."""

    __slots__ = ("containers", "initContainers", "nodeName", "template")

    def __init__(self, node: str, shared: _SharedSpec) -> None:
        self.nodeName = intern(node)
        self.template, self.initContainers, self.containers = shared

    def __getattr__(self, field: str) -> Any:
        return getattr(self.template, field)


class Status:
    """Stands for `pb.PodStatus`."""

    __slots__ = ("_raw", "is_calm", "ready_after")
    phase = RUNNING

    def __init__(self, raw: bytes, *, is_calm: bool, ready_after: int) -> None:
        self._raw, self.is_calm, self.ready_after = raw, is_calm, ready_after

    def __getattr__(self, field: str) -> Any:
        return getattr(pb.PodStatus.FromString(self._raw), field)

    def HasField(self, field: str) -> bool:  # noqa: N802
        """Return whether a field is set."""
        return pb.PodStatus.FromString(self._raw).HasField(cast("Any", field))


class Pod(NamedTuple):
    """Stands for `pb.Pod`."""

    metadata: Metadata
    spec: Spec
    status: Status


def is_calm(pod: pb.Pod) -> bool:
    """Return whether the pod is one of these, which is ready and not being deleted, and its status has no reason.

    None of its containers ever restarted.
    """
    return isinstance(pod, Pod) and pod.status.is_calm


def ready_after(pod: pb.Pod) -> int:
    """Return the seconds from the start of a pod until its containers were ready, for the last time; 0 if they are not.

    Without a startTime they are counted from 1970.
    """
    return pod.status.ready_after if isinstance(pod, Pod) else _ready_after(pod.status, _true(pod.status))


def _true(status: pb.PodStatus) -> dict[str, pb.PodCondition]:
    """Return the conditions that are true, by their type."""
    return {condition.type: condition for condition in status.conditions if condition.status == "True"}


def _ready_after(status: pb.PodStatus, true: Mapping[str, pb.PodCondition]) -> int:
    since = true.get("ContainersReady")
    return since.lastTransitionTime.seconds - status.startTime.seconds if since else 0


def alike(pods: Iterable[pb.Pod]) -> tuple[Sequence[pb.Pod], ...]:
    """Return pods in groups that have namespace, labels, owner and specification in common, apart from their node.

    A message is a group of its own.
    """
    groups: dict[int, list[pb.Pod]] = defaultdict(list)
    for pod in pods:
        groups[id(pod.metadata.labels) if isinstance(pod, Pod) else id(pod)].append(pod)
    return tuple(groups.values())


class SharedPods:
    """A growing list of pods, in the order in which they came."""

    def __init__(self, wanted: Callable[[pb.Pod], bool] | None = None) -> None:
        self._wanted = wanted
        self._pods: list[Pod | None] = []
        self._messages = Compact(pb.Pod)
        self._shared: dict[bytes, _Shared | None] = {}
        self._metas: dict[bytes, _SharedMeta] = {}
        self._specs: dict[bytes, _SharedSpec | None] = {}
        self._reduced: dict[bytes, _SharedSpec] = {}
        self._times: dict[Time, Time] = {}

    def add(self, item: pb.Pod) -> None:
        """Add a pod that stays a message."""
        self._pods.append(None)
        self._messages.add(item)

    def add_ready(self, raw: bytes) -> bool:
        """Add an encoded pod, if it is wanted, runs, is ready and is not being deleted; return whether it is so."""
        try:
            return self._add_ready(raw)
        except DecodeError:  # a text is not UTF-8
            return False

    def all(self) -> list[pb.Pod]:
        """Return the pods."""
        messages = iter(self._messages.all())
        return [cast("pb.Pod", pod) if pod else next(messages) for pod in self._pods]

    def _add_ready(self, raw: bytes) -> bool:
        parts = pb.PodParts.FromString(raw)
        status = pb.PodStatus.FromString(parts.status)
        true = _true(status)
        if status.phase != RUNNING or "Ready" not in true:
            return False
        meta, spec = pb.OwnMeta.FromString(parts.metadata), pb.OwnSpec.FromString(parts.spec)
        if not spec.nodeName or meta.HasField(DELETED):
            return False
        name, uid, node, created = meta.name, meta.uid, spec.nodeName, self._time(meta.creationTimestamp)
        if not (shared := self._shared_by(raw, meta, spec)):
            return False
        pod = Pod(Metadata(name, uid, created, shared), Spec(node, shared.spec), _status(status, true, shared.spec))
        if not self._wanted or self._wanted(cast("pb.Pod", pod)):
            self._pods.append(pod)
        return True

    def _time(self, time: pb.Time) -> Time:
        kept = Time(time.seconds, time.nanos)
        return self._times.setdefault(kept, kept)

    def _shared_by(self, raw: bytes, meta: pb.OwnMeta, spec: pb.OwnSpec) -> _Shared | None:
        """Return what a pod has in common with others; `meta` and `spec` lose what is its own."""
        for field in _OF_META:
            meta.ClearField(field)
        spec.ClearField("hostname")
        _drop_placement(spec)
        metadata = meta.SerializeToString()
        key = sha256(_TOKEN_VOLUME.sub(_ANY_TOKEN_VOLUME, spec.SerializeToString())).digest()
        both = sha256(metadata + key).digest()  # templates may be as many as there are pods
        if both not in self._shared:
            self._shared[both] = self._new(raw, metadata, key)
        return self._shared[both]

    def _new(self, raw: bytes, metadata: bytes, key: bytes) -> _Shared | None:
        """Return what a pod will have in common with others. Templates may differ in their metadata alone."""
        if key not in self._specs:
            self._specs[key] = self._new_spec(raw)
        if not (spec := self._specs[key]) or _TOKEN_VOLUME.search(metadata):
            return None
        meta = pb.ObjectMeta.FromString(metadata)
        namespace, labels = intern(meta.namespace), {intern(name): intern(value) for name, value in meta.labels.items()}
        return _Shared(namespace, labels, self._meta(meta), spec)

    def _meta(self, meta: pb.ObjectMeta) -> _SharedMeta:
        """Return what other templates may have in common with this one; `meta` loses what is its own."""
        meta.DiscardUnknownFields()
        for field in ("namespace", "labels"):
            meta.ClearField(cast("Any", field))
        if (rest := meta.SerializeToString()) not in self._metas:
            message = pb.ObjectMeta.FromString(rest)
            self._metas[rest] = _SharedMeta(message, tuple(message.ownerReferences))
        return self._metas[rest]

    def _new_spec(self, raw: bytes) -> _SharedSpec | None:
        """Return a specification that pods will have in common. Some differ only in what is dropped of them."""
        if (reduced := _reduced_spec(raw)) is None:
            return None
        if reduced not in self._reduced:
            spec = pb.PodSpec.FromString(reduced)
            self._reduced[reduced] = _SharedSpec(spec, tuple(spec.initContainers), tuple(spec.containers))
        return self._reduced[reduced]


def _status(status: pb.PodStatus, true: Mapping[str, pb.PodCondition], spec: _SharedSpec) -> Status:
    """Return what stands for a status, which is reduced."""
    of_containers = statuses(status)
    reduce_statuses(spec.message, of_containers)
    status.DiscardUnknownFields()
    is_calm = not status.reason and all(each.ready and not each.restartCount for each in of_containers)
    return Status(status.SerializeToString(), is_calm=is_calm, ready_after=_ready_after(status, true))


def _drop_placement(spec: pb.OwnSpec | pb.PodSpec) -> None:
    """Drop a pod's node, and the affinity that mattered only until it had one."""
    spec.ClearField("nodeName")
    if spec.HasField("affinity"):
        for affinity in _BEFORE:
            spec.affinity.ClearField(affinity)


def _reduced_spec(raw: bytes) -> bytes | None:
    """Return the specification of a ready pod without what is its own; nothing if a name is like its token volume's."""
    pod = pb.Pod.FromString(raw)
    reduce(pod)
    spec = pod.spec
    _drop_placement(spec)
    tokens = _token_names(spec)
    for token in tokens:
        token.name = ""
    if _TOKEN_VOLUME.search(spec.SerializeToString()):
        return None
    for token in tokens:
        token.name = _ANY_TOKEN_VOLUME.decode()
    return spec.SerializeToString()


def _is_projected(source: pb.VolumeSource) -> bool:
    return [field.name for field, _ in source.ListFields()] == ["projected"]


def _token_names(spec: pb.PodSpec) -> list[pb.Volume | pb.VolumeMount]:
    """Return what has the name of the volume with the pod's token: the volume, and where it is mounted."""
    named: list[pb.Volume | pb.VolumeMount] = [v for v in spec.volumes if _is_projected(v.volumeSource)]
    for container in (*spec.initContainers, *spec.containers):
        named += container.volumeMounts
    return [each for each in named if _TOKEN_VOLUME.fullmatch(each.name.encode())]
