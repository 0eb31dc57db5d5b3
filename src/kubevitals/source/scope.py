"""The namespaces of a run."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, Unusable
from kubevitals.text import clean, near_name

LISTED = 20
"""Chosen namespaces that are listed one by one. With more, whole lists are requested and other namespaces dropped."""

SHOWN = 20
"""Namespaces that are named in the text of a scope."""

_PATTERN = re.compile(r"[a-z0-9*?\[\]!-]{1,63}")


class Scope:
    """The namespaces of a run: all, the chosen ones, or all except excluded ones, as names or patterns (``shop-*``).

    Attributes:
        within: the scope of the recording that is replayed: its lists are requested as they were recorded.
        namespaced_only: whether cluster-scoped objects, such as nodes, are skipped.
        incomplete: namespaces of which the source may have only some objects, such as a support bundle.
    """

    def __init__(
        self,
        chosen: Iterable[str] = (),
        excluded: Iterable[str] = (),
        within: "Scope | None" = None,
        *,
        namespaced_only: bool = False,
        incomplete: Iterable[str] = (),
    ) -> None:
        """Choose namespaces.

        Raises:
            Unusable: a name is not valid, or only namespaced objects are requested and no namespace is given by name.
        """
        self.chosen, self.excluded, self.within = tuple(chosen), tuple(excluded), within
        self.namespaced_only: bool = namespaced_only or (within is not None and within.namespaced_only)
        self.incomplete: frozenset[str] = frozenset(incomplete) | (within.incomplete if within else frozenset())
        self.covers = cache(self._covers)
        for pattern in (*self.chosen, *self.excluded):
            if not _PATTERN.fullmatch(pattern):
                raise Unusable(f"{clean(pattern, 80)!r} is neither a namespace's name nor a pattern such as shop-*")
        if namespaced_only and not (self.chosen and self.exact is not None):
            raise Unusable("--namespaced-only cannot list namespaces: give --namespace with names, not patterns")

    def _covers(self, namespace: str) -> bool:
        """Return whether a namespace is in the scope; cluster-scoped objects, without a namespace, always are."""
        if not namespace:
            return True
        if self.chosen and not _matches(namespace, self.chosen):
            return False
        return not _matches(namespace, self.excluded) and (self.within is None or self.within.covers(namespace))

    @property
    def listed(self) -> "Scope":
        """The scope with which lists are requested."""
        return self if self.within is None else self.within

    @property
    def is_all(self) -> bool:
        """Whether all namespaces are in the scope."""
        return not self.chosen and not self.excluded and (self.within is None or self.within.is_all)

    def wants(self, obj: Any) -> bool:
        """Return whether an object is in the scope; an event belongs to the namespace of its object."""
        about = obj.involvedObject if isinstance(obj, pb.Event) else obj.metadata
        return self.covers(about.namespace)

    def names(self, existing: Iterable[str]) -> list[str]:
        """Return the existing namespaces that are in the scope.

        Raises:
            Unusable: a chosen one does not exist, or all are excluded.
        """
        every = sorted(existing)
        for pattern in self.chosen:
            if not any(fnmatchcase(name, pattern) for name in every):
                near = near_name(pattern, every)
                raise Unusable(clean(f"--namespace {pattern}: the cluster has no such namespace{near}"))
        names = [name for name in every if self.covers(name)]
        if not names:
            raise Unusable("--namespace and --exclude-namespace leave no namespace to check")
        return names

    def unmatched(self, existing: Iterable[str]) -> list[str]:
        """Return a remark for every excluded name or pattern that matches no existing namespace."""
        every = sorted(existing)
        return [
            clean(f"--exclude-namespace {pattern}: the cluster has no such namespace{near_name(pattern, every)}")
            for pattern in self.excluded
            if not any(fnmatchcase(name, pattern) for name in every)
        ]

    @property
    def exact(self) -> list[str] | None:
        """The chosen namespaces, if none is given by a pattern."""
        if any(_is_pattern(name) for name in self.chosen):
            return None
        return [name for name in self.chosen if self.covers(name)]

    def selector(self, schema: type) -> str:
        """Return the field selector that excludes the namespaces that are excluded by name."""
        field = "involvedObject.namespace" if schema is pb.Event else "metadata.namespace"
        return ",".join(f"{field}!={name}" for name in sorted(set(self.excluded)) if not _is_pattern(name))

    def need(self, namespace: str) -> None:
        """Require a namespace.

        Raises:
            NotObserved: it is not in the scope.
        """
        if not self.covers(namespace):
            raise NotObserved(f"the namespace {namespace} is not in this run's scope", unasked=True)

    def need_all(self, what: str) -> None:
        """Require all namespaces.

        Raises:
            NotObserved: some are not in the scope.
        """
        if not self.is_all:
            raise NotObserved(f"{what}, and not all namespaces are in this run's scope", unasked=True)

    def __str__(self) -> str:
        more = f", … ({len(self.chosen)} namespaces)" if len(self.chosen) > SHOWN else ""
        parts = [f"{', '.join(self.chosen[:SHOWN])}{more}" if self.chosen else "all namespaces"]
        parts += [f"without {', '.join(self.excluded)}"] if self.excluded else []
        parts += ["no cluster-scoped objects"] if self.namespaced_only else []
        parts += [f"in a recording of {self.within}"] if self.within and not self.within.is_all else []
        return " ".join(parts)


def _matches(namespace: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[]!")
