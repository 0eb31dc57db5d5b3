"""A circuit breaker: stop querying a group of endpoints once the first eight have given no answer."""

from collections.abc import Callable

from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer, Request

FAILURES = 8
"""Endpoints without an answer until no more are queried: as many as are queried at once."""


class CircuitBreaker:
    """Stops querying a group of endpoints once the first few gave no answer: each would take the whole time limit."""

    def __init__(self, group: str, limit: int = FAILURES) -> None:
        self._limit, self._group = limit, group
        self._failures, self._answered, self._unasked = 0, False, False

    def get(self, get: Callable[[Request], Answer], request: Request) -> Answer:
        """Return the answer.

        Raises:
            NotObserved: there is none, or the breaker is open.
        """
        if self._failures >= self._limit and not self._answered:
            reason = f"{self._group} are no longer queried: none of the first {self._failures} answered"
            raise NotObserved(reason, unasked=self._unasked)
        try:
            answer = get(request)
        except NotObserved as error:
            self._failures, self._unasked = self._failures + 1, error.unasked
            raise
        self._answered = True
        return answer
