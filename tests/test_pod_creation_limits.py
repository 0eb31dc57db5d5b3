"""What a refusal names: the quota and its room, the webhook's Service, the ServiceAccount, the LimitRange."""

import pytest

from checks import test_pod_creation as checks
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import roots_of
from kubevitals.findings.finding import Severity
from kubevitals.objects import Ref
from tests.findings import case
from tests.refused import EXCEEDED, NO_ANSWER, URL, found, meta, replica_set, resource_quota

# --- quotas ---


def test_the_remedy_says_how_much_the_quota_must_allow() -> None:
    ((_, finding),) = found(replica_set(EXCEEDED))
    assert finding.says == (
        'is refused 2 pods: ResourceQuota "compute" leaves too little: a pod needs 1Gi of limits.memory, and 3Gi of'
        " 3500Mi is used; a pod needs 1 of pods, and 3 of 3 is used"
    )
    assert "raise limits.memory to 5Gi, pods to 5 in the quota" in finding.remedy
    assert "kubectl -n shop edit resourcequota/compute" in finding.remedy


def test_the_quota_as_it_is_now_counts() -> None:
    now = resource_quota({"limits.memory": "2Gi", "pods": "2"}, {"limits.memory": "2Gi", "pods": "9"})
    ((_, finding),) = found(replica_set(EXCEEDED), now)
    assert "2Gi of 2Gi is used" in finding.says
    assert "raise limits.memory to 4Gi" in finding.remedy


def test_a_quota_with_room_again_needs_only_time() -> None:
    now = resource_quota({"limits.memory": "3Gi", "pods": "3"}, {"limits.memory": "9Gi", "pods": "9"})
    ((_, finding),) = found(replica_set(EXCEEDED, Ref("Deployment", "shop", "web")), now)
    assert "the quota has room again" in finding.remedy
    assert "kubectl -n shop rollout restart deployment/web" in finding.remedy


@pytest.mark.parametrize(
    ("used", "hard", "said"),
    [
        ({"requests.cpu": "950m"}, {"requests.cpu": "1"}, ["950m of 1 requests.cpu (95%)"]),
        ({"pods": "9", "limits.memory": "1Gi"}, {"pods": "10", "limits.memory": "9Gi"}, ["9 of 10 pods (90%)"]),
        ({"count/pods": "19"}, {"count/pods": "20"}, ["19 of 20 count/pods (95%)"]),
        ({"pods": "10"}, {"pods": "10"}, []),
        ({"pods": "8"}, {"pods": "10"}, []),
        ({"services": "19", "requests.storage": "19Gi"}, {"services": "20", "requests.storage": "20Gi"}, []),
        ({}, {"pods": "0"}, []),
    ],
)
def test_a_quota_that_is_nearly_full_is_warned_of_and_a_full_one_is_not(
    used: dict[str, str], hard: dict[str, str], said: list[str]
) -> None:
    warned = found(resource_quota(used, hard))
    assert [finding.says for _, finding in warned] == [f"is nearly used up: {text}" for text in said]
    assert all(finding.severity is Severity.WARNING for _, finding in warned)


# --- webhooks and limits ---


def test_the_service_of_a_webhook_is_named() -> None:
    ((_, finding),) = found(replica_set(f"Error creating: {NO_ANSWER}"))
    assert finding.says == 'is refused 2 pods: admission webhook "guard.io" cannot be called: dial tcp: refused'
    assert finding.concerns == (Ref("Service", "policies", "guard"),)
    assert "kubectl -n policies describe service/guard" in finding.remedy


def test_a_service_that_does_not_exist_is_missing() -> None:
    message = f'failed calling webhook "guard.io": failed to call webhook: {URL}: service "guard" not found'
    ((_, finding),) = found(replica_set(message))
    assert finding.missing == (Ref("Service", "policies", "guard"),)
    assert finding.remedy.startswith("create Service/policies/guard again")


def test_one_missing_service_account_is_one_root() -> None:
    account = Ref("ServiceAccount", "shop", "web")
    cases = [
        case("pod-creation[service-account]", f"Deployment/shop/{name}", missing=(account,)) for name in ("api", "web")
    ]
    roots = roots_of(cases, checks.EXPLAINS)
    assert {root.finding.obj.name for root in roots.values()} == {"api"}


def test_workloads_that_one_quota_refuses_have_one_root() -> None:
    refused = [
        case("pod-creation[quota]", f"Deployment/shop/{name}", concerns=(Ref("ResourceQuota", "shop", quota),))
        for name, quota in (("web", "compute"), ("api", "compute"), ("batch", "objects"))
    ]
    roots = roots_of(refused, checks.EXPLAINS)
    assert [roots[one] for one in refused] == [refused[0], refused[0], refused[2]]


def test_a_nearly_full_quota_is_a_symptom_of_the_refusal() -> None:
    quota = Ref("ResourceQuota", "shop", "compute")
    refused = case("pod-creation[quota]", "Deployment/shop/web", concerns=(quota,))
    warned = case("pod-creation[quota-nearly-full]", str(quota))
    assert roots_of([warned, refused], checks.EXPLAINS)[warned] is refused


def test_a_webhook_outside_the_cluster_has_no_service() -> None:
    message = 'failed calling webhook "guard.io": failed to call webhook: Post "https://guard.example/": EOF'
    ((_, finding),) = found(replica_set(message))
    assert not finding.concerns
    assert finding.says.endswith("cannot be called: EOF")
    assert finding.remedy.startswith("find out why it does not answer, or delete the webhook's configuration")


def limits(kind: str) -> pb.LimitRange:
    return pb.LimitRange(metadata=meta("small"), spec=pb.LimitRangeSpec(limits=[pb.LimitRangeItem(type=kind)]))


@pytest.mark.parametrize(("kind", "name"), [("Container", ' "small"'), ("Pod", "")])
def test_the_limit_range_of_that_type_is_named(kind: str, name: str) -> None:
    message = "maximum cpu usage per Container is 1, but limit is 2"
    ((_, finding),) = found(replica_set(message), limits(kind))
    assert finding.says == f"is refused 2 pods: LimitRange{name}: {message}"
