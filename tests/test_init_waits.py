"""Init containers that wait for something that does not come, and those that work for a long time."""

from typing import Any

import pytest

from checks.test_startup_error import init_waits
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.init_waits import waiting_lines
from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.built import BuiltPod
from tests.fakes import ago, cluster_of
from tests.test_app_causes import endpoints, service


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


def waiting_for(*hosts: str, log: str = "still waiting for it\n", **lists: Any) -> Finding:
    """Return what is found of an init container that names Services in its command and hides what its lookups say."""
    built = BuiltPod()
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(600)))
    built.container(pb.ContainerStatus(name="wait", state=running), init=True, args=hosts)
    answers = {"/api/v1/namespaces/shop/pods/app/log": Answer(200, (log * 5).encode())}
    (finding,) = init_waits(cluster_of(answers, pods=[built.pod], nodes=[built.node], **lists))
    return finding


def test_a_service_that_its_command_names_and_that_does_not_exist() -> None:
    """``until nslookup stock.shop.svc.cluster.local >/dev/null; do echo …`` (kubernetes.io: Init Containers)."""
    finding = waiting_for("stock.shop.svc", services=[service("stocks")])
    assert finding.says.endswith(
        'keeps waiting: Service stock does not exist in namespace shop (did you mean "stocks"?)'
    )
    assert finding.missing == (Ref("Service", "shop", "stock"),)


def test_a_service_that_its_command_names_and_that_has_no_endpoint() -> None:
    made = service("stock")
    made.spec.selector["app"] = "stock"
    finding = waiting_for("stock.shop.svc", services=[made], endpoint_slices=[endpoints("stock", ready=False)])
    assert finding.says.endswith("keeps waiting: Service stock does not answer: it has no ready endpoint")
    assert finding.concerns == (Ref("Service", "shop", "stock"),)


@pytest.mark.parametrize("selects", [True, False], ids=["ready", "without a selector"])
def test_a_service_that_answers_is_not_what_it_waits_for(*, selects: bool) -> None:
    made = service("stock")
    if selects:
        made.spec.selector["app"] = "stock"
    finding = waiting_for("stock.shop.svc", services=[made], endpoint_slices=[endpoints("stock", ready=selects)])
    assert finding.says.endswith("keeps waiting: still waiting for it")


def test_what_its_log_says_counts_more_than_its_command() -> None:
    finding = waiting_for("stock.shop.svc", log="nc: bad address 'db'\n")
    assert "Service db does not exist" in finding.says


def test_a_service_of_a_namespace_that_is_not_listed_may_exist() -> None:
    finding = waiting_for("stock.elsewhere.svc")
    assert finding.says.endswith("keeps waiting: still waiting for it")
