"""Which of the reports about a volume tells why its pod waits, and what helps."""

import pytest

from checks.test_volume_claim import attach_failed, mount_failed
from kubevitals.findings.finding import Finding
from tests.built import BuiltPod
from tests.fakes import cluster_of

HANGS = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
BUSY = "rpc error: code = Aborted desc = an operation with the given Volume ID 0001-0009-rook-ceph-1 already exists"


def waiting(reason: str, *messages: str, attached: bool) -> list[Finding]:
    """Return what is found on a pod with these reports, the latest last."""
    pod = BuiltPod()
    lists = pod.mounting_disk(on="one", attached=attached)
    if not attached:
        lists["attachments"] = []
    for age, message in enumerate(reversed(messages)):
        pod.said(reason, message, 10 + 60 * age)
    cluster = cluster_of(pods=[pod.pod], nodes=[pod.node], all_events=pod.events, **lists)
    return list((mount_failed if attached else attach_failed)(cluster))


def test_what_an_earlier_attempt_said_tells_more_than_that_it_has_not_ended() -> None:
    """rook/rook issue 6280: the driver answers every retry like this while the first one hangs."""
    said = 'MountVolume.MountDevice failed for volume "disk" : '
    (finding,) = waiting("FailedMount", said + HANGS, said + BUSY, attached=True)
    assert finding.says.endswith(HANGS)
    (finding,) = waiting("FailedMount", said + BUSY, attached=True)
    assert "an earlier attempt has not ended" in finding.remedy


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('AttachVolume.Attach failed for volume "disk" : CSINode one does not contain driver x', "node plugin"),
        ('AttachVolume.FindAttachablePluginBySpec failed for volume "disk"', "attachRequired"),
        ('AttachVolume.Attach failed for volume "disk" : volume disk is not ready for workloads', "no replica"),
        ('Multi-Attach error for volume "disk" Volume is already exclusively attached', "stop the pod"),
        ('AttachVolume.Attach failed for volume "disk" : quota', "csi-attacher"),
    ],
)
def test_the_remedy_is_for_what_keeps_the_volume_from_being_attached(message: str, remedy: str) -> None:
    (finding,) = waiting("FailedAttachVolume", message, attached=False)
    assert not finding.says.endswith(": ")
    assert remedy in finding.remedy
