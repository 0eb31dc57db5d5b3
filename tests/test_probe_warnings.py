"""Why a pod of the probe has no log, from the events about it."""

from kubevitals import schema_pb2 as pb
from kubevitals.source.probing.run import main_warnings
from tests.fakes import ago


def test_a_pull_secret_that_is_missing_is_told_rather_than_what_follows() -> None:
    """The kubelet goes on without it, and says so only once."""
    missing = "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed."
    events = [
        pb.Event(
            type=kind,
            reason=reason,
            message=message,
            involvedObject=pb.ObjectReference(kind="Pod", name="probe-pod-1"),
            metadata=pb.ObjectMeta(creationTimestamp=ago(age)),
        )
        for kind, reason, message, age in (
            ("Warning", "Failed", "Error: ErrImagePull", 8),
            ("Warning", "FailedToRetrieveImagePullSecret", missing, 10),
            ("Warning", "Failed", "Error: ImagePullBackOff", 4),
            ("Normal", "BackOff", "Back-off pulling image", 2),
        )
    ]
    assert main_warnings(events) == {"probe-pod-1": missing}
