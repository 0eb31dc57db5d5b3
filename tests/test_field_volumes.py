"""Clusters with a real CSI driver, recorded while it failed: where each fault has its root.

The recordings are of kind clusters with a driver in the manner of csi-driver-host-path; they are as they were written.
"""

import re

import pytest

from kubevitals.diagnosis.unexplained_events import unexplained
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Snapshot
from scenarios.harness import RECORDINGS, verdicts
from tests.test_field import FIELD, judged

CAUSES = ("volume-claim", "startup-error", "cni-daemonset", "node-ready")

CLAIM = "PersistentVolumeClaim"

ROOTS = {
    "csi-controller-gone": {
        "volume-claim[driver-down] CSIDriver/hostpath.csi.offline": "Deployment/kube-system/csi-hostpath-controller has"
    },
    "csi-detach-fails": {
        f"volume-claim[attach-failed] {CLAIM}/moved/data": "its volume cannot be detached from node h7-calico-worker,"
    },
    "csi-multi-attach": {
        f"volume-claim[attach-failed] {CLAIM}/roll/data": "where Pod/roll/data-574c4b5c76-mtzf9 uses it"
    },
    "csi-node-plugin-crash": {
        "volume-claim[driver-down] CSIDriver/hostpath.csi.offline": 'h7-calico-worker2: container "csi-plugin" keeps'
        " crashing: exit code 1 (general error): the socket /csi/csi.sock is already in use"
    },
    "csi-node-plugin-excluded": {
        "volume-claim[driver-down] Node/real-worker": "csi-hostpath-node: its nodeSelector requires nowhere=yes"
    },
    "csi-stage-fails-delete-fails": {
        f"volume-claim[mount-failed] {CLAIM}/stage/badfs": "wrong fs type",
        "volume-claim[delete-failed] PersistentVolume/pvc-da443710-37de-4277-bfa7-f4dc6e10a66c": "snapshot snap-1",
        "volume-claim[delete-failed] PersistentVolume/pvc-ba18eace-1e14-4a95-8cb3-aa1fe564ae91": "snapshot snap-1",
    },
    "csi-attach-hang-expand-fails-pool-full": {
        f"volume-claim[attach-failed] {CLAIM}/attach/slow": "context deadline exceeded",
        f"volume-claim[expansion-failed] {CLAIM}/expand/grow": "from 40Mi to 80Mi: rpc error: code = Unknown desc",
        f"volume-claim[unbound] {CLAIM}/poolfull/big": "not enough space in the storage pool",
    },
    "csi-unregistered": {"volume-claim[driver-down] Node/h7-calico-worker2": "is not registered"},
    "csi-healthy-with-poolfull-young": {},
}


@pytest.mark.parametrize("name", ROOTS)
def test_a_fault_of_a_real_driver_has_one_root(name: str) -> None:
    roots = judged(name, CAUSES)
    assert roots.keys() == ROOTS[name].keys()
    for root, says in roots.items():
        assert ROOTS[name][root] in says


ROOT_OF_SCENARIO = {
    "csi-attach-limit": f"volume-claim[attach-failed] {CLAIM}/csi-attach-limit/data-db-1",
    "csi-controller-gone": "volume-claim[driver-down] CSIDriver/hostpath.csi.offline",
    "csi-node-plugin-gone": "volume-claim[driver-down] Node/worker",
}
"""Scenarios of which other findings are symptoms: pods without a node, and claims that the driver would serve."""


@pytest.mark.parametrize("name", ROOT_OF_SCENARIO)
def test_a_scenario_of_the_driver_has_one_root(name: str) -> None:
    causes = (*CAUSES, "scheduling", "workload-unavailable")
    roots = {re.sub(r"Node/\S+-", "Node/", root) for root in judged(name, causes, folder=RECORDINGS)}
    assert roots == {ROOT_OF_SCENARIO[name]}


def test_a_claim_that_is_too_young_to_be_judged_is_named_and_not_its_pod() -> None:
    cluster = Cluster(Snapshot(FIELD / "csi-healthy-with-poolfull-young.recording"))
    assert not [finding for verdict in verdicts(cluster) for finding, _ in verdict.judged]
    assert cluster.remarks == ["too young to be judged: 1 PVC in Pending for less than 1m (poolfull/big)"]
    assert not unexplained(cluster, [])
    cluster.close()


def test_a_claim_that_is_a_finding_is_not_young() -> None:
    cluster = Cluster(Snapshot(FIELD / "csi-controller-gone.recording"))
    verdicts(cluster)
    assert cluster.remarks == []
    cluster.close()
