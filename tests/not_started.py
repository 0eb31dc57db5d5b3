"""Pods that have not started."""

from kubevitals import schema_pb2 as pb
from tests.built import BuiltPod
from tests.fakes import ago

NOT_STARTED = "startup-error[not-started] Pod/app"


def since(seconds: int, pod: BuiltPod) -> BuiltPod:
    for condition in pod.pod.status.conditions:
        condition.lastTransitionTime.CopyFrom(ago(seconds))
    return pod


def named(name: str, pod: BuiltPod) -> pb.Pod:
    pod.pod.metadata.name = name
    return pod.pod
