"""What of a container's memory counts against its limit: not page cache, which the kernel drops."""

import json

import pytest

from checks.test_memory_limit import near_limit
from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.built import node
from tests.fakes import cluster_of

MI = 1 << 20


def pod(name: str, medium: str) -> pb.Pod:
    container = pb.Container(name="app", volumeMounts=[pb.VolumeMount(name="data")])
    container.resources.limits["memory"].string = "100Mi"
    source = pb.VolumeSource(emptyDir=pb.EmptyDirVolumeSource(medium=medium))
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace="shop", uid=name),
        spec=pb.PodSpec(nodeName="one", containers=[container], volumes=[pb.Volume(name="data", volumeSource=source)]),
        status=pb.PodStatus(phase="Running"),
    )


def cluster(working_set: int, rss: int | None, files: int = 0, medium: str = "Memory", pods: int = 1) -> Cluster:
    """Return a cluster whose pods use so many MiB, of 100."""
    memory = {"usageBytes": 100 * MI, "workingSetBytes": working_set * MI}
    memory |= {} if rss is None else {"rssBytes": rss * MI}
    names = [f"app-{number}" for number in range(pods)]
    figures = [
        {
            "podRef": {"name": name, "namespace": "shop"},
            "containers": [{"name": "app", "memory": memory}],
            "volume": [{"name": "data", "usedBytes": files * MI}],
        }
        for name in names
    ]
    answer = Answer(200, json.dumps({"node": {}, "pods": figures}).encode())
    return cluster_of(
        {"/api/v1/nodes/one/proxy/stats/summary": answer}, nodes=[node()], pods=[pod(name, medium) for name in names]
    )


@pytest.mark.parametrize(
    ("working_set", "rss", "files", "medium", "expected"),
    [
        (95, 90, 0, "Memory", True),
        (95, 50, 40, "Memory", True),
        (95, 50, 40, "", False),
        (95, 1, 0, "Memory", False),
        (80, 79, 30, "Memory", False),
        (95, None, 0, "Memory", True),
    ],
    ids=["processes", "files in memory", "files on disk", "page cache", "shared by containers", "unknown rss"],
)
def test_what_the_kernel_cannot_drop_counts(
    working_set: int, rss: int | None, files: int, medium: str, expected: bool
) -> None:
    seen = cluster(working_set, rss, files, medium)
    found = list(near_limit(seen))
    assert bool(found) is expected
    is_cached = working_set > 90 and not expected
    assert bool(seen.remarks) is is_cached


def test_evidence_tells_processes_and_files_apart() -> None:
    (finding,) = near_limit(cluster(95, 50, 40))
    assert finding.says == 'container "app" is about to reach its memory limit of 100Mi'
    assert "memory of its processes (rss): 50Mi; files in memory-backed volumes: 40Mi" in finding.evidence


def test_one_remark_lists_what_may_be_page_cache() -> None:
    seen = cluster(95, 1, pods=5)
    assert not list(near_limit(seen))
    (remark,) = seen.remarks
    assert remark.endswith('Pod/shop/app-2 (container "app") and 2 more')
