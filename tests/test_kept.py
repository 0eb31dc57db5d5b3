"""What is kept of an object: of arguments and variables nothing but the names of Services, and only if it is needed."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import SEARCHED, SERVICE_HOST, SERVICE_HOSTS, reduce


def pod(*values: str, ready: str = "False", phase: str = "Running", args: tuple[str, ...] = ()) -> pb.Pod:
    made = pb.Pod(status=pb.PodStatus(phase=phase))
    made.status.conditions.add(type="Ready", status=ready)
    made.spec.containers.add(name="app", args=args, env=[pb.EnvVar(name="X", value=value) for value in values])
    return made


def kept(made: pb.Pod) -> list[str]:
    reduce(made)
    (container,) = made.spec.containers
    assert not container.env
    return list(container.args)


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("db.shop.svc", ["db.shop.svc"]),
        ("http://payments.shop.svc.cluster.local:8080/v1", ["payments.shop.svc"]),
        ("postgres://shop:hunter2@db-0.db.shop.svc/", ["db.shop.svc"]),
        ("a.x.svc:1,b.x.svc:2", ["a.x.svc", "b.x.svc"]),
        ("db.shop", []),
        ("db", []),
        ("hunter2.svc", []),
        ("db.shop.svcs", []),
        ("eyJhbGciOi.eyJzdWIiOi.svcK", []),
        ("x" * SEARCHED + " db.shop.svc", []),
    ],
    ids=["short", "URL", "credentials", "two", "no svc", "one word", "one label", "longer", "token", "late"],
)
def test_of_a_value_only_the_full_name_of_a_service_is_kept(value: str, hosts: list[str]) -> None:
    assert kept(pod(value)) == hosts
    assert kept(pod(args=(f"--at={value}",))) == hosts


@pytest.mark.parametrize(("ready", "phase"), [("True", "Running"), ("False", "Succeeded"), ("False", "Failed")])
def test_nothing_is_kept_of_a_pod_that_is_ready_or_finished(ready: str, phase: str) -> None:
    assert kept(pod("db.shop.svc", ready=ready, phase=phase)) == []


def test_templates_keep_nothing() -> None:
    made = pb.Deployment()
    made.spec.template.spec.CopyFrom(pod("db.shop.svc").spec)
    reduce(made)
    assert not made.spec.template.spec.containers[0].args


def test_the_value_beside_a_reference_is_dropped() -> None:
    made = pod()
    variable = made.spec.containers[0].env.add(name="X", value="hunter2")
    variable.valueFrom.configMapKeyRef.key = "x"
    reduce(made)
    assert made.spec.containers[0].env[0].valueFrom.configMapKeyRef.key == "x"
    assert not made.spec.containers[0].env[0].value


def test_no_more_than_a_few_names_are_kept_and_they_stay_when_reduced_again() -> None:
    made = pod(*(f"s{n}.shop.svc" for n in range(50)), args=("--cluster-cidr=10.0.0.0/8",))
    hosts = [f"s{n}.shop.svc" for n in range(SERVICE_HOSTS)]
    assert kept(made) == ["--cluster-cidr=10.0.0.0/8", *hosts]
    assert kept(made) == ["--cluster-cidr=10.0.0.0/8", *hosts]


@given(st.lists(st.text(alphabet="ab-.:/@svc", max_size=300), max_size=5))
def test_whatever_is_kept_is_the_name_of_a_service(values: list[str]) -> None:
    assert all(map(SERVICE_HOST.fullmatch, kept(pod(*values))))


def test_a_large_value_takes_no_time() -> None:
    made = pod("a-" * 500_000 + ".svc" * 500_000, *[".svc" * 1000 + "a" * 3000] * 50)
    start = process_time()
    kept(made)
    assert process_time() - start < 1
