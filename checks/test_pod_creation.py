"""The API server refuses the pods that a controller creates.

Meaning:
    A Deployment, StatefulSet, DaemonSet or Job has fewer pods than it wants, and there is no pod to look at: the API
    server refuses each new one. The finding says what refuses it: a ResourceQuota that is used up, an admission webhook
    that cannot be called, a policy that forbids the pod, a ServiceAccount that does not exist, a LimitRange, or an
    invalid template. It also warns of ResourceQuotas that are nearly used up.

Impact:
    The workload has too few pods, or none. A rollout does not proceed, and a pod that is deleted is not replaced.

Diagnosis:
    `kubectl describe` of the ReplicaSet, StatefulSet, DaemonSet or Job shows FailedCreate events with the API server's
    message. A Deployment has the condition ReplicaFailure. `kubectl describe resourcequota` shows what is used.

Mitigation:
    Change what refuses the pod, or the pod template so that it is accepted. The controller tries again by itself, after
    17 minutes at the latest; `kubectl rollout restart` makes a Deployment try at once.
"""

import re
from collections.abc import Iterator, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.control_plane.calls import call_remedy
from kubevitals.facts.control_plane.webhooks import of_new_pods
from kubevitals.facts.pods.admission import RefusedBy
from kubevitals.facts.pods.quotas import Share, Shortage, shares, shortages
from kubevitals.facts.pods.refused import Refused, refused_by
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines
from kubevitals.findings.explains import BOTH_CONCERN, CONCERNS, SAME_MISSING, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.text import duration, listed, plural
from kubevitals.threshold import Threshold

NEARLY = Threshold("pod-creation.quota", 0.9, "share of a ResourceQuota that is used and is warned of")

EXPLAINS = (
    Explains(("pod-creation[quota]",), CONCERNS, ("pod-creation[quota-nearly-full]",)),
    Explains(("pod-creation[quota]",), BOTH_CONCERN, ("pod-creation[quota]",)),
    Explains(("pod-creation[service-account]",), SAME_MISSING, ("pod-creation[service-account]",)),
    Explains(("pod-creation[webhook]",), SAME_MISSING, ("pod-creation[webhook]",)),
)

HOOKS = 4
"""Webhooks that a remedy lists."""

CONFIGURATIONS = "validatingwebhookconfigurations,mutatingwebhookconfigurations"


