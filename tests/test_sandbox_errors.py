"""What messages about sandboxes mean, and which pods have no sandbox."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import SANDBOX_FAULTS, PodFault, pod_faults
from kubevitals.facts.pods.sandbox_errors import ERRORS, UNKNOWN, explain, plain
from tests.built import NO_NETWORK, node
from tests.fakes import ago, cluster_of
from tests.sandbox_lines import HEAD, ID, REFUSED, SAID


@pytest.mark.parametrize(("variant", "words"), SAID, ids=range(len(SAID)))
def test_a_message_belongs_to_a_variant(variant: str, words: str) -> None:
    error = explain(HEAD + words)
    assert error is not None
    assert error.variant == variant


@pytest.mark.parametrize(
    "words",
    [
        "",
        "runc create failed: container init was OOM-killed (memory limit too low?)",
        "failed to create shim task: mkdir /run/x: no space left on device",
    ],
)
def test_these_messages_belong_to_other_causes(words: str) -> None:
    assert explain(words) is None


@pytest.mark.parametrize(
    "words",
    [
        "can't set `spec.hostUsers: false`, runtime does not support user namespaces",
        'create mapped mount for "/var/lib/containers/storage/overlay" on "/x/mapped/0": invalid argument',
    ],
)
def test_a_node_without_user_namespaces_is_told_so(words: str) -> None:
    error = explain(HEAD + words)
    assert error is not None
    assert "does not support user namespaces" in error.means


def test_the_table_is_cited_and_every_line_can_be_reached() -> None:
    assert all(error.source and error.means and re.compile(error.text) for error in ERRORS)
    assert {error.variant for error in ERRORS} | {UNKNOWN} == set(SANDBOX_FAULTS)


def test_what_differs_between_pods_is_cut_out() -> None:
    pod = pb.Pod(metadata=pb.ObjectMeta(name="web-66bc5c9577-6g2g5"))
    uid = "9c6a7f37-dd43-4f7c-a01f-1ff41653609c"
    words = f"(combined from similar events): {HEAD}[shop/web-66bc5c9577-6g2g5/{uid}] {ID}: cannot"
    assert plain(words, pod) == "[shop/…/…] …: cannot"
    assert plain("link veth5f3a21bc (0a:58:0a:f4:01:02) not found", pod) == "link … (…) not found"


def test_a_name_inside_of_a_longer_one_stays() -> None:
    pod = pb.Pod(metadata=pb.ObjectMeta(name="app"))
    assert plain('unable to apply cgroups: pod app: configmap "app-config" not found', pod) == (
        'unable to apply cgroups: pod …: configmap "app-config" not found'
    )


@given(st.text(alphabet="abcdef0123456789-: \"'[]()=", max_size=400))
def test_any_message_can_be_explained(words: str) -> None:
    pod = pb.Pod(metadata=pb.ObjectMeta(name="app"))
    assert "app" not in plain(f"app {words}", pod)
    assert not words or explain(words) is not None


# --- which pods have no sandbox ---


def stuck(
    *,
    since: int = 90,
    has_sandbox: str = "False",
    phase: str = "Pending",
    host_network: bool = False,
    old: bool = False,
) -> pb.Pod:
    conditions = [pb.PodCondition(type="PodScheduled", status="True", lastTransitionTime=ago(since))]
    if not old:
        made = pb.PodCondition(type="PodReadyToStartContainers", status=has_sandbox, lastTransitionTime=ago(since))
        conditions.append(made)
    waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="ContainerCreating"))
    return pb.Pod(
        metadata=pb.ObjectMeta(name="app", namespace="shop", uid="1"),
        spec=pb.PodSpec(nodeName="one", hostNetwork=host_network),
        status=pb.PodStatus(phase=phase, conditions=conditions, containerStatuses=[pb.ContainerStatus(state=waiting)]),
    )


def said(words: str, reason: str = "FailedCreatePodSandBox", before: int = 10) -> pb.Event:
    about = pb.ObjectReference(kind="Pod", namespace="shop", name="app", uid="1")
    return pb.Event(involvedObject=about, reason=reason, message=words, lastTimestamp=ago(before))


def fault_of(pod: pb.Pod, *events: pb.Event, on: pb.Node | None = None) -> PodFault | None:
    found = pod_faults(cluster_of(pods=[pod], all_events=list(events), nodes=[on or node()])).symptoms
    return next((fault for fault, symptoms in found.items() if symptoms), None)


FULL = said(HEAD + "no IP addresses available in range set: 10.0.0.1-10.0.0.6")


def test_the_latest_failure_counts_whatever_event_follows() -> None:
    earlier = said(HEAD + REFUSED.format(1), before=60)
    changed = said("Pod sandbox changed, it will be killed and re-created.", "SandboxChanged", before=1)
    assert fault_of(stuck(), changed, FULL, earlier) is PodFault.POOL_EXHAUSTED
    assert fault_of(stuck(), changed, earlier) is PodFault.CNI_UNREACHABLE


def test_an_unknown_message_does_not_hide_a_known_one_before_it() -> None:
    otherwise = said("error during container init: read init-p: connection reset by peer", before=1)
    assert fault_of(stuck(), otherwise) is PodFault.SANDBOX_FAILED
    assert fault_of(stuck(), otherwise, FULL) is PodFault.POOL_EXHAUSTED
    killed = said("container init was OOM-killed (memory limit too low?)", before=5)
    assert fault_of(stuck(), otherwise, killed) is PodFault.OOM_KILLED


def test_a_sandbox_that_is_recreated_repeatedly_is_a_fault_after_its_reason_has_expired() -> None:
    changed = said("Pod sandbox changed, it will be killed and re-created.", "SandboxChanged", before=5)
    mount = said("MountVolume.SetUp failed for volume", "FailedMount", before=1)
    assert fault_of(stuck(), changed) is PodFault.SANDBOX_FAILED
    assert fault_of(stuck(), changed, mount) is not PodFault.SANDBOX_FAILED
    assert fault_of(stuck(), changed, said("no space left on device", before=20)) is PodFault.NOT_STARTED


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (stuck(), PodFault.POOL_EXHAUSTED),
        (stuck(old=True), PodFault.POOL_EXHAUSTED),
        (stuck(phase="Running"), PodFault.POOL_EXHAUSTED),
        (stuck(since=30), None),
        (stuck(has_sandbox="True"), None),
        (stuck(phase="Failed"), None),
    ],
)
def test_only_a_pod_without_a_sandbox_for_a_minute_has_the_fault(pod: pb.Pod, expected: PodFault | None) -> None:
    assert fault_of(pod, FULL) is expected


def test_a_node_without_network_explains_its_pods_but_not_those_in_the_host_network() -> None:
    bare = node(
        message="container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:x"
    )
    assert fault_of(stuck(), on=bare) is PodFault.CNI_MISCONFIGURED
    assert fault_of(stuck(host_network=True), on=bare) is PodFault.NOT_STARTED


@pytest.mark.parametrize(("joined", "expected"), [(100, None), (600, PodFault.CNI_MISCONFIGURED)])
def test_a_node_that_has_just_joined_may_have_no_cni_yet(joined: int, expected: PodFault | None) -> None:
    assert fault_of(stuck(), on=node(message=NO_NETWORK, created=ago(joined))) is expected


def test_a_stuck_pod_without_an_event_has_not_started() -> None:
    assert fault_of(stuck()) is PodFault.NOT_STARTED


@pytest.mark.parametrize(
    ("message", "means"),
    [
        (SAID[-3][1], "the CNI plugin cannot connect to the API server at 10.96.0.1:443"),
        (SAID[-2][1], "the node's kernel has no iptables table nat"),
        (SAID[-1][1], "the bridge cni0 on the node gets no IPv6 address: IPv6 is disabled there"),
    ],
)
def test_what_the_node_is_without_is_named(message: str, means: str) -> None:
    error = explain(HEAD + message)
    assert error
    assert error.meaning(message) == means
