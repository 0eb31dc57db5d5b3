"""The pod network of Calico: its daemon crashes, and what only looks like lost traffic."""

from scenarios.faults_calico import calico_node_crashing, existing, global_policy
from scenarios.harness import Seen, scenario
from scenarios.objects import deployment
from scenarios.rights import DEPLOY
from scenarios.undoing import doing, together


@scenario(deployment("web", 2), addon="calico")
def test_calico_healthy(seen: Seen) -> None:
    """Calico is the network of the cluster."""
    assert [ds.metadata.name for ds in seen.cluster.daemon_sets] == ["calico-node", "kube-proxy"]


@scenario(deployment("web", 2), addon="calico", probe=True)
def test_calico_healthy_seen_from_inside(seen: Seen) -> None:
    """The probe runs as well, and nothing is left unseen."""
    assert not seen.unseen


@scenario(
    addon="calico",
    fault=calico_node_crashing("worker"),
    finds=["cni-daemonset[not-running] Node/worker", "startup-error[app-exit] Pod/calico-node-*"],
)
def test_calico_node_crashing(seen: Seen) -> None:
    """It cannot write the file with the node's name."""
    assert seen.says("Unable to write to /var/lib/calico/nodename")


DENY = global_policy(
    "default-deny",
    namespaceSelector='kubernetes.io/metadata.name not in {"kube-system"}',
    types=["Ingress", "Egress"],
    egress=[
        {"action": "Allow", "protocol": "UDP", "destination": {"selector": 'k8s-app == "kube-dns"', "ports": [53]}}
    ],
)


@scenario(addon="calico", probe=True, fault=existing(DENY))
def test_calico_policy_blocks_the_probe(seen: Seen) -> None:
    """All that is not allowed is denied outside of kube-system: the pod network is sound."""
    assert seen.unseen["cni-daemonset[no-route]"].endswith("blocks the probe: GlobalNetworkPolicy default-deny")


PROBE = DEPLOY / "components/probe"
ALLOWED = doing(
    lambda cluster: cluster.kubectl(f"apply -f {PROBE}/rbac.yaml -f {PROBE}/network-policy.yaml"),
    lambda cluster: cluster.kubectl("delete namespace kubevitals-probe"),
)


@scenario(addon="calico", probe=True, fault=together(existing(DENY), ALLOWED))
def test_calico_policy_allows_the_probe(seen: Seen) -> None:
    """The same policy, and deploy/components/probe/network-policy.yaml for the namespace of the probe."""
    assert not seen.unseen
