"""Which finding explains which: rules are declared beside the causes, and joined here by what findings have in common.

A finding that a rule explains is a symptom; following its explanations leads to its root, a finding that nothing
explains. What a check declares are module-level `Explains`, whatever their names.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.errors import BadCheck
from kubevitals.findings.check_names import check_name
from kubevitals.findings.finding import Finding

_CHECK = re.compile(r"[a-z0-9-]+(?:\[[a-z0-9-]+\])?")

Keys = Callable[[Finding], Iterable[Hashable]]


@dataclass(frozen=True, slots=True)
class Relation:
    """What a finding has in common with what it explains: any key of the one that is a key of the other.

    Attributes:
        strength: which explanation counts where there are several: the lowest, which is the most specific one.
    """

    strength: int
    of_root: Keys
    of_symptom: Keys


SAME_OBJECT = Relation(0, lambda f: [f.obj], lambda f: [f.obj])
"""Both are about one object: a claim that is not bound cannot be mounted either."""
CONCERNS = Relation(1, lambda f: f.concerns, lambda f: [f.obj])
"""The root concerns the symptom's object: a claim, and the pods that wait for it."""
CONCERNED = Relation(1, lambda f: [f.obj], lambda f: f.concerns)
"""The symptom concerns the root's object: a driver that is down, and its pod that crashes."""
SAME_MISSING = Relation(2, lambda f: f.missing, lambda f: f.missing)
"""Both miss the same object."""
SAME_OWNER = Relation(3, lambda f: [f.owner or f.obj], lambda f: [f.owner or f.obj])
"""Both are about one owner's objects."""
SAME_NODE = Relation(4, lambda f: [f.node] if f.node else [], lambda f: [f.node] if f.node else [])
"""Both show on one node."""
EVERYWHERE = Relation(5, lambda f: [] if f.node else [""], lambda _: [""])
"""The root shows on no single node: it is felt everywhere, as a Service on which all depend. `words` tell by whom."""

BROKEN_PODS = (
    "config-mount",
    "ip-allocation",
    "liveness-probe[killed-by-probe]",
    "memory-limit[oom-killed]",
    "startup-error",
    "storage-full[no-space-in-log]",
)
"""What keeps a pod from running: it explains what the pod was to do for others, if that `CONCERNED` it."""


@dataclass(frozen=True, slots=True)
class Explains:
    """A rule: where the root is found, it explains these symptoms, if they are so related.

    Attributes:
        roots: ``cause[variant]``, or a cause for all its variants.
        on: what they must have in common.
        symptoms: likewise, what is explained.
        words: a pattern in lower case that the symptom must say or have in its evidence, in any case, or nothing.
    """

    roots: tuple[str, ...]
    on: Relation
    symptoms: tuple[str, ...]
    words: str = ""

    def __post_init__(self) -> None:
        for name in ("roots", "symptoms"):
            given = getattr(self, name)
            if isinstance(given, str) or not all(_CHECK.fullmatch(each) for each in given):
                raise BadCheck(f"Explains({name}={given!r:.80}): give a tuple of causes or cause[variant]")
        if not isinstance(self.on, Relation):
            raise BadCheck(f"Explains(on={self.on!r:.80}): give a relation, such as SAME_NODE")
        try:
            re.compile(self.words)
        except (re.error, TypeError) as error:
            raise BadCheck(f"Explains(words={self.words!r:.80}) is no pattern: {error}") from error

    def accepts(self, finding: Finding) -> bool:
        """Return whether the finding has the words that tell the symptom."""
        lines = (finding.says, *finding.evidence)
        return not self.words or any(re.search(self.words, line.lower()) for line in lines)


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


def declared(modules: Iterable[object]) -> list[Explains]:
    """Return the rules that modules declare: each `Explains` by itself or in a tuple or list, whatever its name."""
    values = [value for module in modules for value in vars(module).values()]
    each = [value if isinstance(value, tuple | list) else (value,) for value in values]
    return [rule for some in each for rule in some if isinstance(rule, Explains)]


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
