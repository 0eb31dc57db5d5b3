"""Admission webhooks: which of them the API server may call, and what it asks them about."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.services import ServiceName, ready_endpoints, services
from kubevitals.facts.control_plane.backends import STARTING
from kubevitals.facts.nodes.placement import selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.text import clean

HTTPS = 443
"""The port of a webhook's Service, unless it says another (kubernetes/api admissionregistration/v1/types.go)."""

TIMEOUT = 10
"""Seconds that the API server waits for a webhook, unless it says another (the same file)."""

RENEWING = ("webhook.kyverno.io/managed-by", "olm.webhook-description-generate-name")
"""Labels of configurations whose program renews the CA by itself, 60 hours to 15 days before its end (kyverno/kyverno
pkg/tls/renewer.go), or one day (operator-framework/operator-lifecycle-manager pkg/controller/install/certresources.go).
"""

RENEWING_DOMAIN = ".k8s.elastic.co"
"""The end of the names of ECK's webhooks, whose CA it renews a day before its end (elastic.co/docs: ECK configuration
flags, ca-cert-rotate-before)."""

POD_RESOURCES = frozenset({"pods", "*", "*/*"})
"""How rules name pods (kubernetes/api admissionregistration/v1/types.go)."""

Configuration = pb.ValidatingWebhookConfiguration | pb.MutatingWebhookConfiguration
Webhook = pb.ValidatingWebhook | pb.MutatingWebhook


class Hook(NamedTuple):
    """A webhook with the configuration that it is in."""

    configuration: Configuration
    webhook: Webhook

    @property
    def refuses(self) -> bool:
        """Whether requests are refused if the webhook cannot be called, which is the default."""
        return self.webhook.failurePolicy != "Ignore"

    @property
    def renews_ca(self) -> bool:
        """Whether the webhook's program is known to renew its CA by itself."""
        is_labelled = any(label in self.configuration.metadata.labels for label in RENEWING)
        return is_labelled or self.webhook.name.endswith(RENEWING_DOMAIN)

    @property
    def is_external(self) -> bool:
        """Whether the API server calls a URL, which cannot be seen from the cluster's objects."""
        return bool(self.webhook.clientConfig.url)

    @property
    def service(self) -> ServiceName:
        """The Service that the API server calls."""
        service = self.webhook.clientConfig.service
        return ServiceName(service.namespace, service.name)

    @property
    def port(self) -> int:
        """The port of the Service that the API server calls."""
        return self.webhook.clientConfig.service.port or HTTPS

    @property
    def timeout(self) -> int:
        """How long the API server waits for an answer, in seconds."""
        return self.webhook.timeoutSeconds or TIMEOUT


def hooks(cluster: Cluster) -> tuple[Hook, ...]:
    """Return the webhooks that the API server may call, without those of configurations that are just created."""
    configurations: tuple[Configuration, ...] = (*cluster.validating_webhooks, *cluster.mutating_webhooks)
    return tuple(
        Hook(configuration, webhook)
        for configuration in configurations
        if cluster.over(configuration.metadata.creationTimestamp, STARTING)
        for webhook in configuration.webhooks
        if _may_be_called(webhook, cluster)
    )


def _may_be_called(webhook: Webhook, cluster: Cluster) -> bool:
    rules = [each.rule for each in webhook.rules]
    if not any(_is_served(rule, cluster) for rule in rules):
        return False
    if not (webhook.namespaceSelector.matchLabels or webhook.namespaceSelector.matchExpressions):
        return True
    clusterwide = any(rule.scope == "Cluster" or "namespaces" in rule.resources for rule in rules)
    return clusterwide or any(selects(webhook.namespaceSelector, each.metadata.labels) for each in cluster.namespaces)


def _is_served(rule: pb.AdmissionRule, cluster: Cluster) -> bool:
    """Return whether the API server has an API group of a rule: CRDs leave webhooks behind when they are removed."""
    return "*" in rule.apiGroups or not cluster.derive(_groups).isdisjoint(rule.apiGroups)


def _groups(cluster: Cluster) -> frozenset[str]:
    """Return the API groups that are served. The core group is not among the APIServices of every version."""
    return frozenset({"", *(service.spec.group for service in cluster.api_services)})


def is_untrusted(hook: Hook, cluster: Cluster) -> bool:
    """Return whether a webhook at a Service that has been ready for long still has no CA, or an empty one.

    Without a CA the API server trusts public ones, which sign no certificates for names in ``.svc``. Charts leave it to
    a controller to write the CA (cert-manager/cert-manager#3258, scylladb/scylla-operator#626).
    """
    service = cluster.derive(services).get(hook.service)
    if hook.is_external or service is None or service.spec.type == "ExternalName":
        return False
    is_settled = cluster.over(service.metadata.creationTimestamp, STARTING)
    is_empty = not hook.webhook.clientConfig.caBundle.strip()
    return is_empty and is_settled and bool(cluster.derive(ready_endpoints).get(hook.service))


def of_new_pods(namespace: str, labels: Mapping[str, str] | None, cluster: Cluster) -> list[Hook]:
    """Return the webhooks that the API server calls for new pods with these labels, or with any, if none are given."""
    named = (each.metadata for each in cluster.namespaces if each.metadata.name == namespace)
    of_namespace = next(named, pb.ObjectMeta()).labels
    return [
        hook
        for hook in cluster.derive(hooks)
        if any(map(_is_for_new_pods, hook.webhook.rules))
        and selects(hook.webhook.namespaceSelector, of_namespace)
        and (labels is None or selects(hook.webhook.objectSelector, labels))
    ]


def _is_for_new_pods(each: pb.RuleWithOperations) -> bool:
    asked = (each.operations, {"CREATE", "*"}), (each.rule.apiGroups, {"", "*"}), (each.rule.resources, POD_RESOURCES)
    return all(not wanted.isdisjoint(has) for has, wanted in asked)


def asked_about(webhook: Webhook) -> str:
    """Return what a webhook is asked about: ``CREATE pods, UPDATE pods``."""
    return clean(", ".join(_asked(webhook)), 300)


def _asked(webhook: Webhook) -> Iterator[str]:
    for each in webhook.rules:
        resources = "/".join(each.rule.resources).replace("*", "all resources", 1)
        yield f"{'/'.join(each.operations).replace('*', 'all requests')} {resources}"
