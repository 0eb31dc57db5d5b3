"""Ends answers that trickle in: a limit to each silence is none to one that says a little again and again."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from types import TracebackType

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.poolmanager import pool_classes_by_scheme

from kubevitals.errors import NotObserved

HEAD_TIMEOUT = 60.0
"""Seconds, beyond the longest silence, until an answer whose head is not complete is given up."""


class Deadline:
    """Shuts what is read from once its time is over, so that whoever waits there waits no more.

    Attributes:
        over: whether it did.
    """

    def __init__(self, seconds: float, shut: Callable[[], None]) -> None:
        self.over = False
        self._shut = shut
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.over = True
        with suppress(OSError, ValueError):  # it is closed already
            self._shut()


class _Http(HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with Deadline((self.timeout or 0) + HEAD_TIMEOUT, lambda: self.sock.shutdown(socket.SHUT_RDWR)) as deadline:
            try:
                response = super().getresponse()
            except Exception as error:
                if deadline.over:
                    raise _incomplete() from error
                raise
        if deadline.over:
            raise _incomplete()
        return response


def _incomplete() -> NotObserved:
    return NotObserved("the head of the answer was not complete in time")


class _Https(_Http, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


def bound(manager: urllib3.PoolManager) -> None:
    """Have a manager's connections give up heads of answers that trickle in; those through SOCKS are left alone."""
    if manager.pool_classes_by_scheme is pool_classes_by_scheme:
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
