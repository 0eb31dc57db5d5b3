"""Init containers that wait for something that does not come, and those that work for a long time."""

import pytest

from checks.test_startup_error import init_waits
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.init_waits import waiting_lines
from kubevitals.findings.finding import Finding
from tests.built import BuiltPod
from tests.fakes import ago


def found(log: str, since: int = 600, **more: str) -> list[Finding]:
    built = BuiltPod()
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(since)))
    built.container(pb.ContainerStatus(name="wait", state=running), init=True)
    built.pod.spec.initContainers[0].restartPolicy = more.get("restart", "")
    built.logs["wait"] = log
    return list(init_waits(built.cluster()))


def test_what_it_repeats_is_said() -> None:
    (finding,) = found("waiting for the moon\n" * 5)
    assert finding.says == 'init container "wait" keeps waiting: waiting for the moon'
    assert finding.look == "kubectl -n shop logs pod/app -c wait --tail=50"


def test_a_service_that_it_names_is_looked_up() -> None:
    (finding,) = found("nc: bad address 'stock'\nwaiting for stock\n" * 5)
    assert finding.says.endswith('"stock" cannot be resolved: Service stock does not exist in namespace shop')


@pytest.mark.parametrize(
    "log",
    [
        "",
        "".join(f"migrated {count}000 rows\n" for count in range(20)),
        "copying\n" * 20,
        "waiting for db\nmigrating table orders\nmigrating table items\n",
    ],
    ids=["silent", "progress", "says the same without waiting", "waited before"],
)
def test_an_init_container_that_works_is_no_fault(log: str) -> None:
    assert not found(log)


def test_it_may_wait_for_some_minutes_and_a_sidecar_runs_for_ever() -> None:
    waits = "waiting for db\n" * 5
    assert found(waits)
    assert not found(waits, since=200)
    assert not found(waits, restart="Always")


def test_of_all_names_that_a_lookup_tries_the_one_in_the_own_namespace_counts() -> None:
    tried = ("stock.shop.svc.cluster.local", "stock.svc.cluster.local", "stock.cluster.local")
    (finding,) = found("".join(f"** server can't find {name}: NXDOMAIN\n" for name in tried) * 4)
    assert finding.says.endswith("cannot be resolved: Service stock does not exist in namespace shop")
    assert finding.missing


def test_times_make_no_difference() -> None:
    lines = [f"2026-03-01T12:00:{second:02}Z db:5432 - no response, waiting" for second in range(10)]
    assert waiting_lines(lines) == ["db:5432 - no response, waiting"]
