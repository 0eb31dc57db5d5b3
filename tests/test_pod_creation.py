"""Controllers that are refused their pods: what refuses them, and refusals that are over or as intended."""

import pytest

from checks import test_pod_creation as checks
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.admission import RefusedBy, refusal
from kubevitals.facts.pods.refused import Controller
from kubevitals.objects import SERVICE_NAME, Ref
from kubevitals.source.request import Answer
from tests.fakes import ago, cluster_of, status_bytes
from tests.refused import (
    EXCEEDED,
    FORBIDDEN,
    NO_ACCOUNT,
    NO_ANSWER,
    found,
    job,
    meta,
    pod_of,
    replica_set,
    said,
    stateful_set,
    told,
)

# --- what refuses a pod ---


@pytest.mark.parametrize(
    ("message", "by"),
    [
        (EXCEEDED, RefusedBy.QUOTA),
        (f"(combined from similar events): {EXCEEDED}", RefusedBy.QUOTA),
        (FORBIDDEN + "failed quota: compute: must specify limits.cpu for: app", RefusedBy.QUOTA),
        (FORBIDDEN + "status unknown for quota: compute, resources: pods", RefusedBy.QUOTA),
        (FORBIDDEN + "insufficient quota to match these scopes: [{PriorityClass In [high]}]", RefusedBy.QUOTA),
        (
            'create Claim data-db-1 Pod db-1 in StatefulSet db failed error: persistentvolumeclaims "data-db-1" is'
            " forbidden: exceeded quota: disks, requested: requests.storage=1Gi, used: requests.storage=9Gi,"
            " limited: requests.storage=9Gi",
            RefusedBy.QUOTA,
        ),
        (f"Error creating: {NO_ANSWER}", RefusedBy.WEBHOOK),
        ('Error creating: admission webhook "guard.io" denied the request: no', RefusedBy.POLICY),
        (FORBIDDEN + 'violates PodSecurity "restricted:latest": runAsNonRoot != true', RefusedBy.POLICY),
        (FORBIDDEN + "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no", RefusedBy.POLICY),
        (FORBIDDEN + "unable to validate against any security context constraint: []", RefusedBy.POLICY),
        (NO_ACCOUNT, RefusedBy.SERVICE_ACCOUNT),
        (FORBIDDEN + "maximum memory usage per Container is 1Gi, but limit is 2Gi", RefusedBy.LIMIT_RANGE),
        (FORBIDDEN + "Minimum cpu usage per Pod is 1, but request is 100m.", RefusedBy.LIMIT_RANGE),
        (
            FORBIDDEN + "cpu max limit to request ratio per Container is 2, but provided ratio is 4",
            RefusedBy.LIMIT_RANGE,
        ),
        ('Error creating: Pod "web-1-x" is invalid: spec.containers[0].image: Required value', RefusedBy.INVALID),
        (FORBIDDEN + 'pod rejected: RuntimeClass "kata" not found', RefusedBy.INVALID),
        ("Error creating: the server was unable to return a response in the time allotted", RefusedBy.OTHER),
    ],
)
def test_the_api_servers_words_say_what_refuses_a_pod(message: str, by: RefusedBy) -> None:
    why = refusal(message)
    assert why
    assert why.by is by
    assert not why.words.startswith(("(combined", "Error creating", "create Claim"))
    assert "is forbidden" not in why.words


@pytest.mark.parametrize(
    "unit", ["exceeded quota: a", 'failed calling webhook "a"', "create Pod ", '": "https://', "="]
)
def test_a_hostile_message_takes_no_time(unit: str) -> None:
    assert refusal(unit * 2000)


def test_a_webhook_whose_pods_are_ready_is_out_of_the_api_servers_reach() -> None:
    behind = pb.EndpointSlice(
        metadata=pb.ObjectMeta(name="guard-x", namespace="policies", labels={SERVICE_NAME: "guard"}),
        endpoints=[pb.Endpoint(addresses=["10.0.0.1"])],
    )
    late = replica_set(NO_ANSWER.replace("dial tcp: refused", "context deadline exceeded"))
    (finding,) = checks.webhook(cluster_of(replica_sets=[late], endpoint_slices=[behind]))
    assert finding.remedy.startswith("let the API server reach the pods behind Service/policies/guard, which are ready")
    (finding,) = checks.webhook(cluster_of(replica_sets=[late]))
    assert finding.remedy.startswith("find out why Service/policies/guard does not answer")


def test_each_rule_finds_its_own_refusals() -> None:
    texts = {
        "quota": EXCEEDED,
        "webhook": NO_ANSWER,
        "policy": 'violates PodSecurity "restricted:latest": no',
        "service_account": NO_ACCOUNT,
        "limit_range": "maximum cpu usage per Pod is 1, but limit is 2",
        "invalid": "no PriorityClass with name x was found",
        "refused": "etcdserver: request timed out",
    }
    sets = [replica_set(text, name=name.replace("_", "-")) for name, text in texts.items()]
    assert [(name, finding.obj.name) for name, finding in found(*sets)] == [
        (name, name.replace("_", "-")) for name in texts
    ]


