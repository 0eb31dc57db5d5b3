"""CA bundles of webhooks: which have expired, and which end soon."""

from datetime import timedelta

import pytest

from checks.test_api_extensions import ca_ends, ca_expired
from kubevitals.facts.control_plane.bundles import last_to_expire
from kubevitals.findings.finding import Severity
from tests.certificates import certificate
from tests.fakes import NOW
from tests.test_api_extensions import EXPIRED, VALID, cluster, configuration


@pytest.mark.parametrize(
    ("bundle", "expired"),
    [(EXPIRED, True), (VALID, False), (EXPIRED + VALID, False), (b"", False), (b"\n", False), (b"x" * 99, False)],
    ids=["expired", "valid", "renewed", "empty", "placeholder", "garbage"],
)
def test_a_bundle_has_expired_if_all_its_certificates_have(bundle: bytes, expired: bool) -> None:
    hook = configuration()
    hook.webhooks[0].clientConfig.caBundle = bundle
    findings = list(ca_expired(cluster(hook)))
    assert [finding.says for finding in findings] == (
        ['webhook "guard.example.com" cannot be called: its caBundle expired on 2026-02-28'] if expired else []
    )


@pytest.mark.parametrize(
    ("days", "policy", "severity"),
    [
        (-1, "Fail", None),
        (5, "Fail", Severity.ERROR),
        (5, "Ignore", Severity.WARNING),
        (20, "Fail", Severity.WARNING),
        (40, "Fail", None),
    ],
)
def test_a_bundle_ends_soon_if_its_last_certificate_does(days: int, policy: str, severity: Severity | None) -> None:
    hook = configuration()
    hook.webhooks[0].failurePolicy = policy
    hook.webhooks[0].clientConfig.caBundle = certificate(NOW + timedelta(days=days))
    findings = list(ca_ends(cluster(hook)))
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert all(finding.says == 'webhook "guard.example.com" has a caBundle that ends soon' for finding in findings)


@pytest.mark.parametrize("label", ["webhook.kyverno.io/managed-by", "olm.webhook-description-generate-name"])
@pytest.mark.parametrize(("hours", "count"), [(25, 0), (23, 1)])
def test_a_bundle_that_its_program_renews_ends_soon_a_day_before(label: str, hours: int, count: int) -> None:
    hook = configuration()
    hook.metadata.labels[label] = "x"
    hook.webhooks[0].clientConfig.caBundle = certificate(NOW + timedelta(hours=hours))
    assert len(list(ca_ends(cluster(hook)))) == count


@pytest.mark.parametrize(("hours", "count"), [(25, 0), (23, 1)])
def test_a_bundle_of_eck_ends_soon_a_day_before(hours: int, count: int) -> None:
    hook = configuration()
    hook.webhooks[0].name = "elastic-es-validation-v1.k8s.elastic.co"
    hook.webhooks[0].clientConfig.caBundle = certificate(NOW + timedelta(hours=hours))
    assert len(list(ca_ends(cluster(hook)))) == count


def test_a_certificate_that_cannot_be_read_has_no_expiry() -> None:
    assert last_to_expire(EXPIRED.replace(b"\nM", b"\nN", 1)) is None
    assert last_to_expire(EXPIRED * 201) is None
