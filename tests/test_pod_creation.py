"""Controllers that are refused their pods: what refuses them, and refusals that are over or as intended."""

from collections.abc import Mapping

import pytest
from google.protobuf.message import Message

from checks import test_pod_creation as checks
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import roots_of
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.admission import RefusedBy, refusal
from kubevitals.facts.pods.refused import Controller
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.fakes import ago, cluster_of, status_bytes
from tests.findings import case

FORBIDDEN = 'Error creating: pods "web-1-x" is forbidden: '
EXCEEDED = (
    FORBIDDEN + "exceeded quota: compute, requested: limits.memory=1Gi,pods=1, used: limits.memory=3Gi,pods=3,"
    " limited: limits.memory=3500Mi,pods=3"
)
NO_ACCOUNT = FORBIDDEN + 'error looking up service account shop/web: serviceaccount "web" not found'
URL = 'Post "https://guard.policies.svc:443/validate?timeout=10s"'
NO_ANSWER = (
    f'Internal error occurred: failed calling webhook "guard.io": failed to call webhook: {URL}: dial tcp: refused'
)

RULES = (
    checks.quota,
    checks.webhook,
    checks.policy,
    checks.service_account,
    checks.limit_range,
    checks.invalid,
    checks.refused,
    checks.quota_nearly_full,
)
LISTS = {
    pb.ReplicaSet: "replica_sets",
    pb.StatefulSet: "stateful_sets",
    pb.DaemonSet: "daemon_sets",
    pb.Job: "jobs",
    pb.ResourceQuota: "quotas",
    pb.LimitRange: "limit_ranges",
    pb.Pod: "pods",
    pb.Event: "all_events",
}


def meta(name: str, *owners: Ref, created: int = 3600) -> pb.ObjectMeta:
    made = pb.ObjectMeta(name=name, namespace="shop", uid=name, creationTimestamp=ago(created))
    for owner in owners:
        made.ownerReferences.add(kind=owner.kind, name=owner.name, controller=True)
    return made


def replica_set(
    message: str = NO_ACCOUNT,
    *owners: Ref,
    name: str = "web-1",
    has: int = 1,
    since: int = 600,
    reason: str = "FailedCreate",
    created: int = 3600,
) -> pb.ReplicaSet:
    condition = pb.ReplicaSetCondition(
        type="ReplicaFailure", status="True", reason=reason, message=message, lastTransitionTime=ago(since)
    )
    return pb.ReplicaSet(
        metadata=meta(name, *owners, created=created),
        spec=pb.ReplicaSetSpec(replicas=3),
        status=pb.ReplicaSetStatus(replicas=has, conditions=[condition]),
    )


def said(kind: str, name: str, message: str, last: int = 30, first: int = 600) -> pb.Event:
    about = pb.ObjectReference(kind=kind, namespace="shop", name=name, uid=name)
    return pb.Event(
        involvedObject=about,
        type="Warning",
        reason="FailedCreate",
        message=message,
        firstTimestamp=ago(first),
        lastTimestamp=ago(last),
        count=9,
    )


def stateful_set(has: int = 1, *, deleted: bool = False) -> pb.StatefulSet:
    made = pb.StatefulSet(
        metadata=meta("db"), spec=pb.StatefulSetSpec(replicas=2), status=pb.StatefulSetStatus(replicas=has)
    )
    if deleted:
        made.metadata.deletionTimestamp.CopyFrom(ago(300))
    return made


def pod_of(controller: Controller, created: int) -> pb.Pod:
    owner = Ref(type(controller).__name__, "shop", controller.metadata.name)
    return pb.Pod(metadata=meta(f"{owner.name}-0", owner, created=created))


def job(*conditions: str, active: int = 0, succeeded: int = 0, suspend: bool = False) -> pb.Job:
    return pb.Job(
        metadata=meta("report-1", Ref("CronJob", "shop", "report")),
        spec=pb.JobSpec(parallelism=2, completions=3, suspend=suspend),
        status=pb.JobStatus(
            active=active,
            succeeded=succeeded,
            conditions=[pb.JobCondition(type=kind, status="True") for kind in conditions],
        ),
    )


def resource_quota(used: Mapping[str, str], hard: Mapping[str, str]) -> pb.ResourceQuota:
    made = pb.ResourceQuota(metadata=meta("compute"))
    for amounts, given in ((made.status.used, used), (made.status.hard, hard)):
        for resource, text in given.items():
            amounts[resource].string = text
    return made


def cluster(*objects: Message) -> Cluster:
    lists: dict[str, list[Message]] = {}
    for obj in objects:
        lists.setdefault(LISTS[type(obj)], []).append(obj)
    return cluster_of(**lists)


def found(*objects: Message) -> list[tuple[str, Finding]]:
    made = cluster(*objects)
    return [(rule.__name__, finding) for rule in RULES for finding in rule(made)]


def told(*objects: Message) -> list[str]:
    return [f"{name} {finding.obj}: {finding.says}" for name, finding in found(*objects)]


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
