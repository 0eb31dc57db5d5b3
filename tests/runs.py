"""Runs of the checks as a user starts them, and pods for them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.source.live import Live
from tests.fakes import CREATED, ago

CHECKS = Path(__file__).parents[1] / "checks"

Run = Callable[..., pytest.RunResult]
"""Runs the checks with these options: the fixture `run`."""

Connect = Callable[..., Live]
"""Connects to the fake API server: the fixture `connect`."""


def checks_in(causes: Iterable[str]) -> list[Path]:
    """Return the files of these causes; the folder of all of them, if none is named."""
    return [CHECKS / f"test_{cause.replace('-', '_')}.py" for cause in causes] or [CHECKS]


def crashing(name: str, message: str = "it died", namespace: str = "shop", on: str = "worker") -> pb.Pod:
    """Return a pod in CrashLoopBackOff."""
    died = pb.ContainerStateTerminated(exitCode=1, reason="Error", message=message, finishedAt=ago(60))
    status = pb.ContainerStatus(
        name="app",
        restartCount=7,
        state=pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="CrashLoopBackOff")),
        lastState=pb.ContainerState(terminated=died),
    )
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace=namespace, uid=name, creationTimestamp=CREATED),
        spec=pb.PodSpec(nodeName=on, containers=[pb.Container(name="app")]),
        status=pb.PodStatus(phase="Running", startTime=CREATED, containerStatuses=[status]),
    )


def log_path(pod: str) -> str:
    return f"/api/v1/namespaces/shop/pods/{pod}/log"
