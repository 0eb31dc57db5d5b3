"""How a check is declared: its rules, what states that all is well, and what is refused of it when it is imported."""

import functools
import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest

from kubevitals.errors import BadCheck
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster

Rule = Callable[[Cluster], Iterable[Finding]]
"""Finds one variant of a cause in a cluster. Its name is the variant's, its docstring the criterion."""

PARTS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
"""What the docstring of a file of checks must have sections of."""

Test = Callable[[Cluster, Rule], Iterable[Finding]]


def check(*rules: Rule, chapter: str = "own") -> Callable[[Callable[[], None]], Test]:
    """Make a check of a function whose name and docstring state what is healthy; its body is empty.

    The check's file gives the cause its name (``test_idle_cron_job.py``: ``idle-cron-job``), and the file's docstring
    its documentation. pytest has an item for each rule, ``test_cron_jobs_run[suspended]``.

    Args:
        rules: functions that take the cluster and yield the findings of the variant that they are named after. What
            they raise, but for NotObserved and NotApplicable, is an error of that item and of no other.
        chapter: under which reports show the cause.

    Raises:
        BadCheck: it is declared wrongly; pytest shows the message in one line, and runs the checks of other files.
    """
    if len(rules) == 1 and getattr(rules[0], "__name__", "").startswith("test_"):
        raise BadCheck(f"{rules[0].__module__}.{rules[0].__name__} declares no rules: @check(a_rule, another)")

    def declare(states: Callable[[], None]) -> Test:
        for fault in _faults(states, rules):
            raise BadCheck(f"{states.__module__}.{states.__name__}: {fault}")

        @functools.wraps(states)
        def test(cluster: Cluster, variant: Rule) -> Iterator[Finding]:
            return _findings(variant, cluster)

        test.__signature__ = inspect.signature(_findings)  # type: ignore[attr-defined]
        marked = pytest.mark.parametrize("variant", rules, ids=variant_name)(test)
        return pytest.mark.cause(chapter=chapter)(marked)

    return declare


def variant_name(rule: Rule) -> str:
    """Return the variant that a rule is of: ``attach_failed`` finds ``attach-failed``."""
    return rule.__name__.strip("_").replace("_", "-")


def _findings(variant: Rule, cluster: Cluster) -> Iterator[Finding]:
    """Yield what a rule finds.

    Raises:
        TypeError: it is no finding.
    """
    found = variant(cluster)
    if not isinstance(found, Iterable):
        raise TypeError(f"{variant.__name__} returns {found!r:.60}, and must yield findings")
    for finding in found:
        if not isinstance(finding, Finding):
            raise TypeError(f"{variant.__name__} yields {finding!r:.60}, which is no Finding")
        yield finding


def _faults(states: Callable[[], None], rules: Iterable[Rule]) -> Iterator[str]:
    """Yield what is wrong with a declaration."""
    if not states.__name__.startswith("test_"):
        yield "its name must begin with test_, or pytest does not run it"
    if inspect.signature(states).parameters:
        yield "it takes no arguments: the cluster is given to the rules"
    if not states.__doc__:
        yield "it has no docstring, which states what is healthy"
    yield from _faults_of_rules(list(rules))
    document = sys.modules[states.__module__].__doc__ or ""
    if missing := [part for part in PARTS if not re.search(rf"^{part}:$", document, re.MULTILINE)]:
        yield f"the docstring of its file has no section {', '.join(f'{part}:' for part in missing)}"


def _faults_of_rules(rules: list[Rule]) -> Iterator[str]:
    if not rules:
        yield "it has no rules: @check(a_rule, another)"
    for rule in rules:
        if not inspect.isfunction(rule):
            yield f"{rule!r:.60} is no function, and so no rule"
            return
        if len(inspect.signature(rule).parameters) != 1:
            yield f"the rule {rule.__name__} must take one argument, the cluster"
        if not rule.__doc__:
            yield f"the rule {rule.__name__} has no docstring, which says what it finds"
    for name, count in Counter(map(variant_name, rules)).items():
        if count > 1:
            yield f"the variant {name} is declared {count} times"
