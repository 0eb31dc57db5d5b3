"""DaemonSets and StatefulSets whose pods fail as soon as they are created: one pod is there at a time, or none."""

import pytest

from checks.test_startup_error import not_started
from checks.test_workload_unavailable import replicas_missing
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods import recreations
from kubevitals.inventory.cluster import Cluster
from kubevitals.threshold import Threshold
from tests import workloads
from tests.fakes import ago
from tests.test_rejections import rejected

DAEMON = "Found failed daemon pod shop/web-{} on node {}, will try to kill it"
STATEFUL = "StatefulSet shop/web is recreating failed Pod web-0"


def said(of: workloads.Listed, message: str, last: int, first: int = 0, count: int = 1) -> pb.Event:
    about = pb.ObjectReference(kind=type(of).__name__, namespace="shop", name="web", uid="web")
    return pb.Event(
        involvedObject=about,
        type="Warning",
        message=message,
        count=count,
        firstTimestamp=ago(first or last),
        lastTimestamp=ago(last),
    )


def daemons(pods: list[pb.Pod], times: int, *, apart: int = 60, nodes: int = 1) -> Cluster:
    """Return a DaemonSet with one pod too few, of which so many failed."""
    one = workloads.daemon_set(2)
    events = [
        said(one, DAEMON.format(number, f"worker-{number % nodes}"), 30 + apart * number) for number in range(times)
    ]
    return workloads.cluster(one, [*workloads.pods(2, 0, "DaemonSet"), *pods], all_events=events)


def failed() -> pb.Pod:
    pod = rejected(9, 20, "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    del pod.metadata.ownerReferences[:]
    pod.metadata.ownerReferences.add(kind="DaemonSet", name="web", controller=True)
    return pod


def test_a_daemon_that_its_kubelet_always_rejects() -> None:
    """kubernetes/kubernetes issues 51884 and 118587."""
    (finding,) = not_started(daemons([failed()], 5))
    assert finding.says.startswith(
        "the kubelet rejects each new pod (its controller has recreated it 5 times): PodOSNotSupported: "
    )
    (short,) = replicas_missing(daemons([failed()], 5))
    assert short.says.startswith("has 2 of 3 pods available: has failed (PodOSNotSupported) (1 pod)")


def test_between_two_of_them_the_events_show_it() -> None:
    new = workloads.pod("web-9", "DaemonSet", ready=False, age=3, since=3)
    new.status.phase = "Pending"
    (short,) = replicas_missing(daemons([new], 5))
    assert short.says.endswith("a failed pod was recreated 5 times")


@pytest.mark.parametrize(
    ("times", "apart", "nodes"),
    [(1, 60, 1), (3, 60, 3), (3, 1, 1), (3, 3600, 1)],
    ids=["once", "once on each node", "at once", "rarely"],
)
def test_daemons_that_fail_as_their_nodes_restart_are_no_fault(times: int, apart: int, nodes: int) -> None:
    seen = daemons([failed()], times, apart=apart, nodes=nodes)
    assert not [*not_started(seen), *replicas_missing(seen)]


@pytest.mark.parametrize(("count", "found"), [(29, 1), (2, 0)])
def test_a_stateful_set_tells_in_one_event(count: int, found: int) -> None:
    one = workloads.stateful_set(0, 1)
    event = said(one, STATEFUL, 20, first=900, count=count)
    assert len(list(replicas_missing(workloads.cluster(one, [], all_events=[event])))) == found


def test_one_event_with_two_times_is_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recreations, "RESTARTS", Threshold("pod.restarts", 1, "as --threshold pod.restarts=1"))
    one = workloads.stateful_set(0, 1)
    event = said(one, STATEFUL, 20, first=900)
    assert not list(replicas_missing(workloads.cluster(one, [], all_events=[event])))
