"""The rules by which a finding explains others, and the relations between findings that rules refer to."""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from kubevitals.errors import BadCheck
from kubevitals.findings.finding import Finding, Severity

ANY = "*"
"""Stands for all checks among the roots of a rule, apart from its symptoms."""

_CHECK = re.compile(r"[a-z0-9-]+(?:\[[a-z0-9-]+\])?")


Keys = Callable[[Finding], Iterable[Hashable]]


@dataclass(frozen=True, slots=True)
class Relation:
    """What a root and its symptom have in common: at least one key.

    Attributes:
        strength: its place in the order of relations, from the most specific one. If several rules explain a finding,
            the one with the lowest strength counts.
    """

    strength: int
    of_root: Keys
    of_symptom: Keys


SAME_OBJECT = Relation(0, lambda f: [f.obj], lambda f: [f.obj])
"""Both are about the same object: a claim that is not bound cannot be mounted."""


CONCERNS = Relation(1, lambda f: f.concerns, lambda f: [f.obj])
"""The root concerns the object of the symptom: a claim, and the pods that wait for it."""


CONCERNED = Relation(1, lambda f: [f.obj], lambda f: f.concerns)
"""The symptom concerns the object of the root: a driver that is down, and its pod that crashes."""


BOTH_CONCERN = Relation(2, lambda f: f.concerns, lambda f: f.concerns)
"""Both concern the same object: a webhook, and the pods that are refused because its Service does not answer."""


SAME_MISSING = Relation(2, lambda f: f.missing, lambda f: f.missing)
"""The same object is missing for both: a Secret that two pods reference."""


SAME_OWNER = Relation(3, lambda f: [f.owner or f.obj], lambda f: [f.owner or f.obj])
"""Both are about objects of the same owner: two pods of a Deployment."""


SAME_NODE = Relation(4, lambda f: [f.node] if f.node else [], lambda f: [f.node] if f.node else [])
"""Both are on the same node: a node without CNI, and its pods without addresses."""


EVERYWHERE = Relation(5, lambda f: [] if f.node else [""], lambda _: [""])
"""The root is not on one node: cluster DNS, and the applications whose logs match the `words` of the rule."""


IN_WORKLOAD = Relation(
    1,
    lambda f: [f.owner or f.obj, f.obj] if f.severity is Severity.ERROR else [],
    lambda f: [*(ref for ref in f.concerns if ref.kind != "Node"), f.obj],
)
"""The root is an error on the workload of the symptom, on an object that the workload owns, or on one that the symptom
concerns: a pod, a claim. A node may have faults that its pods do not feel."""


BROKEN_PODS = (
    "config-mount",
    "ip-allocation",
    "liveness-probe[killed-by-probe]",
    "memory-limit[oom-killed]",
    "node-limits[inotify]",
    "readiness",
    "startup-error",
    "storage-full[no-space-in-log]",
)
"""Causes that keep a pod from running, or from being ready. With `CONCERNED` they explain why its service is down."""


@dataclass(frozen=True, slots=True)
class Explains:
    """A rule: findings of `roots` explain findings of `symptoms` that they have the relation `on` with.

    Attributes:
        roots: names of checks: ``cause[variant]``, or a cause for all its variants; `ANY` for all others.
        on: the relation.
        symptoms: names of checks, like `roots`.
        words: a regular expression in lower case that must match the sentence of the symptom or a line of its evidence,
            ignoring case; empty if there is no such condition.

    Raises:
        BadCheck: a field has an invalid value.
    """

    roots: tuple[str, ...]
    on: Relation
    symptoms: tuple[str, ...]
    words: str = ""

    def __post_init__(self) -> None:
        for name in ("roots", "symptoms"):
            given = getattr(self, name)
            allowed = {ANY} if name == "roots" else set()
            if isinstance(given, str) or not all(check in allowed or _CHECK.fullmatch(check) for check in given):
                raise BadCheck(f"Explains({name}={given!r:.80}): give a tuple of causes or cause[variant]")
        if not isinstance(self.on, Relation):
            raise BadCheck(f"Explains(on={self.on!r:.80}): give a relation, such as SAME_NODE")
        try:
            re.compile(self.words)
        except (re.error, TypeError) as error:
            raise BadCheck(f"Explains(words={self.words!r:.80}) is not a regular expression: {error}") from error

    def may_be_root(self, cause: str, check: str) -> bool:
        """Return whether findings of a check can be roots by this rule."""
        return (
            {cause, check}.isdisjoint(self.symptoms) if ANY in self.roots else not {cause, check}.isdisjoint(self.roots)
        )

    def accepts(self, finding: Finding) -> bool:
        """Return whether `words` matches the finding."""
        lines = (finding.says, *finding.evidence)
        return not self.words or any(re.search(self.words, line.lower()) for line in lines)


def declared(modules: Iterable[object]) -> list[Explains]:
    """Return the rules that modules declare: every `Explains` in a module-level variable, tuple or list."""
    values = [value for module in modules for value in vars(module).values()]
    lists = [value if isinstance(value, tuple | list) else (value,) for value in values]
    return [rule for rules in lists for rule in rules if isinstance(rule, Explains)]
