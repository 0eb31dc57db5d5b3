"""The order of root causes: what costs the most comes first."""

from datetime import date
from itertools import pairwise
from typing import Any

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.findings.explains import CONCERNED, SAME_NODE, SAME_OBJECT, Explains
from kubevitals.findings.finding import Finding, Replicas, Severity
from kubevitals.objects import Ref
from kubevitals.reports.wording import heading, start_with
from tests.fakes import NOW
from tests.findings import ACCEPTED, NODES_EXPLAIN, finding, replicas, report_of, verdict

DEAREST_FIRST = [
    "APIServer/kube-apiserver",
    "Node/b",
    "Node/a",
    "Service/kube-system/kube-dns",
    "Node/c",
    "CSIDriver/disk.example",
    "Pod/short/web",
    "Pod/explains/web",
    "Pod/young/web",
    "Pod/old/web",
    "Pod/ageless/web",
    "Pod/risk/web",
    "Pod/known/web",
]


def test_roots_come_in_the_order_of_what_they_cost() -> None:
    """Each one comes before the next because of the line above it, and in spite of all lines below."""

    def pod(namespace: str, **more: Any) -> Finding:
        return finding(f"Pod/{namespace}/web", says=f"is {namespace}", **more)

    day = int(NOW.timestamp()) - 86400
    pods = [finding(f"Pod/shop/b-{n}", node="b", replicas=Replicas(n, 9)) for n in range(2)]
    report = report_of(
        verdict(
            "pod[down]",
            pod("known", replicas=Replicas(9, 9), since=day + 99),
            pod("old", since=day),
            pod("young", since=day + 60),
            pod("ageless"),
            pod("explains", since=day),
            pod("short", since=day, replicas=Replicas(2, 2)),
            pod("risk", severity=Severity.WARNING, since=day + 99, replicas=Replicas(9, 9)),
            known=[KnownIssue("pod[down]", "Pod/known/*", "kept for the auditors", date(9999, 1, 1))],
        ),
        verdict("symptom[of]", pod("explains")),
        verdict("storage[down]", finding("CSIDriver/disk.example")),
        verdict("cni-daemonset[down]", finding("Node/c")),
        verdict("cluster-dns[down]", finding("Service/kube-system/kube-dns")),
        verdict("node[down]", finding("Node/a"), finding("Node/b")),
        verdict("net[gone]", *pods),
        verdict("api-server[down]", finding("APIServer/kube-apiserver")),
        rules=[*NODES_EXPLAIN, Explains(("pod",), SAME_OBJECT, ("symptom",))],
    )
    assert [root.objects for root in report.roots] == DEAREST_FIRST
    order = [found.root or found.id for found in report.findings]
    assert sum(before != after for before, after in pairwise(order)) == len(report.roots) - 1


def test_what_is_new_or_worse_comes_before_what_reaches_further() -> None:
    old = verdict("node[down]", finding("Node/a"))
    history = History(report_of(old, verdict("pod[down]", finding("Pod/shop/worse", severity=Severity.WARNING))))
    now = verdict("pod[down]", finding("Pod/shop/new"), finding("Pod/shop/worse"))
    assert [root.objects for root in report_of(old, now, history=history).roots] == [
        "Pod/shop/new",
        "Pod/shop/worse",
        "Node/a",
    ]


def test_a_root_reaches_as_far_as_its_symptoms() -> None:
    report = report_of(
        verdict("node[down]", finding("Node/a")),
        verdict("cluster-dns[down]", finding("Service/kube-system/kube-dns")),
        verdict("pod[down]", finding("Pod/kube-system/api"), finding("Pod/shop/web", replicas=Replicas(3, 3))),
        verdict("api-server[down]", finding("APIServer/kube-apiserver", concerns=(Ref("Pod", "kube-system", "api"),))),
        rules=[Explains(("pod",), CONCERNED, ("api-server",))],
    )
    assert [root.objects for root in report.roots][:2] == ["Pod/kube-system/api", "Node/a"]


def test_every_count_is_of_roots_and_symptoms_and_a_known_root_is_not_the_one_to_start_with() -> None:
    known = verdict("net[gone]", finding("Pod/legacy/old"), known=[ACCEPTED])
    report = report_of(
        known,
        verdict("node[down]", *(finding(f"Node/{name}") for name in "abcd")),
        verdict("net[near]", finding("Pod/shop/web", severity=Severity.WARNING), *replicas("a")),
        rules=[Explains(("node",), SAME_NODE, ("net",))],
    )
    assert heading(report) == "Broken: 3 root causes (1 error, 1 warning, 1 known), with 1 symptom"
    assert (len(report.roots), sum(len(root.symptoms) for root in report.roots)) == (3, 1)
    assert start_with(report) == report.roots[0]
    assert start_with(report_of(known)) is None
    assert heading(report_of(known)) == "Known: 1 root cause"


def test_a_warning_that_explains_an_error_is_as_bad() -> None:
    report = report_of(
        verdict("pool[tight]", finding("Node/a", severity=Severity.WARNING)),
        verdict("pool[empty]", finding("Pod/shop/web", node="a")),
        rules=[Explains(("pool[tight]",), SAME_NODE, ("pool[empty]",))],
    )
    assert [(root.check, root.severity) for root in report.roots] == [("pool[tight]", Severity.ERROR)]
