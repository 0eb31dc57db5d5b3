"""Webhooks and an aggregated API that cannot be called, and webhooks that nothing depends on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scenarios.faults_certificates import authority
from scenarios.harness import Seen, scenario
from scenarios.objects import Object, deployment, service

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

EXPIRED = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJDVENCc2FBREFnRUNBZ0VCTUFvR0NDcUdTTTQ5QkFNQ01BOHhEVEFMQmdO"
    "VkJBTU1CSFJsYzNRd0hoY04KTWpBd01UQXlNREF3TURBd1doY05NakV3TVRBeE1EQXdNREF3V2pBUE1RMHdDd1lEVlFRRERBUjBa"
    "WE4wTUZrdwpFd1lIS29aSXpqMENBUVlJS29aSXpqMERBUWNEUWdBRXpBQVlBR2E3aDZYRHZsMkZ5WW8zeFJSUVVhMUdTQVBoCitt"
    "Z293N2w2NFFRcGZrK1NIMDBZeDd2a3RjK1EzOVEyWEhTc2VKdHBwdTNYRGV0Z0dEM2J0REFLQmdncWhrak8KUFFRREFnTkhBREJF"
    "QWlBempmSUl2R3hob1BuekorRldJZ0tsSlJKNXJiWFhsdGhKbm9jeEhseGtWUUlnRDBDUgo0T0w3NytObWdkdVhlWmI5L2V0ck1K"
    "SGcwakRpZnltUFdtVVVMd3M9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
)
"""The PEM of a CA certificate that expired in 2021, in base64."""


def webhook(name: str, *, of: str, policy: str = "Fail", asks: str = "pods", **config: Any) -> Object:
    """A ValidatingWebhookConfiguration whose webhook is asked about one namespace only."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": f"{name}.example.com",
                "failurePolicy": policy,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": of}},
                "clientConfig": {"service": {"namespace": of, "name": "guard"}} | config,
                "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": [asks]}],
            }
        ],
    }


@scenario(
    webhook("guard-at-a-wrong-port", of="webhook-at-a-wrong-port", asks="secrets"),
    service("guard", 8443),
    deployment("guard"),
    finds=["api-extensions[webhook] ValidatingWebhookConfiguration/guard-at-a-wrong-port"],
)
def test_webhook_at_a_wrong_port(seen: Seen) -> None:
    """The Service has port 8443 only, and the webhook names none, which means 443."""
    assert seen.says(
        "Service webhook-at-a-wrong-port/guard has no port 443; requests that it should look at are refused"
    )


@scenario(
    webhook("guard-ignored", of="ignored-webhook-without-a-service", policy="Ignore"),
    deployment("web"),
    finds=["api-extensions[webhook-ignored] ValidatingWebhookConfiguration/guard-ignored (warning)"],
)
def test_ignored_webhook_without_a_service(seen: Seen) -> None:
    """Pods are created without it."""
    assert seen.says("guard does not exist; requests are accepted without it")


@scenario(
    webhook("guard-expired", of="webhook-with-an-expired-ca", asks="secrets", caBundle=EXPIRED),
    service("guard", 443),
    deployment("guard"),
    finds=["api-extensions[ca-expired] ValidatingWebhookConfiguration/guard-expired"],
)
def test_webhook_with_an_expired_ca(seen: Seen) -> None:
    """Its pods run, and the API server does not trust them."""
    assert seen.says("its caBundle expired on 2021-01-01")


@scenario(
    webhook("guard-ends", of="webhook-with-a-ca-that-ends-soon", asks="secrets", caBundle=authority(days=5)),
    service("guard", 443),
    deployment("guard"),
    finds=["api-extensions[ca-ends] ValidatingWebhookConfiguration/guard-ends"],
)
def test_webhook_with_a_ca_that_ends_soon(seen: Seen) -> None:
    """It was made for a year when the webhook was installed, and nothing renews it."""
    assert seen.says("has a caBundle that ends soon")


@scenario(webhook("guard-unselected", of="namespace-that-does-not-exist"), deployment("web"))
def test_webhook_of_no_namespace(seen: Seen) -> None:
    """Its Service does not exist, and its selector matches no namespace: it is never called."""
    assert not seen.says("guard-unselected.example.com")


def aggregated_without_a_service(version: str, group: str, **service: str) -> "Fault":
    """Register an aggregated API whose Service does not exist; while it is there, no namespace can be deleted."""
    api_service: Object = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "service": service,
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.apply([api_service])
        try:
            yield
        finally:
            cluster.kubectl(f"delete apiservice {version}.{group} --ignore-not-found")

    return fault


@scenario(
    fault=aggregated_without_a_service("v1", "absent.example.com", namespace="default", name="absent"),
    later=600,
    finds=["api-extensions[api-service] APIService/v1.absent.example.com"],
)
def test_aggregated_api_without_a_service(seen: Seen) -> None:
    """Its program was uninstalled, and its APIService was left behind."""
    assert seen.says("is not available: Service default/absent does not exist")
