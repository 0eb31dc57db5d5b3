"""A circuit breaker: stop querying a group of endpoints once the first eight have given no answer."""

from collections.abc import Callable

from kubevitals.encoding.protobuf import error_message
from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer, Request

FAILURES = 8
"""Endpoints without an answer until no more are queried: as many as are queried at once."""


READ = 4096
"""Bytes of a refusal that are searched."""

UNREACHED = b"error trying to reach service"
"""What the API server's proxy answers where it reaches nothing (apimachinery pkg/util/proxy/transport.go)."""

REFUSED = b"connection refused"
"""What follows where a machine answers, but nothing listens on the port."""


class NoLongerQueried(NotObserved):
    """An endpoint was not queried, since none of the first ones of its group answered."""


class CircuitBreaker:
    """Stops querying a group of endpoints once the first few gave no answer: each would take the whole time limit."""

    def __init__(self, group: str, limit: int = FAILURES, *, of: int = 0, must_listen: bool = False) -> None:
        """Begin with a closed breaker.

        Args:
            group: what the endpoints are, in the plural.
            limit: how many may give no answer.
            of: how many endpoints there are, if that is known.
            must_listen: whether a refused connection is no answer. It is one where a port may be another than usual.
        """
        self._limit, self._group, self._of, self._must_listen = limit, group, of, must_listen
        self._failures, self._answered, self._unasked, self._why = 0, False, False, ""

    def get(self, get: Callable[[Request], Answer], request: Request) -> Answer:
        """Return the answer.

        Raises:
            NoLongerQueried: the breaker is open.
            NotObserved: there is no answer.
        """
        if self._failures >= self._limit and not self._answered:
            left = f" of {self._of:,}" if self._of else ""
            reason = f"{self._group} are no longer queried: none of the first {self._limit}{left} answered: {self._why}"
            raise NoLongerQueried(reason, unasked=self._unasked)
        try:
            answer = get(request)
        except NotObserved as error:
            self._failures, self._unasked, self._why = self._failures + 1, error.unasked, error.reason
            raise
        if self._is_silence(answer):
            self._failures, self._why = self._failures + 1, error_message(answer.body)
        else:
            self._answered = True
        return answer

    def _is_silence(self, answer: Answer) -> bool:
        """Return whether the API server's proxy says that it reached no endpoint."""
        words = answer.body[:READ]
        return answer.status != 200 and UNREACHED in words and (self._must_listen or REFUSED not in words)
