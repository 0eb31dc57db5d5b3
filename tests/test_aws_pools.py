"""What the AWS VPC CNI counts of each node's addresses, by the metrics of its pods."""

from typing import Any

import pytest

from checks.test_ip_allocation import headroom
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.built import node
from tests.custom_resources import says
from tests.fakes import cluster_of, status_json
from tests.networks import daemon, daemon_set, judged


def aws(assigned: int, total: int, most: int, **more: Any) -> Cluster:
    agents = daemon_set("aws-node")
    names = {"assigned_ip_addresses": assigned, "total_ip_addresses": total, "ip_max": most}
    text = "".join(f"# TYPE awscni_{name} gauge\nawscni_{name} {value}\n" for name, value in names.items())
    metrics = {"/api/v1/namespaces/kube-system/pods/aws-node-one:61678/proxy/metrics": Answer(200, text.encode())}
    lists = {"nodes": [node("one")], "daemon_sets": [agents], "pods": [daemon(agents, "one")]}
    return cluster_of(metrics | more, **lists)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((29, 29, 29), {"Node/one": "29 of 29 addresses of the node's network interfaces are in use"}),
        ((27, 28, 29), {"Node/one": "27 of 29 addresses of the node's network interfaces are in use"}),
        ((20, 20, 29), {}),
        ((30, 48, 464), {}),
        ((447, 448, 240), {"Node/one": "447 of 448 addresses of the node's network interfaces are in use"}),
    ],
    ids=["full", "nearly full", "it can add some", "prefixes, free", "prefixes, nearly full"],
)
def test_the_aws_vpc_cni(counts: tuple[int, int, int], expected: dict[str, str]) -> None:
    findings, unseen = judged(headroom, aws(*counts))
    assert (says(findings), unseen) == (expected, None)


def test_without_the_metrics_of_the_aws_vpc_cni_nothing_is_observed() -> None:
    path = "/api/v1/namespaces/kube-system/pods/aws-node-one:61678/proxy/metrics"
    for answer, part in (
        (Answer(403, status_json("no")), "pods/proxy is refused"),
        (Answer(200, b"up 1"), "no metrics"),
    ):
        findings, unseen = judged(headroom, aws(1, 1, 29, **{path: answer}))
        assert not findings
        assert part in str(unseen)
    cluster = aws(29, 29, 29)
    cluster.ask_kubelets = False
    findings, unseen = judged(headroom, cluster)
    assert (findings, unseen is not None and unseen.unasked) == ([], True)
