"""Containers that run out of memory, nearly do, or only look like it; and a node that runs out of memory."""

from typing import Any

from kubevitals.inventory.kubelet import Memory, summaries
from scenarios.faults import memory_low
from scenarios.harness import Seen, scenario
from scenarios.objects import container, job, limit, mounting, pod

EAT = "sleep 5; tail /dev/zero; killed=$?; sleep 10; exit $killed"
"""Runs out of memory once the container runtime listens for that, which it does after it has started the container, and
ends after it has noticed, also on a slow machine."""
ONCE = "[ -e /state/seen ] && sleep 1d; touch /state/seen; " + EAT
LITTLE: dict[str, Any] = {"resources": limit(memory="32Mi")}


def holding(mebibytes: int) -> dict[str, Any]:
    """A container with a limit of 64Mi that holds this much memory: files in a memory-backed volume count."""
    return {
        "sh": f"dd if=/dev/zero of=/data/x bs=1M count={mebibytes} && sleep 1d",
        "volumes": mounting(emptyDir={"medium": "Memory"}),
        "resources": limit(memory="64Mi"),
    }


@scenario(pod("app", EAT, **LITTLE), finds=["memory-limit[oom-killed] Pod/app"])
def test_container_goes_over_its_limit(seen: Seen) -> None:
    """The finding gives the limit, and a new one to try."""
    assert seen.says('container "app" was OOMKilled: its memory limit is 32Mi')
    assert seen.says("first to 48Mi")


@scenario(
    pod("app", initContainers=[container(EAT, name="load", **LITTLE)]), finds=["memory-limit[oom-killed] Pod/app"]
)
def test_init_container_goes_over_its_limit(seen: Seen) -> None:
    """An init container is killed in the same way."""
    assert seen.says('container "load" was OOMKilled')


@scenario(
    pod("app", initContainers=[container(EAT, name="proxy", restartPolicy="Always", **LITTLE)]),
    finds=["memory-limit[oom-killed] Pod/app"],
)
def test_sidecar_goes_over_its_limit(seen: Seen) -> None:
    """So is a native sidecar."""
    assert seen.says('container "proxy" was OOMKilled')


@scenario(job("report", EAT, **LITTLE), finds=["memory-limit[oom-killed] Pod/report-*", "jobs[failed] Job/report"])
def test_job_goes_over_its_limit(seen: Seen) -> None:
    """A Job's container is not started again: its last state is its state."""
    assert "Failed" in {c.type for c in seen.get("Job/report").status.conditions}


@scenario(pod("app", resources=limit(memory="1Mi")), finds=["memory-limit[oom-killed] Pod/app"])
def test_limit_too_small_for_the_sandbox(seen: Seen) -> None:
    """Not even the pod sandbox fits."""
    assert seen.says("the pod sandbox cannot start: its memory limit of 1Mi is too small")
    assert seen.says("first to 16Mi")


@scenario(pod("app", resources=limit(memory="3Mi")), finds=["memory-limit[oom-killed] Pod/app"])
def test_limit_too_small_for_the_runtime(seen: Seen) -> None:
    """The runtime starts the sandbox or the container, and finds its process gone."""
    assert seen.says("3Mi")


@scenario(
    pod("app", ONCE, volumes=mounting(emptyDir={}), volumeMounts=[{"name": "data", "mountPath": "/state"}], **LITTLE),
    finds=["memory-limit[oom-killed] Pod/app"],
)
def test_killed_once_and_up_again(seen: Seen) -> None:
    """Minutes after the kill the container runs and is ready: its last state shows the kill."""
    status = seen.get("Pod/app").status.containerStatuses[0]
    assert status.ready
    assert status.restartCount >= 1


@scenario(on=test_killed_once_and_up_again, later=7200, finds=["memory-limit[oom-killed] Pod/app (warning)"])
def test_killed_once_hours_ago(seen: Seen) -> None:
    """It has not happened again: a risk."""


@scenario(on=test_killed_once_and_up_again, later=172800)
def test_killed_once_days_ago(seen: Seen) -> None:
    """Stable since: over."""
    assert seen.get("Pod/app").status.containerStatuses[0].lastState.terminated.reason == "OOMKilled"


@scenario(pod("app", **holding(60)), finds=["memory-limit[near-limit] Pod/app (warning)"])
def test_about_to_reach_the_limit(seen: Seen) -> None:
    """The working set is above 90 % of the limit."""
    assert seen.says("of 64Mi")


WRITE = "while :; do dd if=/dev/zero of=/tmp/x bs=1M count=200; sleep 20; done"
"""Fills the page cache repeatedly: some kernels drop what has not been used for a while."""


@scenario(pod("app", WRITE, resources=limit(memory="128Mi")))
def test_page_cache_up_to_the_limit(seen: Seen) -> None:
    """The kernel drops cached files when a process needs the memory."""
    assert (_figures(seen).usageBytes or 0) > 0.9 * (128 << 20)


@scenario(pod("app", **holding(45)))
def test_steady_at_seven_tenths_of_the_limit(seen: Seen) -> None:
    """A container that uses what it was given."""
    assert 45 << 20 <= (_figures(seen).workingSetBytes or 0) < 0.9 * (64 << 20)


def _figures(seen: Seen) -> Memory:
    """Return what the kubelet says of the pod's container."""
    own = (seen.scenario.name, "app")
    figures = (
        f for _, s in summaries(seen.cluster) for f in s.pods or () if (f.podRef.namespace, f.podRef.name) == own
    )
    return next(c.memory for f in figures for c in f.containers or () if c.memory)


@scenario(
    on_demand=True,
    fault=memory_low("worker"),
    finds=["memory-limit[node-oom] Node/worker", "node-ready[pressure] Node/worker"],
)
def test_node_out_of_memory(seen: Seen) -> None:
    """The kubelet evicts pods until the node has memory again."""
    assert seen.says("evicted: Pod/node-out-of-memory/app")
