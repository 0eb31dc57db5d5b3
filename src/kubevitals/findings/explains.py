"""Which finding explains which: relations, and the rules that are declared beside the causes."""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from kubevitals.errors import BadCheck
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


def declared(modules: Iterable[object]) -> list[Explains]:
    """Return the rules that modules declare: each `Explains` by itself or in a tuple or list, whatever its name."""
    values = [value for module in modules for value in vars(module).values()]
    each = [value if isinstance(value, tuple | list) else (value,) for value in values]
    return [rule for some in each for rule in some if isinstance(rule, Explains)]
