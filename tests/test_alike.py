"""Findings that say the same of many objects, in reports and in the terminal."""

import re
from io import StringIO

import pytest
from _pytest._io import TerminalWriter

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.ranking import FRONT
from kubevitals.findings.explains import SAME_NODE, SAME_OBJECT, Explains
from kubevitals.findings.finding import Finding, Severity, fold
from kubevitals.reports.failure import DETAILED, Failure
from tests.findings import finding, report_of, verdict


def test_many_nodes_that_show_the_same_are_one_root() -> None:
    nodes = [finding(f"Node/{name}") for name in "abcde"]
    pods = [finding(f"Pod/shop/{name}", node=name) for name in "ae"]
    rules = [Explains(("node",), SAME_NODE, ("net",))]
    report = report_of(verdict("node[down]", *nodes), verdict("net[gone]", *pods), rules=rules)
    (root,) = report.roots
    assert root.objects == "Node/a, Node/b, Node/c and 2 more"
    assert [root.id, *root.others] == [found.id for found in report.findings if not found.root]
    assert len(root.symptoms) == 2


def test_a_few_nodes_are_told_of_one_by_one_each_with_its_evidence() -> None:
    report = report_of(verdict("node[down]", *(finding(f"Node/{name}") for name in "abc")))
    assert [root.objects for root in report.roots] == ["Node/a", "Node/b", "Node/c"]


@pytest.mark.parametrize(
    "other",
    [
        finding("Node/other", says="is broken otherwise"),
        finding("Node/other", remedy="mend it otherwise"),
        finding("Node/other", severity=Severity.WARNING),
        finding("Volume/other"),
        finding("Pod/shop/other"),
    ],
)
def test_what_differs_is_a_root_of_its_own(other: Finding) -> None:
    report = report_of(verdict("node[down]", *(finding(f"Node/{name}") for name in "abcd"), other))
    assert sorted(len(root.others) for root in report.roots) == [0, 3]


def test_a_new_one_among_many_old_ones_is_told_apart() -> None:
    before = report_of(verdict("node[down]", *(finding(f"Node/{name}") for name in "abcd")))
    nodes = [finding(f"Node/{name}") for name in "abcde"]
    report = report_of(verdict("node[down]", *nodes), history=History(before))
    assert [(root.objects, len(root.others)) for root in report.roots if not root.others] == [("Node/e", 0)]


def test_they_may_be_in_several_namespaces() -> None:
    report = report_of(verdict("claim[unbound]", *(finding(f"Claim/{name}/data") for name in "abcd")))
    assert [root.objects for root in report.roots] == ["Claim/a/data, Claim/b/data, Claim/c/data and 1 more"]


def test_many_of_one_namespace_do_not_keep_another_from_being_named() -> None:
    crowd = [finding(f"Pod/crowd/{number}") for number in range(200)]
    hidden = finding("Pod/shop/cart")
    report = report_of(verdict("pod[broken]", *crowd, hidden))
    assert report.roots[0].objects == "Pod/crowd/0, Pod/shop/cart, Pod/crowd/1 and 198 more"
    shop = next(found.id for found in report.findings if found.namespace == "shop")
    assert shop in report.roots[0].others[:2]
    assert "Pod/shop/cart" in Failure(verdict("pod[broken]", *crowd, hidden)).reprcrash.message


def test_a_failure_has_evidence_of_some_of_very_many_findings_and_names_all() -> None:
    crowd = [finding(f"Pod/crowd/{n}", says=f"is broken in way {n}.", evidence=["x" * 900]) for n in range(5000)]
    out = StringIO()
    Failure(verdict("pod[broken]", *crowd)).toterminal(TerminalWriter(out))
    said = out.getvalue()
    assert said.count("x" * 900) == DETAILED
    assert {int(n) for n in re.findall(r"is broken in way (\d+)\.", said)} == set(range(5000))
    assert len(said) < 1_000_000


def test_many_roots_of_one_namespace_do_not_stand_before_all_others() -> None:
    crowd = [finding(f"Pod/crowd/{number}", says=f"is broken in way {number}") for number in range(200)]
    others = [finding("Node/one", says="is down"), finding("Pod/shop/cart", says="has no room")]
    symptoms = [finding(f"Pod/crowd/{number}", says="suffers") for number in range(200)]
    rules = [Explains(("a",), SAME_OBJECT, ("c",))]
    told = (verdict("a[x]", *crowd), verdict("b[y]", *others), verdict("c[z]", *symptoms))
    report = report_of(*told, rules=rules)
    assert len(report.roots) == 202
    assert {"Node/one", "Pod/shop/cart"} < {root.objects for root in report.roots[: FRONT + 2]}
    mild = report_of(verdict("a[x]", *crowd), verdict("b[y]", finding("Node/one", severity=Severity.WARNING)))
    assert mild.roots[-1].objects == "Node/one"


def test_findings_are_folded_if_there_are_many() -> None:
    (group,) = fold([finding(f"Node/{name}") for name in "abcdefg"])
    assert len(group) == 7
    assert len(fold([finding(f"Node/{name}") for name in "abc"])) == 3