def quota(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pods a ResourceQuota does not allow."""
    for one in refused_by(cluster, RefusedBy.QUOTA):
        name, short = one.refusal.named.get("quota", ""), shortages(one, cluster)
        concerns = (_in_namespace(one, "ResourceQuota", name),) if name else ()
        yield _finding(one, cluster, _quota_words(one, name, short), _quota_remedy(one, name, short), concerns)


def _quota_words(one: Refused, name: str, short: list[Shortage]) -> str:
    if not short:
        return f'ResourceQuota "{name}": {one.refusal.named.get("missing", one.refusal.words)}' if name else _words(one)
    needs = "; ".join(f"a pod needs {s.request} of {s.resource}, and {s.used} of {s.hard} is used" for s in short)
    return f'ResourceQuota "{name}" leaves too little: {needs}'


def _quota_remedy(one: Refused, name: str, short: list[Shortage]) -> str:
    if "missing" in one.refusal.named:
        return "set them in the containers of the pod template, or set defaults for the namespace with a LimitRange"
    if not short:
        return "see what the quotas allow: kubectl describe resourcequota"
    if all(s.fits for s in short):
        return f"the quota has room again: wait up to 17 minutes for the next attempt, or {_retry(one)}"
    raised = ", ".join(f"{s.resource} to {s.needed}" for s in short)
    edit = _in_namespace(one, "ResourceQuota", name).kubectl("edit")
    return f"raise {raised} in the quota ({edit}), or lower what pods of the namespace request"


def _retry(one: Refused) -> str:
    """Return the command that makes a controller try again at once."""
    if one.top.kind in ("Deployment", "StatefulSet", "DaemonSet"):
        return f"try at once: {one.top.kubectl('rollout restart')}"
    return "create it again"


def webhook(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pods an admission webhook should look at that cannot be called."""
    for one in refused_by(cluster, RefusedBy.WEBHOOK):
        service, name = _service(one), one.refusal.named["webhook"]
        is_missing = service is not None and _reason(one) == f'service "{service.name}" not found'
        called = (service,) if service else ()
        yield _finding(
            one,
            cluster,
            f'admission webhook "{name}" cannot be called: {_reason(one)}',
            _webhook_remedy(service, one, cluster, is_missing=is_missing),
            called,
            missing=called if is_missing else (),
        )


def _webhook_remedy(service: Ref | None, one: Refused, cluster: Cluster, *, is_missing: bool) -> str:
    if service is None or is_missing:
        what = f"create {service} again" if service else "find out why it does not answer"
        return f"{what}, or delete the webhook's configuration: kubectl get {CONFIGURATIONS}"
    return (
        call_remedy(_reason(one), service, cluster)
        or f"find out why {service} does not answer: {service.kubectl('describe')}"
    )


def _service(one: Refused) -> Ref | None:
    named = one.refusal.named
    return Ref("Service", named["namespace"], named["service"]) if "service" in named else None


def _reason(one: Refused) -> str:
    """Return why the webhook cannot be called: the end of the message, after the URL."""
    return one.refusal.words.rpartition('": ')[2]


def policy(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pods a policy forbids: PodSecurity, a ValidatingAdmissionPolicy, a webhook."""
    remedy = "change the pod template so that the policy allows it, or change the policy"
    for one in refused_by(cluster, RefusedBy.POLICY):
        yield _finding(one, cluster, _words(one), remedy)


def service_account(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pods use a ServiceAccount that does not exist."""
    for one in refused_by(cluster, RefusedBy.SERVICE_ACCOUNT):
        account = _in_namespace(one, "ServiceAccount", one.refusal.named["account"])
        yield _finding(
            one,
            cluster,
            f'ServiceAccount "{account.name}" does not exist',
            "create it, or correct serviceAccountName in the pod template",
            missing=(account,),
        )


def limit_range(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pods request less or more than a LimitRange allows."""
    for one in refused_by(cluster, RefusedBy.LIMIT_RANGE):
        names = _limit_ranges(one, cluster)
        yield _finding(
            one,
            cluster,
            f"LimitRange{names}: {one.refusal.words}",
            f"change requests and limits in the pod template, or the LimitRange{names}",
        )


def _limit_ranges(one: Refused, cluster: Cluster) -> str:
    """Return the names of the LimitRanges that limit this resource; nothing if they are not listed."""
    try:
        names = [
            limits.metadata.name
            for limits in cluster.limit_ranges
            if limits.metadata.namespace == one.controller.metadata.namespace
            and any(item.type == one.refusal.named["type"] for item in limits.spec.limits)
        ]
    except NotObserved:
        return ""
    return "".join(f' "{name}"' for name in names[:1])


def invalid(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pod template makes no valid pod."""
    for one in refused_by(cluster, RefusedBy.INVALID):
        yield _finding(one, cluster, _words(one), "correct the pod template")


def refused(cluster: Cluster) -> Iterator[Finding]:
    """Find controllers whose pods the API server refuses for another reason."""
    for one in refused_by(cluster, RefusedBy.OTHER):
        is_late = _LATE.search(one.refusal.words)
        remedy = _remedy_of_late(one, cluster) if is_late else "see why the API server refuses its pods"
        yield _finding(one, cluster, _words(one), remedy)


_LATE = re.compile(r"request did not complete within|in the time allotted|context deadline exceeded|request timed out")
"""What the API server says if a request takes too long (kubernetes/apiserver pkg/endpoints/handlers/finisher,
kubernetes/apimachinery pkg/api/errors/errors.go, etcd api/v3rpc/rpctypes/error.go)."""


def _remedy_of_late(one: Refused, cluster: Cluster) -> str:
    """Name the webhooks that new pods wait for, one after the other: the message names none of them.

    kubernetes/kubernetes#128162: a webhook with failurePolicy Ignore is waited for until its time is over, too.
    """
    slow = "find out why the API server is slow: its etcd and its load"
    try:
        called = of_new_pods(one.controller.metadata.namespace, _labels(one), cluster)
    except NotObserved:
        return f"see what admission webhooks new pods wait for: kubectl get {CONFIGURATIONS}; or {slow}"
    if not called:
        return slow
    names = listed([hook.webhook.name for hook in called], HOOKS)
    longest = duration(sum(hook.timeout for hook in called))
    return (
        f"check that the webhooks for new pods answer: {names}; each is waited for, even with failurePolicy Ignore, "
        f"up to {longest} in all; or {slow}"
    )


def _labels(one: Refused) -> Mapping[str, str] | None:
    """Return the labels of the pods that a controller creates; nothing where its template is not known."""
    match one.controller:
        case pb.ReplicaSet():
            return one.controller.metadata.labels  # a Deployment gives it those of its template
        case pb.StatefulSet() | pb.DaemonSet():
            return one.controller.spec.template.metadata.labels
    return None


def _words(one: Refused) -> str:
    return f"the API server says: {one.refusal.words}"


def _in_namespace(one: Refused, kind: str, name: str) -> Ref:
    return Ref(kind, one.controller.metadata.namespace, name)


def _finding(
    one: Refused,
    cluster: Cluster,
    says: str,
    remedy: str,
    concerns: tuple[Ref, ...] = (),
    missing: tuple[Ref, ...] = (),
) -> Finding:
    has, wants = one.counts
    controller = ref(one.controller)
    return Finding(
        one.top,
        says=f"is refused {plural(wants - has, 'pod')}: {says}",
        remedy=remedy,
        evidence=(f"{controller} has {has} of {plural(wants, 'pod')}", *event_lines(one.controller, cluster)),
        concerns=(*((controller,) if controller != one.top else ()), *concerns),
        look=controller.kubectl("describe"),
        missing=missing,
        since=one.since,
    )


def quota_nearly_full(cluster: Cluster) -> Iterator[Finding]:
    """Find ResourceQuotas of which at least `pod-creation.quota` is used, and not all: those are full on purpose."""
    limit = cluster.limit(NEARLY)
    for one in cluster.quotas:
        if used := [share for share in shares(one) if limit <= share.share < 1]:
            yield Finding(
                ref(one),
                says=f"is nearly used up: {'; '.join(map(_share, used))}",
                remedy="raise it before the next rollout needs more, or lower what pods of the namespace request",
                severity=Severity.WARNING,
            )


def _share(share: Share) -> str:
    return f"{share.used} of {share.hard} {share.resource} ({share.share:.0%})"


@check(quota, webhook, policy, service_account, limit_range, invalid, refused, quota_nearly_full, chapter="5.2")
def test_pods_are_created() -> None:
    """Every controller can create its pods."""
