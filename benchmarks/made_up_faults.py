"""What is wrong in a made-up cluster: images do not exist, and the kubelets' events say so."""

from collections.abc import Iterator

from benchmarks.made_up_policies import PODS_OF_ONE, pod_name, team
from kubevitals import schema_pb2 as pb
from tests.fakes import CREATED, ago

IMAGE = "registry.example/app:1.2.3"
PULL = 'Failed to pull image "{}": not found'
OF_ONE = {
    'Failed to pull image "{0}": failed to pull and unpack image "{0}": failed to resolve reference "{0}": {0}: '
    "not found": "Failed",
    "Error: ErrImagePull": "Failed",
    'Back-off pulling image "{}"': "BackOff",
    "Error: ImagePullBackOff": "Failed",
}
"""Messages and reasons of the events about a pod that is apart: as many as a finding shows."""


def image_of(number: int) -> str:
    """Return an image that no other pod has."""
    return f"registry.example/app-{number:05}:1.2.3"


def set_apart(pod: pb.Pod, number: int) -> pb.Pod:
    """Return a broken pod without an owner, whose image no other pod has, so that nothing says the same about two."""
    pod.metadata.ClearField("ownerReferences")
    for container, status in zip(pod.spec.containers, pod.status.containerStatuses, strict=True):
        container.image = image_of(number)
        status.state.waiting.message = status.state.waiting.message.replace(IMAGE, image_of(number))
    return pod


def events(broken: int, *, apart: bool) -> Iterator[pb.Event]:
    """Yield an event about each broken pod; several about each of those that are apart."""
    for number in range(broken):
        image, reasons = (image_of(number), OF_ONE) if apart else (IMAGE, {PULL: "Failed"})
        for kind, (message, reason) in enumerate(reasons.items()):
            yield _event(number, f"event-{number}-{kind}", reason, message.format(image))


def _event(number: int, name: str, reason: str, message: str) -> pb.Event:
    app = number // PODS_OF_ONE
    about = pb.ObjectReference(
        kind="Pod",
        namespace=team(app),
        name=pod_name(number),
        uid=f"{number:036}",
        fieldPath="spec.containers{app}",
    )
    return pb.Event(
        metadata=pb.ObjectMeta(name=name, namespace=about.namespace, creationTimestamp=CREATED),
        involvedObject=about,
        type="Warning",
        reason=reason,
        message=message,
        count=40,
        firstTimestamp=CREATED,
        lastTimestamp=ago(30),
    )
