"""Which namespaces are looked at."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, Unusable
from kubevitals.text import clean, near_name

LISTED = 20
"""Chosen namespaces that are listed one by one; of more, whole lists are asked for, and what is not chosen dropped."""

_PATTERN = re.compile(r"[a-z0-9*?\[\]!-]{1,63}")


class Scope:
    """The namespaces that are looked at: all, those chosen, or all but those left out; names or patterns such as ``*``.

    Attributes:
        within: what a recording holds, where one is looked at: its lists are asked for as they were then.
        namespaced_only: whether nothing is asked for that has no namespace, such as nodes.
    """

    def __init__(
        self,
        chosen: Iterable[str] = (),
        left_out: Iterable[str] = (),
        within: "Scope | None" = None,
        *,
        namespaced_only: bool = False,
    ) -> None:
        """Choose namespaces.

        Raises:
            Unusable: no namespace can be called so, or all that is asked for has a namespace and none is named.
        """
        self.chosen, self.left_out, self.within = tuple(chosen), tuple(left_out), within
        self.namespaced_only: bool = namespaced_only or (within is not None and within.namespaced_only)
        self.covers = cache(self._covers)
        for pattern in (*self.chosen, *self.left_out):
            if not _PATTERN.fullmatch(pattern):
                raise Unusable(f"{clean(pattern, 80)!r} is no namespace's name and no pattern of one, such as shop-*")
        if namespaced_only and not (self.chosen and self.exact is not None):
            raise Unusable(
                "--namespaced-only cannot look for namespaces: give --namespace with their names, no patterns"
            )

    def _covers(self, namespace: str) -> bool:
        """Return whether a namespace is looked at; what has none always is."""
        if not namespace:
            return True
        if self.chosen and not _matches(namespace, self.chosen):
            return False
        return not _matches(namespace, self.left_out) and (self.within is None or self.within.covers(namespace))

    @property
    def listed(self) -> "Scope":
        """What lists are asked for."""
        return self if self.within is None else self.within

    @property
    def is_all(self) -> bool:
        """Whether all namespaces are looked at."""
        return not self.chosen and not self.left_out and (self.within is None or self.within.is_all)

    def wants(self, obj: Any) -> bool:
        """Return whether an object is looked at; an event is where what it is about is."""
        about = obj.involvedObject if isinstance(obj, pb.Event) else obj.metadata
        return self.covers(about.namespace)

    def names(self, existing: Iterable[str]) -> list[str]:
        """Return the chosen ones of the namespaces that exist.

        Raises:
            Unusable: something chosen does not exist, or everything chosen is left out.
        """
        every = sorted(existing)
        for pattern in self.chosen:
            if not any(fnmatchcase(name, pattern) for name in every):
                near = near_name(pattern, every)
                raise Unusable(clean(f"--namespace {pattern}: the cluster has no such namespace{near}"))
        found = [name for name in every if self.covers(name)]
        if not found:
            raise Unusable("--namespace and --exclude-namespace leave no namespace to look at")
        return found

    @property
    def exact(self) -> list[str] | None:
        """The chosen namespaces, where all are given by name."""
        if any(_is_pattern(name) for name in self.chosen):
            return None
        return [name for name in self.chosen if self.covers(name)]

    def selector(self, schema: type) -> str:
        """Return the field selector that leaves out what is left out by name."""
        field = "involvedObject.namespace" if schema is pb.Event else "metadata.namespace"
        return ",".join(f"{field}!={name}" for name in sorted(set(self.left_out)) if not _is_pattern(name))

    def need(self, namespace: str) -> None:
        """Refuse to judge without a namespace.

        Raises:
            NotObserved: it is not looked at.
        """
        if not self.covers(namespace):
            raise NotObserved(f"{namespace} is not among the namespaces that are looked at", unasked=True)

    def need_all(self, what: str) -> None:
        """Refuse to judge what takes all namespaces.

        Raises:
            NotObserved: not all are looked at.
        """
        if not self.is_all:
            raise NotObserved(f"{what}, and not all namespaces are looked at", unasked=True)

    def __str__(self) -> str:
        parts = [", ".join(self.chosen) or "all namespaces"]
        parts += [f"without {', '.join(self.left_out)}"] if self.left_out else []
        parts += ["and nothing that has none"] if self.namespaced_only else []
        parts += [f"of a recording of {self.within}"] if self.within and not self.within.is_all else []
        return " ".join(parts)


def _matches(namespace: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[]!")
