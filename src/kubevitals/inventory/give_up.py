"""How long many of a kind are asked of whom none answers: each would take the whole time limit."""

from collections.abc import Callable

from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer, Request

SILENT = 8
"""How many are waited for in vain until no more are asked: as many as are asked at once."""


class Patience:
    """Gives up on all of a kind when the first few were waited for in vain."""

    def __init__(self, whom: str, limit: int = SILENT) -> None:
        self._limit, self._whom = limit, whom
        self._silent, self._answered, self._unasked = 0, False, False

    def ask(self, get: Callable[[Request], Answer], request: Request) -> Answer:
        """Return the answer.

        Raises:
            NotObserved: there is none, or so many before gave none that nobody is asked any more.
        """
        if self._silent >= self._limit and not self._answered:
            reason = f"{self._whom} are not asked any more: {self._silent} gave no answer, and none gave any"
            raise NotObserved(reason, unasked=self._unasked)
        try:
            answer = get(request)
        except NotObserved as error:
            self._silent, self._unasked = self._silent + 1, error.unasked
            raise
        self._answered = True
        return answer
