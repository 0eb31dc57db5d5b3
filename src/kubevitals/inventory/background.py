"""Threads that nothing waits for: what they do ends with the program, finished or not."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Background(Executor):
    """Calls functions in daemon threads. Python waits for those of a ThreadPoolExecutor before it exits."""

    def __init__(self, threads: int) -> None:
        self._more = threads
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Call the function as soon as a thread is free."""
        result: Future[T] = Future()
        self._calls.put((result, lambda: function(*arguments, **named)))
        if self._more:
            self._more -= 1
            Thread(target=self._work, name="kubevitals-background", daemon=True).start()
        return result

    def _work(self) -> None:
        while True:
            result, call = self._calls.get()
            try:
                result.set_result(call())
            except BaseException as error:
                result.set_exception(error)
