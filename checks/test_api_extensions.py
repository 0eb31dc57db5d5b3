"""An admission webhook or an aggregated API cannot be called by the API server.

Meaning:
    The API server calls other programs: admission webhooks look at requests before they are accepted, and aggregated
    APIs (APIServices) answer for whole groups of kinds, such as metrics.k8s.io. If such a program does not run, or the
    CA that it is trusted by has expired, the API server cannot call it. A CA that ends soon is told before.

Impact:
    With failurePolicy Fail, all requests that the webhook should look at are refused: often no pod can be created. With
    Ignore they are accepted without it. Without an aggregated API its kinds are missing: HorizontalPodAutoscalers have
    no metrics, and no namespace in the cluster can be deleted completely.

Diagnosis:
    `kubectl get apiservices` shows what is available. `kubectl get validatingwebhookconfigurations,
    mutatingwebhookconfigurations -o yaml` shows the Service of each webhook. Then look at the pods of that Service.

Mitigation:
    Bring the pods behind the Service back. If the program was uninstalled, delete what it left behind: its APIService
    or its webhook configuration.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.services import ServiceName
from kubevitals.facts.control_plane.backends import STARTING, Dead, bring_back, dead
from kubevitals.facts.control_plane.bundles import last_to_expire
from kubevitals.facts.control_plane.calls import call_remedy
from kubevitals.facts.control_plane.certificates import certificate_lines, has_expired, urgency
from kubevitals.facts.control_plane.webhooks import HTTPS, Hook, asked_about, hooks, is_untrusted
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import BOTH_CONCERN, BROKEN_PODS, CONCERNED, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.text import clean, plural

EXPLAINS = (
    Explains(("api-extensions[webhook]", "api-extensions[ca-expired]"), BOTH_CONCERN, ("pod-creation[webhook]",)),
    Explains(("api-extensions[webhook]",), BOTH_CONCERN, ("api-extensions[webhook-ignored]",)),
    Explains(("api-extensions[api-service]",), CONCERNED, ("terminating[namespace]",)),
    Explains(("api-extensions[webhook]",), BOTH_CONCERN, ("terminating[namespace]",)),
    Explains((*BROKEN_PODS, "scheduling", "pod-creation"), IN_WORKLOAD, ("api-extensions",)),
    Explains(("service-endpoints",), CONCERNED, ("api-extensions",)),
)

_RENEW = "renew the certificate of the webhook, and put its CA into caBundle"

NAMED = 3
"""Webhooks that a finding names."""


def api_service(cluster: Cluster) -> Iterator[Finding]:
    """Find APIServices that have not been available for longer than `api-extensions.starting`."""
    for service in cluster.api_services:
        for condition in service.status.conditions:
            is_false = condition.type == "Available" and condition.status == "False"
            if is_false and cluster.over(condition.lastTransitionTime, STARTING):
                yield _unavailable(service, condition, cluster)


def _unavailable(service: pb.APIService, condition: pb.APIServiceCondition, cluster: Cluster) -> Finding:
    backend = service.spec.service
    why = _why(ServiceName(backend.namespace, backend.name), backend.port or HTTPS, cluster)
    of = Ref("Service", backend.namespace, backend.name)
    remedy = why.remedy if why else bring_back(of)
    return Finding(
        ref(service),
        says=f"is not available: {why.why if why else f'{condition.reason}: {condition.message}'}",
        remedy=call_remedy(condition.message, of, cluster)
        or f"{remedy}, or delete the APIService if what it belonged to was uninstalled",
        evidence=[f"condition Available=False ({condition.reason}): {condition.message}"],
        concerns=(of, *(why.pods if why else ())),
        missing=(of,) if why and not why.exists else (),
        since=condition.lastTransitionTime.seconds,
    )


def _why(name: ServiceName, port: int, cluster: Cluster) -> Dead | None:
    """Return why a Service cannot answer, as far as that can be seen: its APIService says already that it does not."""
    try:
        return dead(name, port, cluster)
    except NotObserved:
        return None


def webhook(cluster: Cluster) -> Iterator[Finding]:
    """Find webhooks that cannot be called, and whose requests are refused therefore."""
    yield from _dead(cluster, refuses=True)
    for hook in cluster.derive(hooks):
        if hook.refuses and hook.is_external:
            raise NotObserved(f'webhook "{clean(hook.webhook.name, 300)}" is at a URL: whether it answers is not known')


def webhook_ignored(cluster: Cluster) -> Iterator[Finding]:
    """Find webhooks that cannot be called, and without which requests are accepted."""
    yield from _dead(cluster, refuses=False)


def _dead(cluster: Cluster, *, refuses: bool) -> Iterator[Finding]:
    unseen: NotObserved | None = None
    for (obj, name, port), alike in _by_backend(cluster, refuses=refuses).items():
        try:
            if why := dead(name, port, cluster):
                yield _finding(obj, alike, why, f"{name.namespace}/{name.name}:{port}")
            elif untrusted := [hook for hook in alike if is_untrusted(hook, cluster)]:
                yield _untrusted(obj, untrusted)
        except NotObserved as error:
            unseen = error
    if unseen:
        raise unseen


Backend = tuple[Ref, ServiceName, int]
"""A configuration, and a Service and a port that its webhooks are at."""


def _by_backend(cluster: Cluster, *, refuses: bool) -> dict[Backend, list[Hook]]:
    groups: dict[Backend, list[Hook]] = defaultdict(list)
    for hook in cluster.derive(hooks):
        if hook.refuses == refuses and not hook.is_external:
            groups[ref(hook.configuration), hook.service, hook.port].append(hook)
    return groups


def _finding(obj: Ref, alike: Sequence[Hook], why: Dead, part: str) -> Finding:
    refuses = alike[0].refuses
    waits = max(hook.timeout for hook in alike)
    return Finding(
        obj,
        says=f"{_names(alike)} cannot be called: {why.why}; {_effect(refuses=refuses)}",
        remedy=f"{why.remedy}, or delete the configuration if what it belonged to was uninstalled: "
        f"{obj.kubectl('delete')}",
        evidence=[*_lines(alike), f"the API server waits for it for up to {waits} s at each request"],
        severity=Severity.ERROR if refuses else Severity.WARNING,
        concerns=(why.service, *why.pods),
        missing=() if why.exists else (why.service,),
        part=part,
    )


def _untrusted(obj: Ref, alike: Sequence[Hook]) -> Finding:
    """Return that the API server cannot verify a webhook: no public CA signs certificates for names in ``.svc``."""
    refuses = alike[0].refuses
    return Finding(
        obj,
        says=f"{_names(alike)} cannot be called: it has no caBundle, so the API server trusts no certificate of its "
        f"Service; {_effect(refuses=refuses)}",
        remedy="see why nothing puts its CA into caBundle: cert-manager's cainjector or the program itself does so "
        "if it runs",
        evidence=_lines(alike),
        severity=Severity.ERROR if refuses else Severity.WARNING,
        concerns=(Ref("Service", *alike[0].service),),
        part="caBundle",
    )


def _effect(*, refuses: bool) -> str:
    return "requests that it should look at are refused" if refuses else "requests are accepted without it"


def _names(alike: Sequence[Hook]) -> str:
    first = f'webhook "{clean(alike[0].webhook.name, 300)}"'
    return f"{first} and {plural(len(alike) - 1, 'other')}" if len(alike) > 1 else first


def _lines(alike: Sequence[Hook]) -> Iterator[str]:
    for hook in alike[:NAMED]:
        policy = "Fail" if hook.refuses else "Ignore"
        yield f"{hook.webhook.name} is asked about: {asked_about(hook.webhook)} (failurePolicy {policy})"


def ca_expired(cluster: Cluster) -> Iterator[Finding]:
    """Find webhooks whose CA bundle has only expired certificates: the API server trusts no answer."""
    for hook in cluster.derive(hooks):
        authority = last_to_expire(hook.webhook.clientConfig.caBundle)
        if authority and has_expired(authority, cluster):
            of = Ref("Service", *hook.service)
            yield Finding(
                ref(hook.configuration),
                says=f'webhook "{clean(hook.webhook.name, 300)}" cannot be called: its caBundle expired on '
                f"{datetime.fromtimestamp(authority.notAfter, UTC):%Y-%m-%d}",
                remedy=_RENEW,
                evidence=_lines([hook]),
                severity=Severity.ERROR if hook.refuses else Severity.WARNING,
                concerns=() if hook.is_external else (of,),
                part=hook.webhook.name,
            )


def ca_ends(cluster: Cluster) -> Iterator[Finding]:
    """Find webhooks whose CA bundle expires within `certificates.soon`: what is renewed automatically is newer."""
    for hook in cluster.derive(hooks):
        authority = last_to_expire(hook.webhook.clientConfig.caBundle)
        if authority is None or has_expired(authority, cluster):
            continue
        if severity := urgency(authority, cluster, renewed=hook.renews_ca):
            yield Finding(
                ref(hook.configuration),
                says=f'webhook "{clean(hook.webhook.name, 300)}" has a caBundle that ends soon',
                remedy=_RENEW,
                evidence=[*certificate_lines(authority, cluster), *_lines([hook])],
                severity=severity if hook.refuses else Severity.WARNING,
                part=hook.webhook.name,
            )


@check(api_service, webhook, webhook_ignored, ca_expired, ca_ends, chapter="6.1")
def test_api_extensions_answer() -> None:
    """Every admission webhook and every aggregated API can be called."""
