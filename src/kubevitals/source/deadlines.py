"""Total deadline per response: a read timeout alone never fires for a server that keeps sending a few bytes."""

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
"""Seconds, in addition to the read timeout, until the status line and headers must be complete."""


class Deadline:
    """Shuts a connection down when its time is over, which ends every read from it.

    Attributes:
        over: whether the time is over.
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
        sock = self.sock  # the connection forgets it when it is closed, perhaps while the time is running out
        with Deadline((self.timeout or 0) + HEAD_TIMEOUT, lambda: sock.shutdown(socket.SHUT_RDWR)) as deadline:
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
    return NotObserved("the response headers were not complete in time")


class _Https(_Http, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


def limit_heads(manager: urllib3.PoolManager) -> None:
    """Give each response of a pool manager a deadline for its headers. A SOCKS proxy's manager is left unchanged."""
    if manager.pool_classes_by_scheme is pool_classes_by_scheme:
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
