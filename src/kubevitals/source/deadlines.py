"""Total deadline per response: a read timeout alone never fires for a server that keeps sending a few bytes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
        with suppress(OSError, ValueError, RuntimeError):  # it is closed already, or given back to its pool
            self._shut()


class _Http(HTTPConnection):
    """A connection with a deadline for what comes before an answer: what a proxy says, and the headers."""

    def _tunnel(self) -> None:
        with self._in_time("the answer of the proxy was not complete in time"):
            super()._tunnel()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with self._in_time("the response headers were not complete in time"):
            return super().getresponse()

    @contextmanager
    def _in_time(self, reason: str) -> Iterator[None]:
        """Say why something failed, or came to its end too late, if that is because its time was over.

        Raises:
            NotObserved: the time was over.
        """
        with Deadline((self.timeout or 0) + HEAD_TIMEOUT, self._shut) as deadline:
            try:
                yield
            except Exception as error:
                if deadline.over:
                    raise NotObserved(reason) from error
                raise
        if deadline.over:
            raise NotObserved(reason)

    def _shut(self) -> None:
        if sock := self.sock:  # the connection has none before it is made, and forgets it when it is closed
            sock.shutdown(socket.SHUT_RDWR)


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
