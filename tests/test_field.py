"""Clusters with real CNIs, recorded while they were ill: what is found there, and where each fault has its root.

The recordings are of kind clusters with Calico 3.28 (VXLAN between subnets), one of them with metrics-server; they are
as they were written.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.facts.network.cni import recognised
from kubevitals.findings.explains import declared
from kubevitals.inventory.cluster import Cluster
from kubevitals.reports.wording import SUPPORTED_MINORS
from kubevitals.source.recording import Snapshot
from scenarios.harness import RECORDINGS, check_modules, verdicts

NETWORK = ("ip-allocation", "cni-daemonset", "kube-proxy", "cluster-dns", "startup-error")
"""Causes that are compared: what else is wrong in these clusters is for others."""

ROOT = Path(__file__).parents[1]
FIELD = ROOT / "tests/recorded/field"


def judged(name: str, causes: Sequence[str] = NETWORK, later: float = 0, *, folder: Path = FIELD) -> dict[str, str]:
    """Return what each root among these causes says, by check and object."""
    cluster = Cluster(Snapshot(folder / f"{name}.recording", timedelta(seconds=later)))
    seen = verdicts(cluster)
    cluster.close()
    cases = [Case(v.cause, v.variant, finding, known) for v in seen for finding, known in v.judged]
    roots = set(roots_of(cases, declared(check_modules().values())).values())
    return {f"{c.check} {c.finding.obj}": c.finding.says for c in roots if c.cause in causes}


ROOTS = {
    "calico-healthy-node-restarted-probe": {},
    "calico-no-enabled-pool": {"ip-allocation[cni-misconfigured] Pod/default/nopool-": "no Calico IPPool can be used"},
    "calico-pool-selects-other-nodes": {"ip-allocation[cni-misconfigured] Pod/pools/web-": "no Calico IPPool selects"},
    "calico-pool-exhausted": {"ip-allocation[pool-exhausted] Pod/default/many-": "pool 192.168.255.0/29 has no free"},
    "calico-strict-affinity": {
        "ip-allocation[pool-exhausted] PodNetwork/pods": "strict affinity forbids it the blocks"
    },
    "calico-pools-healthy": {},
    "calico-token-refused-probe": {
        "ip-allocation[cni-misconfigured] Node/h7-calico-worker2": "the API server refuses the CNI's credentials"
    },
    "calico-node-crash-probe": {
        "cni-daemonset[not-running] Node/h7-calico-worker2": "Unable to write to /var/lib/calico/nodename"
    },
    "calico-pool-deleted-in-use-probe": {
        "cni-daemonset[no-route] Node/h7-calico-worker": "other nodes have no route to 10.244.240.0/30"
    },
}


@pytest.mark.parametrize("name", ROOTS)
def test_a_fault_of_a_real_cni_has_one_root(name: str) -> None:
    roots = judged(name)
    expected = ROOTS[name]
    for root, says in roots.items():
        assert any(root.startswith(start) and part in says for start, part in expected.items()), (root, says)
    assert len({root.rpartition("-")[0] for root in roots}) == len(expected), roots


def test_the_readmes_table_of_what_was_tried_is_that_of_the_recordings() -> None:
    """One recording of each row has its version, its CNI and its CSI driver, and kubelets that say which cgroup."""
    table = (ROOT / "README.md").read_text().partition("### What was tried")[2].split("\n\n")[1]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    names = ["untouched-cluster", "calico-pools-healthy", "flannel-healthy", "csi-healthy", "csi-multi-attach"]
    replayed = [row for row in rows if row[-1] != "by hand"]
    assert {row[0] for row in rows} <= {f"1.{minor}" for minor in SUPPORTED_MINORS}
    for (version, network, driver, cgroup, proxy, _), name in zip(replayed, names, strict=True):
        folder = FIELD if (FIELD / f"{name}.recording").exists() else RECORDINGS
        cluster = Cluster(Snapshot(folder / f"{name}.recording"))
        assert cluster.server_version.startswith(f"v{version}."), name
        assert {cni.name for cni in recognised(cluster)} == {network.split()[0]}, name
        assert ", ".join(each.metadata.name for each in cluster.csi_drivers) == driver.partition(",")[0], name
        warned = any(event.reason == "CgroupV1" for event in cluster.all_events)
        assert cgroup == ("v1" if warned else "v2"), name
        assert proxy == "iptables", "kind's default, which no configuration of scenarios/ changes"
        cluster.close()
    assert not [path for path in RECORDINGS.parent.glob("kind*.yaml") if "kubeProxyMode" in path.read_text()]


POLICIES_AND_METRICS = "calico-policies-and-metrics"
"""A cluster with Calico, which enforces policies, and with metrics-server: some pods may not query DNS, one autoscaler
works, one is at its maximum, and the Deployment of one has no CPU request."""


def test_only_policies_that_allow_no_dns_are_found() -> None:
    """Beside them are pods to which the same policy together with another, or one with a rule for DNS, allows it."""
    roots = judged(POLICIES_AND_METRICS, ("network-policy", "readiness"))
    assert set(roots) == {
        "network-policy[no-dns] NetworkPolicy/closed/web-egress",
        "network-policy[no-dns] NetworkPolicy/closed/quiet-egress",
    }


def test_with_metrics_only_autoscalers_that_cannot_scale_are_found() -> None:
    roots = judged(POLICIES_AND_METRICS, ("autoscaling",), later=900)
    assert 'container "app" has no cpu request' in roots["autoscaling[no-metrics] HorizontalPodAutoscaler/scaled/bare"]
    assert "at its maximum of 2 replicas" in roots["autoscaling[at-maximum] HorizontalPodAutoscaler/scaled/busy"]
    assert len(roots) == 2
