"""The decorator that declares a check, and the mistakes that it rejects on import."""

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
"""A function that finds one variant of a cause. Its name is the variant, its docstring says what it finds."""

PARTS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
"""The sections that the docstring of a check file must have."""

Test = Callable[[Cluster, Rule], Iterable[Finding]]


def check(*rules: Rule, chapter: str = "own") -> Callable[[Callable[[], None]], Test]:
    """Make a check of a function with an empty body, whose name and docstring say what is healthy.

    The cause is named after the file (``test_idle_cron_job.py``: ``idle-cron-job``), and the docstring of the file is
    its documentation. pytest runs one test per rule, such as ``test_cron_jobs_run[suspended]``.

    Args:
        rules: functions that take the cluster and yield findings. Each is named after the variant that it finds. An
            exception other than `NotObserved` and `NotApplicable` makes only this test fail.
        chapter: the chapter under which reports list the cause.

    Raises:
        BadCheck: the declaration is invalid. pytest shows the message in one line, and runs the other files.
    """
    if len(rules) == 1 and getattr(rules[0], "__name__", "").startswith("test_"):
        raise BadCheck(
            f"{rules[0].__module__}.{rules[0].__name__} declares no rules: write @check(a_rule, another_rule)"
        )

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
    """Return the variant that a rule finds: ``attach_failed`` finds ``attach-failed``."""
    return rule.__name__.strip("_").replace("_", "-")


def _findings(variant: Rule, cluster: Cluster) -> Iterator[Finding]:
    """Yield what a rule finds.

    Raises:
        TypeError: the rule yields something else than findings.
    """
    findings = variant(cluster)
    if not isinstance(findings, Iterable):
        raise TypeError(f"{variant.__name__} returns {findings!r:.60}; it must yield findings")
    for finding in findings:
        if not isinstance(finding, Finding):
            raise TypeError(f"{variant.__name__} yields {finding!r:.60}, which is not a Finding")
        yield finding


def _faults(states: Callable[[], None], rules: Iterable[Rule]) -> Iterator[str]:
    """Yield the mistakes in a declaration."""
    if not states.__name__.startswith("test_"):
        yield "its name must begin with test_, otherwise pytest does not run it"
    if inspect.signature(states).parameters:
        yield "it must not take arguments: the rules take the cluster"
    if not states.__doc__:
        yield "it needs a docstring that says what is healthy"
    yield from _faults_of_rules(list(rules))
    document = sys.modules[states.__module__].__doc__ or ""
    if missing := [part for part in PARTS if not re.search(rf"^{part}:$", document, re.MULTILINE)]:
        yield f"the docstring of its file has no section {', '.join(f'{part}:' for part in missing)}"


def _faults_of_rules(rules: list[Rule]) -> Iterator[str]:
    if not rules:
        yield "it has no rules: write @check(a_rule, another_rule)"
    for rule in rules:
        if not inspect.isfunction(rule):
            yield f"{rule!r:.60} is not a function, so it cannot be a rule"
            return
        if len(inspect.signature(rule).parameters) != 1:
            yield f"the rule {rule.__name__} must take one argument, the cluster"
        if not rule.__doc__:
            yield f"the rule {rule.__name__} needs a docstring that says what it finds"
    for name, count in Counter(map(variant_name, rules)).items():
        if count > 1:
            yield f"the variant {name} is declared {count} times"
