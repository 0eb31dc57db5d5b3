"""The API server: a healthy cluster, a frozen etcd, a missing API server, missing rights."""

from collections import Counter

from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import NotRecorded
from scenarios.faults import etcd_frozen, manifest_removed, rights_removed, untouched
from scenarios.harness import Seen, scenario


@scenario(fault=untouched, probe=True)
def test_untouched_cluster(seen: Seen) -> None:
    """A healthy cluster has no findings, with the probe either."""
    assert len(seen.cluster.nodes) == 3
    known = (v for v in seen.verdicts if not isinstance(v.unseen, NotRecorded) and not v.inapplicable)
    unhealthy = {v.check for v in known if v.check in seen.outcomes}
    assert unhealthy <= {"certificates[kubelet]"}, "kubelets are queried through the proxy, which hides certificates"


@scenario(fault=etcd_frozen(), finds=["api-server[not-ready] APIServer/kube-apiserver"])
def test_etcd_frozen(seen: Seen) -> None:
    """The API server answers from its caches, and reports that etcd fails."""
    assert seen.says("etcd")


@scenario(fault=manifest_removed("kube-apiserver"), finds=["api-server[unreachable] APIServer/kube-apiserver"])
def test_api_server_gone(seen: Seen) -> None:
    """The API server does not answer: that is the only finding, and nothing else is observed."""
    assert Counter(seen.outcomes.values()) == {Outcome.BROKEN: 1, Outcome.NOT_OBSERVED: len(seen.verdicts) - 1}


@scenario(fault=rights_removed)
def test_no_rights(seen: Seen) -> None:
    """Without rights to list anything, the missing rights are named, and only the API server is observed."""
    assert set(seen.outcomes.values()) == {Outcome.NOT_OBSERVED}
    assert not any(item.startswith("api-server") for item in seen.outcomes)
    assert {v.unseen.right for v in seen.verdicts if v.unseen} >= {
        "list nodes",
        "list pods",
        "list persistentvolumeclaims",
    }
