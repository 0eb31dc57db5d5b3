"""Which CNIs enforce NetworkPolicies."""

import pytest

from checks.test_network_policy import no_dns
from kubevitals.errors import NotApplicable, NotObserved
from tests.networks import node
from tests.policies import TO_API, cluster, policy


@pytest.mark.parametrize(
    ("name", "image", "enforces"),
    [
        ("kindnet", "docker.io/kindest/kindnetd:v20240813-c6f155d6", True),
        ("kindnet", "docker.io/kindest/kindnetd:v20240202-8f1494ea", False),
        ("kindnet", "docker.io/kindest/kindnetd:offline", None),
        ("kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.26.0", False),
        ("kube-flannel-ds", "registry.k8s.io/networking/kube-network-policies:v0.6.0", True),
        ("aws-node", "amazon-k8s-cni:v1.19.0", None),
        ("own-cni", "own-cni:1", None),
        ("cilium", "quay.io/cilium/cilium:v1.16.0", True),
    ],
)
def test_whether_the_cni_enforces_policies(name: str, image: str, enforces: bool | None) -> None:
    made = cluster(policy(TO_API), cni=(name, image))
    if enforces:
        assert list(no_dns(made))
        return
    with pytest.raises(NotApplicable if enforces is False else NotObserved):
        list(no_dns(made))


@pytest.mark.parametrize(
    ("version", "labels", "enforces"),
    [
        ("v1.34.1+k3s1", {}, True),
        ("v1.34.1", {"eks.amazonaws.com/compute-type": "auto"}, None),
        ("v1.34.1", {"microk8s.io/cluster": "true"}, False),
    ],
)
def test_whether_the_built_in_cni_enforces_policies(
    version: str, labels: dict[str, str], enforces: bool | None
) -> None:
    one = node("one", labels=labels)
    one.status.nodeInfo.kubeletVersion = version
    made = cluster(policy(TO_API), cni=("web", "web:1"), nodes=[one])
    if enforces:
        assert list(no_dns(made))
        return
    with pytest.raises(NotApplicable if enforces is False else NotObserved, match="enforce network policies"):
        list(no_dns(made))
