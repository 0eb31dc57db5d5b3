"""The API server: a healthy cluster, etcd gone, the server itself gone."""

from collections import Counter

from kubevitals.diagnosis.verdict import Outcome
from scenarios.faults import manifest_removed, process_frozen, rights_removed, untouched
from scenarios.harness import Seen, scenario


@scenario(fault=untouched, probe=True)
def test_untouched_cluster(seen: Seen) -> None:
    """Nothing is found on a cluster that nobody has broken, seen from inside, too."""
    assert len(seen.cluster.nodes) == 3
    assert seen.outcomes.keys() <= {"conntrack[settings-differ]"}, "its settings come with the next recording"


@scenario(fault=process_frozen("control-plane", "etcd"), finds=["api-server[not-ready] APIServer/kube-apiserver"])
def test_etcd_frozen(seen: Seen) -> None:
    """The API server answers from its caches, and says that etcd fails."""
    assert seen.says("etcd")


@scenario(fault=manifest_removed("kube-apiserver"), finds=["api-server[unreachable] APIServer/kube-apiserver"])
def test_api_server_gone(seen: Seen) -> None:
    """Nothing answers: that is one finding, and nothing else is observed."""
    assert Counter(seen.outcomes.values()) == {Outcome.BROKEN: 1, Outcome.NOT_OBSERVED: len(seen.verdicts) - 1}


@scenario(fault=rights_removed)
def test_no_rights(seen: Seen) -> None:
    """Who may list nothing is told which rights are missing; only the API server itself is seen to be well."""
    assert set(seen.outcomes.values()) == {Outcome.NOT_OBSERVED}
    assert not any(item.startswith("api-server") for item in seen.outcomes)
    assert {v.unseen.right for v in seen.verdicts if v.unseen} >= {
        "list nodes",
        "list pods",
        "list persistentvolumeclaims",
    }
