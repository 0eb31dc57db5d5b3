"""How much of a cluster a bundle holds: which namespaces, and in which of them objects may be missing."""

from collections.abc import Iterable
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.source.bundle.contents import Contents
from kubevitals.source.bundle.kinds import Kind
from kubevitals.source.bundle.layouts import ALL

EVERYWHERE = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
"""Namespaces that every cluster has, since Kubernetes 1.14. A tool that lists the pods of all of them, even where there
never are any, lists all namespaces; must-gather inspects some of them by name."""

_EXPLAINING = (pb.Event, pb.Lease)
"""Kinds of which no absent object is a fault."""


class Extent(NamedTuple):
    """How much of a cluster a bundle holds.

    Attributes:
        namespaces: the namespaces of which it holds something.
        is_all: whether these are all namespaces of the cluster.
        incomplete: the namespaces of which objects may be missing, of a kind that the bundle holds.
    """

    namespaces: frozenset[str]
    is_all: bool
    incomplete: frozenset[str]


def extent_of(contents: Contents, *, omits_empty: bool, is_cut: bool) -> Extent:
    """Return how much of a cluster a bundle holds.

    Args:
        contents: what was read of it.
        omits_empty: whether its tool writes no file for an empty list.
        is_cut: whether the rest of the bundle is missing.
    """
    namespaced = [kind for kind in contents.kinds if kind.namespaced and contents.has(kind)]
    names = frozenset(name for kind in namespaced for name in _names(contents, kind))
    pods = {name for kind in namespaced if kind.schema is pb.Pod for name in contents.completed(kind)}
    is_all = not is_cut and (ALL in pods or (names if omits_empty and pods else pods) >= EVERYWHERE)
    if is_all:
        names |= {node.metadata.name for node in _namespaces(contents)}
    lacking = names if is_cut else _lacking(contents, namespaced, names, omits_empty=omits_empty)
    return Extent(names, is_all, lacking)


def _lacking(contents: Contents, kinds: Iterable[Kind], names: frozenset[str], *, omits_empty: bool) -> frozenset[str]:
    """Return the namespaces of which the list of a kind is missing."""
    complete = [contents.completed(kind) for kind in kinds if kind.schema not in _EXPLAINING]
    partial = [listed for listed in complete if ALL not in listed and not (omits_empty and listed)]
    return frozenset().union(*(names - listed for listed in partial))


def _names(contents: Contents, kind: Kind) -> set[str]:
    return (contents.completed(kind) | contents.namespaces_of(kind)) - {ALL}


def _namespaces(contents: Contents) -> list[pb.Namespace]:
    return [obj for kind in contents.kinds if kind.schema is pb.Namespace for obj in contents.objects(kind)]
