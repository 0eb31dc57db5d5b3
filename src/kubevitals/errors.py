"""Exceptions: why a check cannot judge, or why a run cannot start."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest

from kubevitals.text import clean

T = TypeVar("T")

EXIT_NOT_OBSERVED = 10
"""The exit code of a run that found nothing broken, but could not look, or not where it was asked to."""


class NotObserved(Exception):
    """Something that a check needs could not be observed, so the check is neither healthy nor broken.

    Attributes:
        reason: why, in one line.
        right: the missing RBAC right (``list pods``), or an empty text.
        unasked: whether the options of this run exclude it, or no option would show it.
        asked: whether an option of this run asks for just this: a probe that cannot start, a DaemonSet that is absent.
    """

    def __init__(self, reason: str, right: str = "", *, unasked: bool = False, asked: bool = False) -> None:
        super().__init__(reason, right)
        self.reason = clean(reason)
        self.right = clean(right)
        self.unasked = unasked
        self.asked = asked

    def __str__(self) -> str:
        return f"{self.reason} (missing right: {self.right})" if self.right else self.reason


class ProbeWaits(Exception):
    """A check needs the probe, which must not start yet: the check is run again later."""


class NotRecorded(NotObserved):
    """A recording has no answer to a request: nothing is known, not even whether the cluster would have answered."""


def main_reason(*reasons: NotObserved) -> NotObserved:
    """Return, if several ways to observe something failed, the first that the run's options include, or the last."""
    return next((reason for reason in reasons if not reason.unasked), reasons[-1])


@dataclass(frozen=True)
class Observed(Generic[T]):
    """What could be observed of several items.

    Attributes:
        items: the observed ones.
        unseen: why some are missing, or nothing if all were observed.
    """

    items: list[T]
    unseen: NotObserved | None


def observed(items: Iterable[T]) -> Observed[T]:
    """Collect items until the end, or until one raises NotObserved."""
    collected: list[T] = []
    try:
        for item in items:
            collected.append(item)  # noqa: PERF402 - those before the exception are kept
    except NotObserved as error:
        return Observed(collected, error)
    return Observed(collected, None)


class Unusable(Exception):
    """The user's input cannot be used; the message says in one line what is wrong and what to do."""


class NotApplicable(Exception):
    """By design, the check does not apply to this cluster; the message says why."""


class BadCheck(pytest.Collector.CollectError):
    """The declaration of a check is invalid. pytest shows the message, which says in one line how to fix it."""
