"""A circuit breaker: stop querying a group of endpoints that give no answer, and stop waiting for them."""

from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

from kubevitals.encoding.protobuf import error_message
from kubevitals.errors import NotObserved
from kubevitals.inventory.background import Background
from kubevitals.source.request import Answer, Request

FAILURES = 8
"""Endpoints without an answer until no more are queried: as many as are queried at once."""


READ = 4096
"""Bytes of a refusal that are searched."""

UNREACHED = (b"error trying to reach service", b"no preferred addresses found")
"""What the API server's proxy answers where it reaches nothing (apimachinery pkg/util/proxy/transport.go), and for a
node that has no address (kubernetes pkg/util/node)."""

REFUSED = b"connection refused"
"""What follows where a machine answers, but nothing listens on the port."""


class NoLongerQueried(NotObserved):
    """An endpoint was not queried, or its answer not waited for, since others of its group did not answer."""


class CircuitBreaker:
    """Stops querying a group of endpoints once the first few gave no answer: each would take the whole time limit.

    Attributes:
        threads: where the endpoints of the group are queried; those of other groups do not wait for silent ones.
    """

    def __init__(
        self,
        group: str,
        limit: int = FAILURES,
        *,
        of: int = 0,
        must_listen: bool = False,
        patience: float | None = None,
    ) -> None:
        """Begin with a closed breaker.

        Args:
            group: what the endpoints are, in the plural.
            limit: how many may give no answer.
            of: how many endpoints there are, if that is known.
            must_listen: whether a refused connection is no answer. It is one where a port may be another than usual.
            patience: seconds without any answer until none is waited for; without it, each has its whole time limit.
        """
        self.threads = Background(FAILURES)
        self._limit, self._group, self._of, self._must_listen = limit, group, of, must_listen
        self._failures, self._answered, self._unasked, self._why = 0, False, False, ""
        self._patience, self._gave_up, self._moved = patience, False, monotonic()

    def get(self, get: Callable[[Request], Answer], request: Request) -> Answer:
        """Return the answer.

        Raises:
            NoLongerQueried: the breaker is open.
            NotObserved: there is no answer.
        """
        self._refuse()
        self._moved = monotonic()
        try:
            return self._get(get, request)
        finally:
            self._moved = monotonic()

    def wait(self, answer: Future[Answer]) -> Answer:
        """Return an answer that arrives while the group is patient: while its requests begin or end.

        Raises:
            NoLongerQueried: the breaker is open, or opens since nothing has arrived for too long.
            NotObserved: there is no answer.
        """
        while True:
            try:
                return answer.result(self._left)
            except TimeoutError:
                self._gave_up = self._gave_up or not self._left
                if self._gave_up:
                    self._refuse()

    @property
    def _left(self) -> float | None:
        if self._patience is None:
            return None
        return 0 if self._gave_up else max(self._moved + self._patience - monotonic(), 0)

    def _refuse(self) -> None:
        if self._gave_up:
            raise NoLongerQueried(
                f"{self._group} are no longer queried: for {self._patience:.3g} s none has answered "
                f"(--threshold nodes.patience=N waits longer)"
            )
        if self._failures >= self._limit and not self._answered:
            left = f" of {self._of:,}" if self._of else ""
            reason = f"{self._group} are no longer queried: none of the first {self._limit}{left} answered: {self._why}"
            raise NoLongerQueried(reason, unasked=self._unasked)

    def _get(self, get: Callable[[Request], Answer], request: Request) -> Answer:
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
        unreached = answer.status != 200 and any(text in words for text in UNREACHED)
        return unreached and (self._must_listen or REFUSED not in words)


class StartedRequest:
    """A request that was started, and the circuit breaker of its group."""

    def __init__(self, answer: Future[Answer], breaker: CircuitBreaker | None = None) -> None:
        self._answer, self._breaker = answer, breaker

    def result(self) -> Answer:
        """Return the answer once it has arrived.

        Raises:
            NotObserved: there is none, or it is not waited for.
        """
        return self._breaker.wait(self._answer) if self._breaker else self._answer.result()
