"""Which finding explains which: rules are declared beside the causes, and joined here by what findings have in common.

A finding that a rule explains is a symptom; following its explanations leads to its root, a finding that nothing
explains. What a check declares are module-level `Explains`, whatever their names.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.findings.check_names import check_name
from kubevitals.findings.explains import Explains
from kubevitals.findings.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A finding as a run judged it: of which check, and whether it was expected."""

    cause: str
    variant: str
    finding: Finding
    known: KnownIssue | None = None

    @property
    def check(self) -> str:
        """The check's name, ``cause[variant]``."""
        return check_name(self.cause, self.variant)


def roots_of(cases: Sequence[Case], rules: Iterable[Explains]) -> dict[Case, Case]:
    """Return the root of every case; one that nothing explains is its own, and so is a root.

    Rules may contradict each other: of cases that explain one another in a circle one is the root.
    The effort grows with the number of cases, not with its square.
    """
    explained_by = _explanations(cases, rules)
    roots: dict[Case, Case] = {}
    for case in cases:
        way: dict[Case, None] = {}
        while case not in roots and case not in way:
            way[case] = None
            case = explained_by.get(case, case)
        root = roots.get(case, case)
        roots.update(dict.fromkeys(way, root))
    return roots


@dataclass(slots=True)
class _Indexed:
    """A rule with the cases that can be roots by it: the first of each key stands for all."""

    rule: Explains
    roots: dict[Hashable, Case] = field(default_factory=dict)

    def explain(self, case: Case) -> Case | None:
        found = (self.roots.get(key) for key in self.rule.on.of_symptom(case.finding))
        root = next((root for root in found if root and root is not case), None)
        return root if root and self.rule.accepts(case.finding) else None


def _explanations(cases: Sequence[Case], rules: Iterable[Explains]) -> Mapping[Case, Case]:
    indexed = [_Indexed(rule) for rule in sorted(rules, key=lambda rule: rule.on.strength)]
    by_root = _by_name(indexed, lambda rule: rule.roots)
    by_symptom = _by_name(indexed, lambda rule: rule.symptoms)
    for case in cases:
        for way in _of(by_root, case):
            for key in way.rule.on.of_root(case.finding):
                way.roots.setdefault(key, case)
    found = {}
    for case in cases:
        ways = sorted(_of(by_symptom, case), key=lambda way: way.rule.on.strength)
        if root := next(filter(None, (way.explain(case) for way in ways)), None):
            found[case] = root
    return found


def _by_name(
    indexed: Iterable[_Indexed], names: Callable[[Explains], Iterable[str]]
) -> Mapping[str, Sequence[_Indexed]]:
    by_name = defaultdict(list)
    for way in indexed:
        for name in names(way.rule):
            by_name[name].append(way)
    return by_name


def _of(by_name: Mapping[str, Sequence[_Indexed]], case: Case) -> list[_Indexed]:
    return [*by_name.get(case.cause, ()), *by_name.get(case.check, ())]
