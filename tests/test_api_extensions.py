"""Webhooks and aggregated APIs: which cannot be called, and which only look so."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import json_format

from checks.test_api_extensions import api_service, webhook, webhook_ignored
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotObserved, observed
from kubevitals.findings.explains import declared
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import SERVICE_NAME, Ref
from kubevitals.source.scope import Scope
from scenarios.harness import check_modules
from tests.certificates import certificate
from tests.fakes import CREATED, NOW, ago, cluster_of
from tests.findings import case

DECLARED = declared(check_modules().values())
EXPIRED, VALID = certificate(NOW - timedelta(days=1)), certificate(NOW + timedelta(days=1))


def service(*ports: int, created: pb.Time = CREATED, **spec: Any) -> pb.Service:
    made = pb.Service(metadata=pb.ObjectMeta(name="guard", namespace="policies", creationTimestamp=created))
    made.spec.ports.extend(pb.ServicePort(port=port) for port in ports or (443,))
    made.spec.MergeFrom(pb.ServiceSpec(selector={"app": "guard"}, **spec))
    return made


def pod(*, ready: bool, since: int = 3600) -> pb.Pod:
    made = pb.Pod(metadata=pb.ObjectMeta(name="guard-0", namespace="policies", labels={"app": "guard"}))
    made.metadata.creationTimestamp.CopyFrom(CREATED)
    made.status.conditions.add(type="Ready", status=str(ready), lastTransitionTime=ago(since))
    return made


def guard(replicas: int) -> pb.Deployment:
    made = pb.Deployment(metadata=pb.ObjectMeta(name="guard", namespace="policies"), spec={"replicas": replicas})
    made.spec.template.metadata.labels.update(service().spec.selector)
    return made


def endpoints(*, ready: bool) -> pb.EndpointSlice:
    metadata = pb.ObjectMeta(name="guard-1", namespace="policies", labels={SERVICE_NAME: "guard"})
    return pb.EndpointSlice(metadata=metadata, endpoints=[pb.Endpoint(conditions=pb.EndpointConditions(ready=ready))])


def configuration(
    policy: str = "Fail", *, created: pb.Time = CREATED, groups: tuple[str, ...] = ("",), **fields: Any
) -> pb.ValidatingWebhookConfiguration:
    rule = {"operations": ["CREATE"], "rule": {"apiGroups": groups, "resources": ["pods"], "scope": "*"}}
    config = {"service": {"namespace": "policies", "name": "guard"}}
    hook = {"name": "guard.example.com", "failurePolicy": policy, "clientConfig": config, "rules": [rule]} | fields
    made = json_format.ParseDict({"webhooks": [hook]}, pb.ValidatingWebhookConfiguration())
    made.metadata.MergeFrom(pb.ObjectMeta(name="guard", creationTimestamp=created))
    return made


def cluster(*webhooks: pb.ValidatingWebhookConfiguration, **lists: Any) -> Cluster:
    labels = {"kubernetes.io/metadata.name": "shop"}
    namespaces = [pb.Namespace(metadata=pb.ObjectMeta(name="shop", labels=labels))]
    elsewhere = pb.ObjectMeta(name="x", namespace="policies")
    return cluster_of(validating_webhooks=webhooks, namespaces=namespaces, jobs=[pb.Job(metadata=elsewhere)], **lists)


def found(*webhooks: pb.ValidatingWebhookConfiguration, **lists: Any) -> list[Finding]:
    seen = cluster(*webhooks, **lists)
    return [*webhook(seen), *webhook_ignored(seen)]


def test_a_webhook_whose_service_does_not_exist_refuses_requests() -> None:
    (finding,) = found(configuration())
    assert str(finding.obj) == "ValidatingWebhookConfiguration/guard"
    assert finding.says == (
        'webhook "guard.example.com" cannot be called: Service policies/guard does not exist; '
        "requests that it should look at are refused"
    )
    assert finding.severity is Severity.ERROR
    assert finding.missing == finding.concerns == (Ref("Service", "policies", "guard"),)
    assert "guard.example.com is asked about: CREATE pods (failurePolicy Fail)" in finding.evidence


@pytest.mark.parametrize(("complete", "count"), [(True, 1), (False, 0)])
def test_a_webhook_whose_namespace_was_deleted(complete: bool, count: int) -> None:
    """It is concluded only if all namespaces are listed with all their objects, unlike in a dump of some."""
    names = ["kube-system", *([] if complete else ["dumped-in-part"])]
    namespaces = [pb.Namespace(metadata=pb.ObjectMeta(name=name)) for name in names]
    seen = cluster_of(validating_webhooks=[configuration()], namespaces=namespaces)
    assert len(observed(webhook(seen)).items) == count


def test_a_webhook_that_is_ignored_is_a_warning_with_its_time_limit() -> None:
    (finding,) = found(configuration("Ignore", timeoutSeconds=25))
    assert finding.severity is Severity.WARNING
    assert finding.says.endswith("requests are accepted without it")
    assert "the API server waits for it for up to 25 s at each request" in finding.evidence


@pytest.mark.parametrize(
    ("lists", "why", "remedy"),
    [
        ({}, "does not exist", "create Service/policies/guard again, or delete the configuration"),
        ({"services": [service()]}, "has no endpoint: no pod matches its selector", "bring the pods behind"),
        (
            {"services": [service()], "deployments": [guard(0)]},
            "has no endpoint: Deployment guard is scaled to 0",
            "scale it up: kubectl -n policies scale deployment/guard --replicas=1",
        ),
        (
            {"services": [service()], "deployments": [guard(1)]},
            "has no endpoint: no pod matches its selector",
            "bring the pods behind",
        ),
        (
            {"services": [service()], "pods": [pod(ready=False)]},
            "no ready endpoint: 1 pod behind it is not ready",
            "bring the pods behind Service/policies/guard back",
        ),
        ({"services": [service(8443)], "pods": [pod(ready=True)]}, "has no port 443", "add port 443 to Service/"),
    ],
)
def test_why_a_service_does_not_answer(lists: dict[str, Any], why: str, remedy: str) -> None:
    (finding,) = found(configuration(), **lists)
    assert why in finding.says
    assert finding.remedy.startswith(remedy)


def test_webhooks_of_one_configuration_at_one_service_are_one_finding() -> None:
    both = configuration()
    both.webhooks.add().CopyFrom(both.webhooks[0])
    (finding,) = found(both)
    assert finding.says.startswith('webhook "guard.example.com" and 1 other cannot be called')


def test_a_mutating_webhook_is_judged_as_well() -> None:
    mutating = pb.MutatingWebhookConfiguration(metadata=pb.ObjectMeta(name="inject", creationTimestamp=CREATED))
    added = mutating.webhooks.add(name="inject.example.com", failurePolicy="Fail")
    added.clientConfig.service.namespace, added.clientConfig.service.name = "policies", "guard"
    added.rules.add().rule.apiGroups.append("*")
    (finding,) = found(mutating_webhooks=[mutating])
    assert str(finding.obj) == "MutatingWebhookConfiguration/inject"


def trusted(bundle: bytes, policy: str = "Fail") -> pb.ValidatingWebhookConfiguration:
    made = configuration(policy)
    made.webhooks[0].clientConfig.caBundle = bundle
    return made


@pytest.mark.parametrize("bundle", [b"", b"\n"], ids=["none", "placeholder"])
@pytest.mark.parametrize(("policy", "severity"), [("Fail", Severity.ERROR), ("Ignore", Severity.WARNING)])
def test_a_webhook_without_a_ca_is_not_trusted(bundle: bytes, policy: str, severity: Severity) -> None:
    lists: dict[str, Any] = {"services": [service()], "endpoint_slices": [endpoints(ready=True)]}
    (finding,) = found(trusted(bundle, policy), **lists)
    assert "it has no caBundle, so the API server trusts no certificate of its Service" in finding.says
    assert finding.severity is severity


SELECTED = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
UNSELECTED = {"matchLabels": {"kubernetes.io/metadata.name": "gone"}}


@pytest.mark.parametrize(
    ("hook", "lists"),
    [
        (trusted(b"CA"), {"services": [service()], "endpoint_slices": [endpoints(ready=True)]}),
        (configuration(created=ago(20)), {}),
        (configuration(), {"services": [service(created=ago(20))]}),
        (configuration(), {"services": [service()], "pods": [pod(ready=False, since=20)]}),
        (configuration(), {"services": [service(type="ExternalName")]}),
        (configuration(namespaceSelector=UNSELECTED), {}),
        (configuration(groups=("gone.example.com",)), {}),
        (configuration(rules=[]), {}),
        (configuration("Ignore", clientConfig={"url": "https://example.com"}), {}),
    ],
    ids=["healthy", "created", "service-created", "restarting", "elsewhere", "no-namespace", "no-kind", "none", "url"],
)
def test_a_webhook_that_only_looks_dead_is_not_found(
    hook: pb.ValidatingWebhookConfiguration, lists: dict[str, Any]
) -> None:
    assert not found(hook, **lists)


def test_a_webhook_that_selects_a_namespace_is_judged() -> None:
    assert found(configuration(namespaceSelector=SELECTED))


def test_a_webhook_of_kinds_that_are_served_is_judged() -> None:
    served = pb.APIService(spec=pb.APIServiceSpec(group="here.example.com"))
    assert found(configuration(groups=("here.example.com",)), api_services=[served])


def test_a_webhook_at_a_url_is_not_observed() -> None:
    with pytest.raises(NotObserved, match=r'"guard\.example\.com" is at a URL'):
        found(configuration(clientConfig={"url": "https://example.com"}))


def test_a_service_outside_the_scope_is_not_observed() -> None:
    scoped = Cluster(cluster(configuration())._source, scope=Scope(["shop"]))
    with pytest.raises(NotObserved):
        list(webhook(scoped))


def aggregated(status: str, since: int = 3600) -> pb.APIService:
    made = pb.APIService(metadata=pb.ObjectMeta(name="v1.metrics.example.com"))
    made.spec.service.namespace, made.spec.service.name = "policies", "guard"
    made.status.conditions.add(
        type="Available",
        status=status,
        reason="MissingEndpoints",
        message="no endpoints",
        lastTransitionTime=ago(since),
    )
    return made


def test_an_aggregated_api_that_is_not_available_names_its_pods() -> None:
    (finding,) = api_service(cluster(api_services=[aggregated("False")], services=[service()], pods=[pod(ready=False)]))
    assert finding.says == (
        "is not available: Service policies/guard has no ready endpoint: 1 pod behind it is not ready"
    )
    assert Ref("Pod", "policies", "guard-0") in finding.concerns


def test_an_aggregated_api_whose_service_is_well_tells_what_the_api_server_says() -> None:
    (finding,) = api_service(
        cluster(api_services=[aggregated("False")], services=[service()], endpoint_slices=[endpoints(ready=True)])
    )
    assert finding.says == "is not available: MissingEndpoints: no endpoints"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (
            'Get "https://10.0.1.218:4443/apis": dial tcp 10.0.1.218:4443: i/o timeout',
            "let the API server reach the pods",
        ),
        ('Get "https://10.0.1.218:4443/apis": context deadline exceeded', "let the API server reach the pods"),
        ('Get "https://10.254.0.226:443/apis": Forbidden', "keep the API server's HTTP proxy out"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "put the CA that signed"),
        ("x509: certificate has expired or is not yet valid: current time", "renew the certificate that Service"),
        ('Get "https://10.0.1.218:4443/apis": No agent available', "bring konnectivity-agent back"),
        ("bad status from https://10.0.1.218:10250/apis: 404", "see what answers at that address"),
        ("bad status from https://10.0.1.218:4443/apis: 403", "let Service/policies/guard accept"),
        ("bad status from https://10.0.1.218:4443/apis: 500", "read the log of the pods behind Service/policies/guard"),
    ],
)
def test_an_aggregated_api_with_ready_pods_is_not_to_be_brought_back(words: str, remedy: str) -> None:
    made = aggregated("False")
    made.status.conditions[0].message = f"failing or missing response from https://10.0.1.218:4443/apis: {words}"
    lists: dict[str, Any] = {"api_services": [made], "services": [service()]}
    (finding,) = api_service(cluster(endpoint_slices=[endpoints(ready=True)], **lists))
    assert finding.remedy.startswith(remedy)
    (finding,) = api_service(cluster(endpoint_slices=[endpoints(ready=False)], **lists))
    assert finding.remedy.startswith("bring the pods behind Service/policies/guard back")


def test_a_service_without_a_selector_has_no_endpoint_of_its_own() -> None:
    bare = service()
    bare.spec.ClearField("selector")
    (finding,) = found(configuration(), services=[bare])
    assert "has no endpoint: it has no selector, and no EndpointSlice has any" in finding.says


@pytest.mark.parametrize(("status", "since"), [("True", 3600), ("False", 30), ("Unknown", 3600)])
def test_an_aggregated_api_that_is_available_or_starts_is_not_found(status: str, since: int) -> None:
    assert not list(api_service(cluster(api_services=[aggregated(status, since)])))


def test_the_pods_that_a_dead_webhook_refuses_are_its_symptom() -> None:
    (dead,) = webhook(cluster(configuration()))
    root = Case("api-extensions", "webhook", dead)
    guard = Ref("Service", "policies", "guard")
    refused = case("pod-creation[webhook]", "Deployment/shop/web", concerns=(guard,))
    other = case("pod-creation[webhook]", "Deployment/shop/api", concerns=(Ref("Service", "policies", "other"),))
    roots = roots_of([refused, other, root], DECLARED)
    assert (roots[refused], roots[other]) == (root, other)


def test_an_autoscaler_without_its_metrics_api_is_the_symptom_of_its_api_service() -> None:
    (dead,) = api_service(cluster(api_services=[aggregated("False")]))
    root = Case("api-extensions", "api-service", dead)
    blind = case("autoscaling[no-metrics]", "HorizontalPodAutoscaler/shop/web", concerns=(dead.obj,))
    assert roots_of([blind, root], DECLARED)[blind] is root
