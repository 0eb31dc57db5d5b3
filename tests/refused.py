"""Controllers that are refused their pods, and what the API server says of it."""

from collections.abc import Mapping

from google.protobuf.message import Message

from checks import test_pod_creation as checks
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.refused import Controller
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from tests.fakes import ago, cluster_of

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
