"""Finds the root of every finding, by the rules that checks declare (`Explains`).

A finding that another one explains is a symptom. The explanations of a symptom lead to its root: a finding that nothing
explains.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.findings.check_names import check_name
from kubevitals.findings.explains import ANY, Explains
from kubevitals.findings.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A finding with its check and, if it was expected, the known issue."""

    cause: str
    variant: str
    finding: Finding
    known: KnownIssue | None = None

    @property
    def check(self) -> str:
        """The check's name, ``cause[variant]``."""
        return check_name(self.cause, self.variant)


class Explained(NamedTuple):
    """What explains each case.

    Attributes:
        roots: the root of every case; a case that nothing explains is its own root.
        causes: what explains a symptom directly. Causes lead to the root, in no circle.
    """

    roots: Mapping[Case, Case]
    causes: Mapping[Case, Case]


def explain(cases: Sequence[Case], rules: Iterable[Explains]) -> Explained:
    """Return the root and the direct cause of every case.

    If cases explain each other in a circle, one of them is the root. The time is linear in the number of cases.
    """
    explained_by = _explanations(cases, rules)
    roots = _roots(cases, explained_by)
    return Explained(roots, {case: cause for case, cause in explained_by.items() if roots[case] is not case})


def roots_of(cases: Sequence[Case], rules: Iterable[Explains]) -> Mapping[Case, Case]:
    """Return the root of every case, as `explain` does."""
    return explain(cases, rules).roots


def _roots(cases: Sequence[Case], explained_by: Mapping[Case, Case]) -> dict[Case, Case]:
    roots: dict[Case, Case] = {}
    for case in cases:
        current, passed = case, dict[Case, None]()
        while current not in roots and current not in passed:
            passed[current] = None
            current = explained_by.get(current, current)
        roots.update(dict.fromkeys(passed, roots.get(current, current)))
    return roots


@dataclass(slots=True)
class _Indexed:
    """A rule with the cases that it can make roots: the first one for each key."""

    rule: Explains
    roots: dict[Hashable, Case] = field(default_factory=dict)

    def explain(self, case: Case) -> Case | None:
        candidates = (self.roots.get(key) for key in self.rule.on.of_symptom(case.finding))
        root = next((root for root in candidates if root and root is not case), None)
        return root if root and self.rule.accepts(case.finding) else None


def _explanations(cases: Sequence[Case], rules: Iterable[Explains]) -> Mapping[Case, Case]:
    indexed = [_Indexed(rule) for rule in sorted(rules, key=lambda rule: rule.on.strength)]
    by_root = _by_name(indexed, lambda rule: rule.roots)
    by_symptom = _by_name(indexed, lambda rule: rule.symptoms)
    for case in cases:
        for index in filter(lambda index: index.rule.may_be_root(case.cause, case.check), _of(by_root, case)):
            for key in index.rule.on.of_root(case.finding):
                index.roots.setdefault(key, case)
    explained_by = {}
    for case in cases:
        candidates = sorted(_of(by_symptom, case), key=lambda index: index.rule.on.strength)
        if root := next(filter(None, (index.explain(case) for index in candidates)), None):
            explained_by[case] = root
    return explained_by


def _by_name(
    indexed: Iterable[_Indexed], names: Callable[[Explains], Iterable[str]]
) -> Mapping[str, Sequence[_Indexed]]:
    by_name = defaultdict(list)
    for index in indexed:
        for name in names(index.rule):
            by_name[name].append(index)
    return by_name


def _of(by_name: Mapping[str, Sequence[_Indexed]], case: Case) -> list[_Indexed]:
    return [*by_name.get(case.cause, ()), *by_name.get(case.check, ()), *by_name.get(ANY, ())]
