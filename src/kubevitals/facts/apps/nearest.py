"""Which workload a selector that matches nothing was probably meant for, and by which label they differ."""

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

from kubevitals.facts.apps.selectors import Workload

COMPARED = 200
"""Workloads of a namespace that a selector is compared with."""

ALIKE = 0.75
"""How alike two texts are that differ by a slip of the pen, as difflib measures it."""


class Near(NamedTuple):
    """The workload that a selector was probably meant for.

    Attributes:
        has: what its pods have in place of the selector's label: ``app=web``, or ``no label tier``.
    """

    workload: Workload
    has: str


def nearest(name: str, selector: Mapping[str, str], workloads: list[Workload]) -> Near | None:
    """Return the workload that a Service of this name was probably meant for, if one looks like it.

    It differs in one label: by a slip in its value or its key, or because its pods do not have it and have the others.
    Or it has the name of the Service.
    """
    near = (found for workload in islice(workloads, COMPARED) if (found := _near(name, selector, workload)))
    return min(near, key=lambda found: found.workload.obj.name != name, default=None)


def _near(name: str, selector: Mapping[str, str], workload: Workload) -> Near | None:
    labels = workload.labels
    differing = [key for key, value in selector.items() if labels.get(key) != value]
    if len(differing) == 1 and (has := _slip(differing[0], selector, labels)):
        return Near(workload, has)
    if workload.obj.name == name and differing:
        return Near(workload, ", ".join(_has(key, labels) for key in sorted(differing)))
    return None


def _slip(key: str, selector: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Return what the workload has instead of the only label that differs, if that looks like a mistake."""
    if key in labels:
        return _has(key, labels) if is_slip(selector[key], labels[key]) else ""
    for other, value in labels.items():
        if value == selector[key] and is_slip(key, other):
            return _has(other, labels)
    return _has(key, labels) if len(selector) > 1 else ""


def _has(key: str, labels: Mapping[str, str]) -> str:
    return f"{key}={labels[key]}" if key in labels else f"no label {key}"


_DIGITS = re.compile(r"\d+")


def is_slip(one: str, other: str) -> bool:
    """Return whether two texts differ as a mistyped one does from the right one; versions differ on purpose."""
    if _DIGITS.sub("", one) == _DIGITS.sub("", other):
        return False
    if len(one) == len(other) and (sorted(one) == sorted(other) or sum(map(str.__ne__, one, other)) == 1):
        return True
    return SequenceMatcher(None, one, other).ratio() >= ALIKE
