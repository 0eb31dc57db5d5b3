"""NetworkPolicies that allow no DNS, in a cluster whose CNI does not say whether it enforces them."""

from kubevitals.diagnosis.verdict import Outcome
from scenarios.harness import Seen, scenario
from scenarios.objects import Object, deployment, service


def policy(name: str, app: str, *rules: Object) -> Object:
    """A policy that allows the pods of an application some connections to others."""
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Egress"], "egress": list(rules)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


TO_API = {"to": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 8000}]}


@scenario(deployment("api"), service("api"), deployment("web"), policy("web-egress", "web", TO_API))
def test_policy_without_dns(seen: Seen) -> None:
    """Only connections to the other application are allowed; the CNI's image has a tag that tells no version."""
    assert seen.outcomes["network-policy[no-dns]"] is Outcome.NOT_OBSERVED
    (unseen,) = [str(v.unseen) for v in seen.verdicts if v.check == "network-policy[no-dns]"]
    assert "kindnet may or may not enforce network policies" in unseen
