"""What the probe's pods may do: nothing but look."""

from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import left_behind
from kubevitals.probe.plan import Options
from kubevitals.source.probing.manifests import NETWORKS, Made
from kubevitals.source.request import Answer
from tests.fakes import FakeSource, ago, list_bytes

MADE = Made.new(Options(pull_secret="registry"))
PODS: dict[str, dict[str, Any]] = {str(network): MADE.daemon_set(network)["spec"]["template"] for network in NETWORKS}


@pytest.fixture(params=PODS)
def pod(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A pod's template."""
    return PODS[request.param]


def test_a_pod_can_do_nothing_but_look(pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]["cpu"] == "10m"
        assert "memory" in container["resources"]["limits"]
    assert [list(volume) for volume in spec["volumes"]] == [["name", "emptyDir"], ["name", "downwardAPI"]]
    assert not {"hostPID", "hostIPC"} & spec.keys()


def test_a_pod_runs_on_every_linux_node_and_vanishes_at_once(pod: dict[str, Any]) -> None:
    assert pod["spec"]["tolerations"] == [{"operator": "Exists"}]
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod["spec"]["terminationGracePeriodSeconds"] == 0
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_only_one_of_them_is_in_the_hosts_network_and_opens_no_port_there() -> None:
    assert {network: pod["spec"]["hostNetwork"] for network, pod in PODS.items()} == {"pod": False, "host": True}
    assert PODS["host"]["spec"]["dnsPolicy"] == "Default"
    assert all("ports" not in pod["spec"]["containers"][0] for pod in PODS.values())
    assert MADE.service["spec"]["selector"].items() <= PODS["pod"]["metadata"]["labels"].items()
    assert not MADE.service["spec"]["selector"].items() <= PODS["host"]["metadata"]["labels"].items()


def test_everything_is_known_as_this_runs_own() -> None:
    objects = [MADE.service, *(MADE.daemon_set(network) for network in NETWORKS)]
    for labels in [
        *(each["metadata"]["labels"] for each in objects),
        *(pod["metadata"]["labels"] for pod in PODS.values()),
    ]:
        assert labels["app.kubernetes.io/managed-by"] == "kubevitals"
        assert labels["kubevitals.io/run"] == MADE.run
        assert labels["kubevitals.io/lifetime"] == "90"
    assert all(each["metadata"]["name"].endswith(MADE.run) for each in objects)
    assert MADE.token not in str([each["metadata"] for each in objects])


def test_no_two_runs_are_alike() -> None:
    other = Made.new(Options())
    assert (other.run, other.token) != (MADE.run, MADE.token)


def test_leftovers_are_told_by_a_run_without_a_probe() -> None:
    labels = {"app.kubernetes.io/managed-by": "kubevitals", "kubevitals.io/run": "1", "kubevitals.io/lifetime": "90"}
    sets = [
        pb.DaemonSet(
            metadata=pb.ObjectMeta(name=f"probe-{age}", namespace="p", labels=labels, creationTimestamp=ago(age))
        )
        for age in (80, 100)
    ]
    source = FakeSource({"/apis/apps/v1/daemonsets": Answer(200, list_bytes(sets))})
    assert left_behind(Cluster(source)) == [
        "DaemonSet/p/probe-100 was left behind by a probe that was killed: the next run with --probe removes it"
    ]
    assert left_behind(Cluster(source, probe=Options())) == []
