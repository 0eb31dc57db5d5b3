"""What can keep a check from judging, or a run from beginning."""

from collections.abc import Iterator
from typing import TypeVar

import pytest

from kubevitals.text import clean

T = TypeVar("T")


class NotObserved(Exception):
    """Something a check needs could not be seen; the check is neither healthy nor broken.

    Attributes:
        reason: why, in one line.
        right: the right that is missing (``list pods``), or nothing.
        unasked: whether it was left out on purpose: the options of the run do not ask for it.
    """

    def __init__(self, reason: str, right: str = "", *, unasked: bool = False) -> None:
        super().__init__(reason, right)
        self.reason = clean(reason)
        self.right = clean(right)
        self.unasked = unasked

    def __str__(self) -> str:
        return f"{self.reason} (missing right: {self.right})" if self.right else self.reason


def demanded(*reasons: NotObserved) -> NotObserved:
    """Return, of several ways that were all in vain, the first that the run's options ask for, or else the last."""
    return next((reason for reason in reasons if not reason.unasked), reasons[-1])


def until_unseen(items: Iterator[T], unseen: list[NotObserved]) -> Iterator[T]:
    """Yield the items, and note why no more could be seen."""
    try:
        yield from items
    except NotObserved as error:
        unseen.append(error)


class Unusable(Exception):
    """The user's input cannot be used; the message says in one line what is wrong and what to do."""


class NotApplicable(Exception):
    """The check does not apply to this cluster by its design; the message says why."""


class BadCheck(pytest.Collector.CollectError):
    """A check is written wrongly; the message says in one line how to mend it, which pytest shows as it is."""