def test_a_namespace_that_is_being_deleted_takes_no_pods_on_purpose() -> None:
    going = FORBIDDEN + "unable to create new content in namespace shop because it is being terminated"
    assert not told(replica_set(going))


# --- who is refused ---


def test_the_deployment_of_a_replica_set_is_told_of() -> None:
    ((_, finding),) = found(replica_set(NO_ACCOUNT, Ref("Deployment", "shop", "web")))
    assert finding.obj == Ref("Deployment", "shop", "web")
    assert finding.says == 'is refused 2 pods: ServiceAccount "web" does not exist'
    assert finding.missing == (Ref("ServiceAccount", "shop", "web"),)
    assert finding.concerns == (Ref("ReplicaSet", "shop", "web-1"),)
    assert "ReplicaSet/shop/web-1 has 1 of 3 pods" in finding.evidence
    assert finding.since == ago(600).seconds


def test_the_replica_set_of_an_owner_that_kubernetes_does_not_know_is_told_of_itself() -> None:
    ((_, finding),) = found(replica_set(NO_ACCOUNT, Ref("Rollout", "shop", "web")))
    assert finding.obj == Ref("ReplicaSet", "shop", "web-1")
    assert not finding.concerns


def test_of_two_replica_sets_the_newer_one_speaks_for_the_deployment() -> None:
    owner = Ref("Deployment", "shop", "web")
    new = replica_set(NO_ACCOUNT, owner, name="web-2", created=900)
    old = replica_set(EXCEEDED, owner)
    assert told(new, old) == told(old, new) == told(new)


@pytest.mark.parametrize(
    "healthy",
    [
        replica_set(has=3),
        replica_set(since=30),
        replica_set(reason="FailedDelete"),
        stateful_set(has=2),
        stateful_set(deleted=True),
        job("Complete"),
        job("Failed"),
        job(suspend=True),
        job(active=1, succeeded=2),
    ],
)
def test_who_has_its_pods_or_wants_none_is_silent(healthy: Controller) -> None:
    """Events of earlier refusals stay for an hour."""
    assert not told(healthy, said(type(healthy).__name__, healthy.metadata.name, NO_ACCOUNT))


def test_the_last_attempt_of_a_replica_set_says_more_than_its_condition() -> None:
    assert "ServiceAccount" in told(replica_set(EXCEEDED), said("ReplicaSet", "web-1", NO_ACCOUNT))[0]
    before = said("ReplicaSet", "web-1", NO_ACCOUNT, last=700, first=900)
    assert "ResourceQuota" in told(replica_set(EXCEEDED), before)[0]


def test_the_condition_is_enough_where_events_are_not_observed() -> None:
    refused = Answer(403, status_bytes("events is forbidden"))
    made = cluster_of({"/api/v1/events": refused}, replica_sets=[replica_set()])
    assert [finding.obj.name for finding in checks.service_account(made)] == ["web-1"]
    with pytest.raises(NotObserved):
        list(checks.service_account(cluster_of({"/api/v1/events": refused}, stateful_sets=[stateful_set()])))


def test_what_is_observed_is_found_although_a_list_is_missing() -> None:
    refused = Answer(403, status_bytes("statefulsets.apps is forbidden"))
    made = cluster_of({"/apis/apps/v1/statefulsets": refused}, replica_sets=[replica_set()])
    findings = checks.service_account(made)
    assert next(findings).obj.name == "web-1"
    with pytest.raises(NotObserved, match="list statefulsets"):
        next(findings)


def test_controllers_without_conditions_are_judged_by_their_events() -> None:
    daemons = pb.DaemonSet(metadata=meta("agent"), status=pb.DaemonSetStatus(desiredNumberScheduled=2))
    events = [
        said("StatefulSet", "db", NO_ACCOUNT),
        said("DaemonSet", "agent", NO_ACCOUNT),
        said("Job", "report-1", NO_ACCOUNT),
    ]
    assert told(stateful_set(), daemons, job(active=1), *events) == [
        'service_account StatefulSet/shop/db: is refused 1 pod: ServiceAccount "web" does not exist',
        'service_account DaemonSet/shop/agent: is refused 2 pods: ServiceAccount "web" does not exist',
        'service_account CronJob/shop/report: is refused 1 pod: ServiceAccount "web" does not exist',
    ]


@pytest.mark.parametrize(
    ("last", "first", "created", "is_found"),
    [
        (900, 1800, 3600, True),  # the next attempt may be due in 100 s
        (1300, 1800, 3600, False),  # it was due
        (30, 50, 3600, False),  # the attempts have just begun
        (300, 1800, 200, False),  # a pod was created since
        (100, 1800, 400, True),  # a pod was created, and then none
        (10, 1800, 30, False),  # the last pod was created half a minute ago
    ],
)
def test_an_event_counts_until_the_next_attempt_is_due(last: int, first: int, created: int, is_found: bool) -> None:
    one = stateful_set()
    assert bool(told(one, said("StatefulSet", "db", NO_ACCOUNT, last, first), pod_of(one, created))) is is_found
