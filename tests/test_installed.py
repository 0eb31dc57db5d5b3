"""Software that many clusters have: nothing is found where all of it runs, and what fails where a part is missing."""

from collections.abc import Iterator

import pytest

from scenarios.harness import lines, verdicts
from tests.running import Object, Running, manifests, names

DAYS = 5 * 86400


def findings(running: Running) -> list[str]:
    cluster = running.cluster()
    return sorted(line for verdict in verdicts(cluster) for _, line in lines(cluster, verdict))


@pytest.mark.parametrize("age", [30, 1000, DAYS])
def test_nothing_is_found_where_all_runs(age: int) -> None:
    running = Running(age)
    for name in names():
        running.add(manifests(name))
    assert findings(running) == []


def stopped(software: str, part: str) -> Iterator[Object]:
    """Yield the objects of a file; one Deployment is scaled to zero, or another object is gone."""
    for obj in manifests(software):
        is_part = f"{obj['kind']}/{obj['metadata']['name']}" == part
        if is_part and obj["kind"] == "Deployment":
            obj["spec"]["replicas"] = 0
        if not is_part or obj["kind"] == "Deployment":
            yield obj


@pytest.mark.parametrize(
    ("software", "part", "found"),
    [
        (
            "istio",
            "Deployment/istiod",
            ["api-extensions[webhook] ValidatingWebhookConfiguration/istio-validator-istio-system"],
        ),
        (
            "cert-manager",
            "Deployment/cert-manager-webhook",
            [
                "api-extensions[webhook] MutatingWebhookConfiguration/cert-manager-webhook",
                "api-extensions[webhook] ValidatingWebhookConfiguration/cert-manager-webhook",
            ],
        ),
        (
            "longhorn",
            "DaemonSet/longhorn-manager",
            [
                "api-extensions[webhook] MutatingWebhookConfiguration/longhorn-webhook-mutator",
                "api-extensions[webhook] ValidatingWebhookConfiguration/longhorn-webhook-validator",
                "service-endpoints[no-match] Service/longhorn-admission-webhook (warning)",
                "service-endpoints[no-match] Service/longhorn-backend (warning)",
                "service-endpoints[no-match] Service/longhorn-conversion-webhook (warning)",
                "service-endpoints[no-match] Service/longhorn-recovery-backend (warning)",
            ],
        ),
        ("strimzi", "Pod/c-dual-role-2", ["disruption[never] PodDisruptionBudget/c-kafka (warning)"]),
        ("cnpg", "Pod/pg-1", ["service-endpoints[no-match] Service/pg-rw (warning)"]),
        ("rook", "Deployment/rook-ceph-mon-a", []),
        ("velero", "Deployment/velero", []),
    ],
)
def test_what_is_found_where_a_part_does_not_run(software: str, part: str, found: list[str]) -> None:
    assert part in {f"{obj['kind']}/{obj['metadata']['name']}" for obj in manifests(software)}
    assert findings(Running(DAYS).add(stopped(software, part))) == found
