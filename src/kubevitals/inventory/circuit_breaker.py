"""A circuit breaker: stop querying a group of endpoints once the first eight have given no answer."""

from collections.abc import Callable

from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer, Request

FAILURES = 8
"""Endpoints without an answer until no more are queried: as many as are queried at once."""


READ = 4096
"""Bytes of a refusal that are searched."""

UNREACHED = b"error trying to reach service"
"""What the API server's proxy answers where it reaches nothing (apimachinery pkg/util/proxy/transport.go)."""


class CircuitBreaker:
    """Stops querying a group of endpoints once the first few gave no answer: each would take the whole time limit."""

    def __init__(self, group: str, limit: int = FAILURES, *, of: int = 0) -> None:
        """Begin with a closed breaker.

        Args:
            group: what the endpoints are, in the plural.
            limit: how many may give no answer.
            of: how many endpoints there are, if an answer of the API server's proxy that it reaches none is no answer.
        """
        self._limit, self._group, self._of = limit, group, of
        self._failures, self._answered, self._unasked = 0, False, False

    def get(self, get: Callable[[Request], Answer], request: Request) -> Answer:
        """Return the answer.

        Raises:
            NotObserved: there is none, or the breaker is open.
        """
        if self._failures >= self._limit and not self._answered:
            left = f" of {self._of:,}" if self._of else ""
            reason = f"{self._group} are no longer queried: none of the first {self._failures}{left} answered"
            raise NotObserved(reason, unasked=self._unasked)
        try:
            answer = get(request)
        except NotObserved as error:
            self._failures, self._unasked = self._failures + 1, error.unasked
            raise
        if self._of and answer.status != 200 and UNREACHED in answer.body[:READ]:
            self._failures += 1
        else:
            self._answered = True
        return answer
