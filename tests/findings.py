"""Findings without a cluster, and the verdicts and runs that have them."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from kubevitals.diagnosis.assemble import assemble
from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue, KnownIssues
from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.roots import Case
from kubevitals.diagnosis.run import Inputs, Run
from kubevitals.diagnosis.verdict import Verdict, judge
from kubevitals.errors import NotObserved
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from tests.fake_server import SYSTEM
from tests.fakes import cluster_of
from tests.networks import node

TODAY = date(2026, 3, 1)

NODES_EXPLAIN = [Explains(("node",), SAME_NODE, ("net",))]
ACCEPTED = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))


def finding(name: str, **more: Any) -> Finding:
    """Return a finding on ``Kind/name`` or ``Kind/namespace/name``."""
    kind, _, place = name.partition("/")
    namespace, _, own = place.rpartition("/")
    return Finding(Ref(kind, namespace, own), **({"says": "is broken", "remedy": "fix it"} | more))


def replicas(node: str, count: int = 2) -> list[Finding]:
    """Return findings on Pods of one Deployment that run on a node."""
    owner = Ref("Deployment", "shop", "web")
    return [finding(f"Pod/shop/web-{node}-{n}", owner=owner, node=node) for n in range(count)]


def case(check: str, name: str, **more: Any) -> Case:
    """Return a finding of a check."""
    return Case(cause_in(check), variant_in(check), finding(name, **more))


def verdict(
    check: str,
    *findings: Finding,
    known: Iterable[KnownIssue] = (),
    unseen: NotObserved | None = None,
    run: Run | None = None,
) -> Verdict:
    """Return what comes of a check that finds this, and then perhaps cannot see more."""

    def look() -> Iterable[Finding]:
        yield from findings
        if unseen:
            raise unseen

    more = (run.inputs.exempts,) if run else ()
    return judge(cause_in(check), variant_in(check), look, KnownIssues(known, TODAY), Severity.ERROR, *more)


def run_of(
    *verdicts: Verdict, rules: Sequence[Explains] = (), history: History | None = None, only_new: bool = False
) -> Run:
    """Return a run on a cluster with one node and nothing on it, with these verdicts."""
    causes = frozenset(v.cause for v in verdicts)
    inputs = Inputs(
        cluster_of(nodes=[node("worker")], namespaces=[SYSTEM]),
        KnownIssues([], TODAY),
        Severity.ERROR,
        causes,
        rules=rules,
        history=history or History(),
        only_new=only_new,
    )
    return Run(inputs, verdicts=list(verdicts))


def report_of(*verdicts: Verdict, rules: Sequence[Explains] = (), history: History | None = None) -> Report:
    """Return the report of such a run."""
    return assemble(run_of(*verdicts, rules=rules, history=history))
