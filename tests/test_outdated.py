"""A StatefulSet whose template was corrected, and whose pod is still of the broken one."""

from collections.abc import Callable

import pytest

from checks.test_readiness import probe_failing
from checks.test_startup_error import app_exit, image
from checks.test_workload_unavailable import replicas_missing
from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from tests import workloads
from tests.built import BuiltPod, node
from tests.fakes import cluster_of

DELETE = "kubectl -n shop delete pod/web-0; if the new pod fails alike, "


def stateful_set() -> pb.StatefulSet:
    made = workloads.stateful_set(0, 1)
    made.spec.podManagementPolicy, made.spec.updateStrategy.type = "OrderedReady", "RollingUpdate"
    made.status.updateRevision = "web-good"
    return made


def stuck() -> BuiltPod:
    pod = BuiltPod()
    pod.pod.metadata.name = "web-0"
    pod.pod.metadata.labels["controller-revision-hash"] = "web-bad"
    pod.pod.metadata.ownerReferences.add(kind="StatefulSet", name="web", controller=True)
    pod.waiting("web", "ImagePullBackOff", 'Back-off pulling image "nginx:broken": not found')
    return pod


def cluster(pod: BuiltPod, owner: pb.StatefulSet) -> Cluster:
    return cluster_of(pods=[pod.pod], nodes=[node()], stateful_sets=[owner])


def test_a_pod_of_an_older_template_is_deleted() -> None:
    """kubernetes/kubernetes issue 67250: OrderedReady does not replace a pod that never becomes ready."""
    (found,) = image(cluster(stuck(), stateful_set()))
    assert f"{DELETE}correct the image's name or tag" in found.remedy
    (short,) = replicas_missing(cluster(stuck(), stateful_set()))
    assert DELETE in short.remedy


def test_so_is_one_that_crashes_or_is_not_ready() -> None:
    crashes, unready = stuck(), stuck()
    del crashes.pod.status.containerStatuses[1:]
    crashes.crashing("web", 1)
    (crash,) = app_exit(cluster(crashes, stateful_set()))
    assert DELETE in crash.remedy
    del unready.pod.status.containerStatuses[1:]
    unready.pod.status.containerStatuses[0].ready = False
    unready.pod.status.phase = "Running"
    unready.pod.spec.containers[0].readinessProbe.handler.httpGet.path = "/"
    (probe,) = probe_failing(cluster(unready, stateful_set()))
    assert DELETE in probe.remedy


def parallel(owner: pb.StatefulSet) -> None:
    owner.spec.podManagementPolicy = "Parallel"


def on_delete(owner: pb.StatefulSet) -> None:
    owner.spec.updateStrategy.type = "OnDelete"


def kept_by_partition(owner: pb.StatefulSet) -> None:
    owner.spec.updateStrategy.rollingUpdate.partition = 1


def latest(owner: pb.StatefulSet) -> None:
    owner.status.updateRevision = "web-bad"


@pytest.mark.parametrize("change", [parallel, on_delete, kept_by_partition, latest])
def test_otherwise_the_pod_is_of_the_template_or_is_replaced(change: Callable[[pb.StatefulSet], None]) -> None:
    owner = stateful_set()
    change(owner)
    (found,) = image(cluster(stuck(), owner))
    assert found.remedy == "correct the image's name or tag, or push it"
