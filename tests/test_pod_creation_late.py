"""Pods whose creation takes the API server too long: it names none of the webhooks that it waits for."""

from collections.abc import Sequence
from typing import Any

import pytest

from checks.test_pod_creation import refused
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.source.request import Answer
from tests.fakes import Answers, ago, cluster_of
from tests.refused import replica_set, said, stateful_set

LATE = "Timeout: request did not complete within requested timeout - context deadline exceeded"
SLOW = "find out why the API server is slow: its etcd and its load"


def configuration(name: str, timeout: int = 12, policy: str = "Ignore", **rule: Any) -> Any:
    made = pb.MutatingWebhookConfiguration(metadata=pb.ObjectMeta(name=name, creationTimestamp=ago(3600)))
    hook = made.webhooks.add(name=f"{name}.io", failurePolicy=policy, timeoutSeconds=timeout)
    asked = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]} | rule
    operations = asked.pop("operations", ["CREATE"])
    hook.rules.add(operations=operations, rule=pb.AdmissionRule(**asked))
    return made


def found(*configurations: Any, message: str = LATE, answers: Answers | None = None, **lists: Any) -> Finding:
    controller = replica_set(message)
    controller.metadata.labels["app"] = "web"
    shop = pb.Namespace(metadata=pb.ObjectMeta(name="shop", labels={"team": "a"}))
    lists = dict[str, Any](replica_sets=[controller], namespaces=[shop]) | lists
    (finding,) = refused(cluster_of(answers, mutating_webhooks=configurations, **lists))
    return finding


@pytest.mark.parametrize(
    "message",
    [
        LATE,
        "Timeout: request did not complete within requested timeout 30s",
        "the server was unable to return a response in the time allotted, but may still be processing the request",
    ],
)
def test_the_webhooks_that_new_pods_wait_for_are_named(message: str) -> None:
    """kubernetes/kubernetes issue 128162: each of four webhooks is ignored in the end, and together they take 40 s."""
    timeouts = {"audit": 8, "images": 11, "limits": 12, "tenants": 9}
    finding = found(*(configuration(name, timeout) for name, timeout in timeouts.items()), message=message)
    assert finding.remedy == (
        "check that the webhooks for new pods answer: audit.io, images.io, limits.io, tenants.io; each is waited for, "
        f"even with failurePolicy Ignore, up to 40s in all; or {SLOW}"
    )


def of_pods_with(label: str) -> Any:
    made = configuration("labelled")
    made.webhooks[0].objectSelector.matchLabels["app"] = label
    return made


def of_namespaces_with(label: str) -> Any:
    made = configuration("labelled")
    made.webhooks[0].namespaceSelector.matchLabels["team"] = label
    return made


@pytest.mark.parametrize(
    ("configurations", "is_named"),
    [
        ([configuration("updates", operations=["UPDATE"])], False),
        ([configuration("deployments", apiGroups=["apps"], resources=["deployments"])], False),
        ([configuration("exec", resources=["pods/exec"])], False),
        ([configuration("all", operations=["*"], apiGroups=["*"], resources=["*"])], True),
        ([of_pods_with("web")], True),
        ([of_pods_with("db")], False),
        ([of_namespaces_with("a")], True),
        ([of_namespaces_with("b")], False),
        ([], False),
    ],
)
def test_only_webhooks_for_such_pods_are_waited_for(configurations: Sequence[Any], *, is_named: bool) -> None:
    remedy = found(*configurations).remedy
    assert remedy.startswith("check that the webhooks for new pods answer") is is_named
    assert remedy.endswith(SLOW)


def test_a_stateful_set_has_the_labels_of_its_template() -> None:
    of = stateful_set()
    of.spec.template.metadata.labels["app"] = "db"
    event = said("StatefulSet", "db", f"create Pod db-1 in StatefulSet db failed error: {LATE}")
    lists: dict[str, Any] = {"replica_sets": [], "stateful_sets": [of], "all_events": [event]}
    assert found(of_pods_with("db"), **lists).remedy.startswith("check that the webhooks")
    assert found(of_pods_with("web"), **lists).remedy == SLOW


def test_webhooks_that_are_not_observed_are_to_be_looked_up() -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    remedy = found(configuration("limits"), answers={path: Answer(403)}).remedy
    assert remedy.startswith("see what admission webhooks new pods wait for: kubectl get ")


def test_another_refusal_has_nothing_to_do_with_webhooks() -> None:
    assert found(configuration("limits"), message="disk on fire").remedy == "see why the API server refuses its pods"
