"""PersistentVolumeClaims and volumes that are expanded, deleted or shared: what fails, and what only takes its time."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import Message

from checks.test_volume_claim import attach_failed, delete_failed, expansion_failed
from kubevitals import schema_pb2 as pb
from kubevitals.findings.declaration import Rule
from kubevitals.findings.finding import Finding, Severity
from tests.fakes import CREATED, ago, cluster_of
from tests.networks import judged, node

BUSY = "rpc error: code = Unknown desc = volume is in use: snapshot snap-1 depends on it"
ATTACHED = "persistentvolume disk is still attached to node one"
COOLDOWN = "rpc error: code = Unknown desc = volume is in cooldown for 6 hours"


def claim(wanted: str = "2Gi", size: str = "1Gi", mode: str = "ReadWriteOnce") -> pb.PersistentVolumeClaim:
    """Return a claim that is bound to the volume `disk` and asks for some more."""
    made = pb.PersistentVolumeClaim()
    made.metadata.CopyFrom(pb.AnnotatedMeta(name="data", namespace="shop", creationTimestamp=CREATED))
    made.spec.volumeName, made.status.phase = "disk", "Bound"
    made.spec.accessModes.append(mode)
    made.spec.resources.requests["storage"].string = wanted
    if size:
        made.status.capacity["storage"].string = size
    return made


def disk(phase: str = "Bound", policy: str = "Delete", since: int = 60, size: str = "1Gi") -> pb.PersistentVolume:
    made = pb.PersistentVolume(metadata=pb.ObjectMeta(name="disk"))
    made.spec.claimRef.CopyFrom(pb.ObjectReference(namespace="shop", name="data"))
    made.spec.persistentVolumeReclaimPolicy, made.status.phase = policy, phase
    made.spec.capacity["storage"].string = size
    made.status.lastPhaseTransitionTime.CopyFrom(ago(since))
    return made


def pod(name: str, on: str = "", phase: str = "Pending", since: int = 600, owner: str = "") -> pb.Pod:
    """Return a pod that uses the claim."""
    made = pb.Pod(metadata=pb.ObjectMeta(name=name, namespace="shop", creationTimestamp=ago(since)))
    made.spec.nodeName, made.status.phase = on, phase
    made.spec.volumes.add(name="data").volumeSource.persistentVolumeClaim.claimName = "data"
    made.status.conditions.add(type="PodScheduled", status=str(bool(on)), lastTransitionTime=ago(since))
    if owner:
        made.metadata.labels["pod-template-hash"] = name
        made.metadata.ownerReferences.add(kind="ReplicaSet", name=f"{owner}-{name}", controller=True)
    return made


def event(kind: str, reason: str, message: str, count: int, first: int, last: int = 20) -> pb.Event:
    about = pb.ObjectReference(kind=kind, name="disk" if kind == "PersistentVolume" else "data")
    about.namespace = "" if kind == "PersistentVolume" else "shop"
    said = pb.Event(involvedObject=about, reason=reason, message=message, count=count, type="Warning")
    said.firstTimestamp.CopyFrom(ago(first))
    said.lastTimestamp.CopyFrom(ago(last))
    return said


def found(rule: Rule, **lists: Sequence[Message]) -> list[Finding]:
    findings, unseen = judged(rule, cluster_of(nodes=[node("one"), node("two")], **lists))
    assert unseen is None
    return findings


def condition(kind: str, since: int = 600, message: str = COOLDOWN) -> pb.PersistentVolumeClaimCondition:
    return pb.PersistentVolumeClaimCondition(type=kind, status="True", lastTransitionTime=ago(since), message=message)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (condition("ControllerResizeError"), f"it cannot be expanded from 1Gi to 2Gi: {COOLDOWN}"),
        (condition("NodeResizeError"), f"it cannot be expanded from 1Gi to 2Gi: {COOLDOWN}"),
        (condition("ControllerResizeError", since=20), ""),
        (condition("Resizing", since=1000, message=""), "has started, and has not finished"),
        (condition("Resizing", since=300), ""),
        (condition("FileSystemResizePending", since=300), ""),
    ],
    ids=["controller", "node", "just now", "never done", "takes its time", "waits for a pod"],
)
def test_a_condition_reports_an_expansion_that_fails(state: pb.PersistentVolumeClaimCondition, says: str) -> None:
    growing = claim()
    growing.status.conditions.append(state)
    findings = found(expansion_failed, claims=[growing])
    assert bool(findings) is bool(says)
    assert all(says in finding.says for finding in findings)


LEFT = "didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC"


@pytest.mark.parametrize(
    ("since", "conditions", "others", "expected"),
    [
        (1000, (), (), True),
        (600, (), (), False),
        (1000, ("Resizing",), (), False),
        (1000, (), ("VolumeResizeFailed",), False),
        (0, (), (), False),
    ],
    ids=["for long", "not yet", "begun", "has answered", "no event"],
)
def test_an_expansion_that_no_driver_starts(
    since: int, conditions: Sequence[str], others: Sequence[str], *, expected: bool
) -> None:
    growing = claim()
    growing.status.conditions.extend(condition(kind, since=300) for kind in conditions)
    events = [event("PersistentVolumeClaim", "ExternalExpanding", LEFT, 1, since, since)] if since else []
    events += [event("PersistentVolumeClaim", reason, COOLDOWN, 1, 500, 500) for reason in others]
    findings = found(expansion_failed, claims=[growing], all_events=events)
    says = "it cannot be expanded from 1Gi to 2Gi: no driver has started the expansion"
    assert [finding.says for finding in findings] == [says] * expected


def test_a_size_that_the_driver_refuses_is_reported() -> None:
    growing = claim()
    growing.status.allocatedResourceStatuses["storage"] = "ControllerResizeInfeasible"
    (finding,) = found(expansion_failed, claims=[growing])
    assert "the driver reports ControllerResizeInfeasible" in finding.says


@pytest.mark.parametrize(("used", "expected"), [(True, [Severity.WARNING]), (False, [])])
def test_a_file_system_that_grows_with_the_next_pod_only_is_a_warning(used: object, expected: list[Severity]) -> None:
    growing = claim()
    growing.status.conditions.append(condition("FileSystemResizePending", since=2000))
    pods = [pod("app", "one", "Running")] if used else []
    assert [finding.severity for finding in found(expansion_failed, claims=[growing], pods=pods)] == expected


RESIZE = f'resize volume "disk" by resizer "csi.example" failed: {COOLDOWN}'


@pytest.mark.parametrize(
    ("wanted", "events", "is_found"),
    [
        ("2Gi", [event("PersistentVolumeClaim", "VolumeResizeFailed", RESIZE, 8, 200)], True),
        ("2Gi", [event("PersistentVolumeClaim", "VolumeResizeFailed", RESIZE, 1, 20)], False),
        ("1Gi", [event("PersistentVolumeClaim", "VolumeResizeFailed", RESIZE, 8, 200)], False),
        ("2Gi", [event("PersistentVolumeClaim", "VolumeResizeFailed", RESIZE, 8, 3000, 2500)], False),
        (
            "2Gi",
            [
                event("PersistentVolumeClaim", "VolumeResizeFailed", RESIZE, 8, 200, 60),
                event("PersistentVolumeClaim", "VolumeResizeSuccessful", "", 1, 20),
            ],
            False,
        ),
    ],
    ids=["again and again", "once", "it has its size", "over", "it succeeded since"],
)
def test_events_report_an_expansion_where_no_condition_does(
    wanted: str, events: list[pb.Event], *, is_found: bool
) -> None:
    old = claim(wanted, size="")
    findings = found(expansion_failed, claims=[old], volumes=[disk()], all_events=events)
    assert [finding.says for finding in findings] == [
        f"it cannot be expanded from 1Gi to 2Gi: {COOLDOWN}" for _ in range(is_found)
    ]


@pytest.mark.parametrize(
    ("volume", "events", "says"),
    [
        (
            disk("Released"),
            [event("PersistentVolume", "VolumeFailedDelete", BUSY, 6, 62)],
            f"cannot be deleted: {BUSY}",
        ),
        (disk("Released"), [event("PersistentVolume", "VolumeFailedDelete", BUSY, 4, 118)], ""),
        (disk("Released"), [event("PersistentVolume", "VolumeFailedDelete", ATTACHED, 8, 300)], ""),
        (disk("Released"), [event("PersistentVolume", "VolumeFailedDelete", ATTACHED, 40, 2000)], "still attached"),
        (disk("Released", policy=""), [event("PersistentVolume", "VolumeFailedDelete", BUSY, 6, 62)], "snap-1"),
        (disk("Released", "Retain"), [event("PersistentVolume", "VolumeFailedDelete", BUSY, 6, 62)], ""),
        (disk("Released", "Retain", since=9000), [], ""),
        (disk("Released", since=9000), [], "is not deleted, although its PVC is gone"),
        (disk("Released", since=900), [], ""),
        (disk("Bound", since=9000), [], ""),
    ],
)
def test_a_released_volume_that_is_not_deleted_is_a_warning(
    volume: pb.PersistentVolume, events: list[pb.Event], says: str
) -> None:
    findings = found(delete_failed, volumes=[volume], all_events=events)
    assert [finding.severity for finding in findings] == [Severity.WARNING] * bool(says)
    assert all(says in finding.says for finding in findings)


SNAPSHOT = "snapshot.storage.kubernetes.io/pvc"


def leaving(since: int, *finalizers: str) -> pb.PersistentVolumeClaim:
    made = claim()
    made.metadata.deletionTimestamp.CopyFrom(ago(since))
    made.metadata.finalizers.extend(["kubernetes.io/pvc-protection", *finalizers])
    return made


@pytest.mark.parametrize(
    ("since", "finalizers", "pods", "says"),
    [
        (600, [], [pod("old", "one", "Running"), pod("new")], "1 pod cannot be scheduled with it: Pod/shop/old still"),
        (600, ["example.com/x"], [pod("new")], "its finalizer example.com/x is not removed"),
        (600, [], [pod("old", "one", "Running")], ""),
        (9000, [], [pod("old", "one", "Running")], "is being deleted, but Pod/shop/old still uses it"),
        (9000, ["example.com/x"], [], "is being deleted, but its finalizer example.com/x is not removed"),
        (9000, [f"{SNAPSHOT}-as-source-protection"], [], "but a VolumeSnapshot of it is not ready yet (finalizer"),
        (600, ["example.com/x"], [], ""),
        (20, [], [pod("new")], ""),
    ],
)
def test_a_claim_that_is_being_deleted_says_what_keeps_it(
    since: int, finalizers: list[str], pods: list[pb.Pod], says: str
) -> None:
    findings = found(delete_failed, claims=[leaving(since, *finalizers)], pods=pods)
    assert bool(findings) is bool(says)
    for finding in findings:
        assert says in finding.says
        assert (finding.severity is Severity.ERROR) is ("scheduled" in finding.says)


def test_a_volume_that_is_being_deleted_stays_while_its_claim_is_bound() -> None:
    held, young = disk(), disk()
    held.metadata.deletionTimestamp.CopyFrom(ago(9000))
    young.metadata.deletionTimestamp.CopyFrom(ago(600))
    (finding,) = found(delete_failed, volumes=[held], claims=[claim()], pods=[pod("old", "one", "Running")])
    assert finding.says.endswith("PersistentVolumeClaim/shop/data is bound to it, which Pod/shop/old uses")
    assert finding.severity is Severity.WARNING
    assert not found(delete_failed, volumes=[young], claims=[claim()])
    assert not found(delete_failed, volumes=[held])


def attachment(on: str) -> pb.VolumeAttachment:
    made = pb.VolumeAttachment(metadata=pb.ObjectMeta(name=f"csi-{on}", creationTimestamp=CREATED))
    made.spec.CopyFrom(pb.VolumeAttachmentSpec(nodeName=on, attacher="csi.example"))
    made.spec.source.persistentVolumeName, made.status.attached = "disk", True
    return made


@pytest.mark.parametrize(
    ("mode", "pods", "says"),
    [
        ("ReadWriteOnce", [pod("old", "one", "Running"), pod("new", "two")], "node one, where Pod/shop/old uses it"),
        ("ReadWriteOnce", [pod("new", "two")], "attached to node one: 1 pod cannot start on node two"),
        ("ReadWriteOnce", [pod("old", "one", "Running"), pod("new", "one")], ""),
        ("ReadWriteOnce", [pod("old", "one", "Running"), pod("new", "two", since=30)], ""),
        ("ReadWriteOnce", [pod("old", "one", "Running"), pod("new", "two", "Running")], ""),
        ("ReadWriteMany", [pod("old", "one", "Running"), pod("new", "two")], ""),
        ("ReadWriteOncePod", [pod("old", "one", "Running"), pod("new")], "Pod/shop/old uses it: 1 pod cannot be sch"),
        ("ReadWriteOncePod", [pod("new")], ""),
    ],
)
def test_a_claim_for_one_node_or_pod_is_held_by_another_without_any_event(
    mode: str, pods: list[pb.Pod], says: str
) -> None:
    findings = found(
        attach_failed, claims=[claim(mode=mode)], volumes=[disk()], attachments=[attachment("one")], pods=pods
    )
    assert bool(findings) is bool(says)
    assert all(says in finding.says for finding in findings)


def test_a_rollout_that_waits_for_its_own_old_pod_needs_another_strategy() -> None:
    pods = [pod("old", "one", "Running", owner="web"), pod("new", "two", owner="web")]
    (finding,) = found(attach_failed, claims=[claim()], volumes=[disk()], attachments=[attachment("one")], pods=pods)
    assert "set strategy.type of Deployment/shop/web to Recreate" in finding.remedy


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("0/2 nodes are available: 2 node(s) exceed max volume count.", "as many volumes as they can attach"),
        ("0/2 nodes are available: 1 node(s) exceed max volume count, 1 Insufficient memory.", ""),
        (
            "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 csi.example CSI driver is not installed on "
            "the node. preemption: 0/2 nodes are available",
            "CSI driver csi.example is not installed",
        ),
    ],
)
def test_nodes_that_can_attach_no_more_volumes_or_not_these_are_reported(words: str, says: str) -> None:
    waiting = pod("app")
    waiting.status.conditions[0].message = words
    findings = found(attach_failed, claims=[claim()], volumes=[disk()], pods=[waiting])
    assert bool(findings) is bool(says)
    assert all(says in finding.says for finding in findings)
