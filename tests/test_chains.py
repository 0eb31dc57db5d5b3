"""How a fault spreads over several steps to its root, and how many replicas it costs."""

import json
import re

from kubevitals.diagnosis.result import Report, Root
from kubevitals.findings.explains import ANY, CONCERNED, CONCERNS, IN_WORKLOAD, SAME_MISSING, Explains
from kubevitals.findings.finding import Finding, Replicas, Severity
from kubevitals.objects import Ref
from kubevitals.reports.html.page import render
from kubevitals.reports.markdown import markdown
from kubevitals.reports.wording import chain_line, replicas_line
from tests.findings import finding, report_of, verdict

ORDERS, DB = Ref("Deployment", "shop", "orders"), Ref("StatefulSet", "shop", "db")
SERVICE, CLAIM = Ref("Service", "shop", "db"), Ref("PersistentVolumeClaim", "shop", "data-db-0")
CLASS = Ref("StorageClass", "", "fast-ssd")
ORDERS_POD, DB_POD = Ref("Pod", "shop", "orders-5d-x"), Ref("Pod", "shop", "db-0")

RULES = [
    Explains(("service",), CONCERNED, ("app",)),
    Explains(("net",), CONCERNED, ("service",)),
    Explains(("claim",), CONCERNS, ("scheduling",)),
    Explains(("claim",), SAME_MISSING, ("claim",)),
    Explains((ANY,), IN_WORKLOAD, ("net",)),
]

CHAIN = (
    "Deployment orders has 0 of 2 replicas available ← Service db has no endpoints ← StatefulSet db has 0 of 1 replicas"
    " available ← PersistentVolumeClaim data-db-0 is not bound ← StorageClass fast-ssd does not exist"
)


def short(name: Ref, missing: int, of: int, *pods: Ref) -> Finding:
    """Return a finding on a workload that is short of replicas."""
    says = f"has {of - missing} of {of} replicas available: its pods are not ready"
    return finding(str(name), says=says, concerns=pods, replicas=Replicas(missing, of))


def shop() -> Report:
    claim = finding(str(CLAIM), says="is not bound: no class", concerns=(DB_POD,), owner=DB, missing=(CLASS,))
    return report_of(
        verdict("app[exit]", finding(str(ORDERS_POD), owner=ORDERS, concerns=(SERVICE,))),
        verdict("net[short]", short(ORDERS, 2, 2, ORDERS_POD), short(DB, 1, 1, DB_POD)),
        verdict("service[none]", finding(str(SERVICE), says="has no endpoints", concerns=(DB,))),
        verdict("scheduling[claim]", finding(str(DB_POD), owner=DB)),
        verdict("claim[unbound]", claim),
        rules=RULES,
    )


def only_root(report: Report) -> Root:
    (root,) = report.roots
    return root


def test_a_missing_class_is_the_one_root_and_the_chain_leads_to_it() -> None:
    root = only_root(shop())
    assert root.objects == str(CLAIM)
    assert [chain_line(links) for links in root.chains] == [CHAIN]


def test_the_root_says_how_many_replicas_it_costs() -> None:
    assert replicas_line(only_root(shop()).replicas) == "3 of 3 replicas missing"


def test_every_symptom_knows_its_direct_cause() -> None:
    report = shop()
    name = {found.id: found.places[0].object for found in report.findings}
    assert {name[found.id]: name[found.cause] for found in report.findings if found.cause} == {
        str(ORDERS_POD): str(SERVICE),
        str(ORDERS): str(ORDERS_POD),
        str(SERVICE): str(DB),
        str(DB): str(DB_POD),
        str(DB_POD): str(CLAIM),
    }


def test_reports_show_the_chain_and_the_replicas() -> None:
    report = shop()
    steps = [link.object for link in reversed(only_root(report).chains[0])]
    assert re.search(".*".join(map(re.escape, steps)), render(report), re.DOTALL)
    assert "3 of 3 replicas missing" in render(report)
    assert CHAIN.split(" ← ")[0] in markdown(report)
    assert "3 of 3 replicas missing" in markdown(report)
    assert json.dumps([link.object for link in only_root(report).chains[0]])


def test_who_miss_the_same_object_do_not_cause_each_other() -> None:
    other = Ref("PersistentVolumeClaim", "bank", "data-0")
    cache, pod = Ref("StatefulSet", "bank", "cache"), Ref("Pod", "bank", "cache-0")
    root = only_root(
        report_of(
            verdict("claim[unbound]", finding(str(CLAIM), says="is not bound", missing=(CLASS,))),
            verdict(
                "claim[unbound]", finding(str(other), says="is not bound: none", missing=(CLASS,), concerns=(pod,))
            ),
            verdict("scheduling[claim]", finding(str(pod), owner=cache)),
            rules=RULES,
        )
    )
    assert [chain_line(links) for links in root.chains] == [
        "StatefulSet cache is broken ← PersistentVolumeClaim data-0 is not bound ← StorageClass fast-ssd does not exist"
    ]


def test_links_of_other_namespaces_say_so() -> None:
    root = only_root(
        report_of(
            verdict("app[exit]", finding("Pod/shop/web", concerns=(Ref("Service", "bank", "db"),))),
            verdict("service[none]", finding("Service/bank/db", concerns=(Ref("StatefulSet", "bank", "db"),))),
            verdict("net[short]", finding("StatefulSet/bank/db")),
            rules=RULES,
        )
    )
    assert chain_line(root.chains[0]).startswith("Pod web is broken ← Service db of namespace bank is broken ← ")


def test_a_symptom_one_step_away_needs_no_chain() -> None:
    root = only_root(
        report_of(
            verdict("net[short]", short(DB, 1, 2, DB_POD)),
            verdict("app[exit]", finding(str(DB_POD), owner=DB)),
            rules=RULES,
        )
    )
    assert root.symptoms
    assert not root.chains


def test_a_warning_does_not_explain_why_a_workload_is_short() -> None:
    report = report_of(
        verdict("net[short]", short(DB, 1, 2, DB_POD)),
        verdict("app[near]", finding(str(DB_POD), owner=DB, severity=Severity.WARNING)),
        rules=RULES,
    )
    assert [root.objects for root in report.roots] == [str(DB), str(DB_POD)]


def test_a_workload_that_misses_more_comes_first() -> None:
    report = report_of(verdict("net[short]", short(DB, 1, 3), short(ORDERS, 3, 4)))
    assert [root.objects for root in report.roots] == [str(ORDERS), str(DB)]


def test_workloads_do_not_explain_each_other() -> None:
    report = report_of(verdict("net[short]", short(DB, 1, 1, DB_POD), short(ORDERS, 1, 1, DB_POD)), rules=RULES)
    assert len(report.roots) == 2
