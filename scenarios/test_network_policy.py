"""NetworkPolicies in a cluster whose CNI enforces them."""

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, deployment, service

LOOKUP = """until nslookup kubernetes.default.svc.cluster.local; do
  echo 'lookup kubernetes.default.svc.cluster.local failed: timed out'; sleep 2
done; touch /tmp/ready; sleep 1d"""
READY = {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 3}
TO_API = {"to": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 8000}]}
DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def policy(name: str, app: str, *rules: Object) -> Object:
    """A policy that allows the pods of an application some connections to others."""
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Egress"], "egress": list(rules)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


@scenario(
    deployment("api"),
    service("api"),
    policy("web-egress", "web", TO_API),
    deployment("web", sh=LOOKUP, readinessProbe=READY),
    policy("shop-egress", "shop", TO_API),
    policy("shop-dns", "shop", DNS),
    deployment("shop", sh=LOOKUP, readinessProbe=READY),
    addon="calico",
    finds=["network-policy[no-dns] NetworkPolicy/web-egress", "readiness[probe-failing] Pod/web-*"],
)
def test_calico_policy_without_dns(seen: Seen) -> None:
    """Pods of one application cannot resolve names; a second policy allows that to the pods of another one."""
    assert seen.says("a pod says: ;; connection timed out; no servers could be reached")
    assert seen.get("Deployment/shop").status.readyReplicas == 1
