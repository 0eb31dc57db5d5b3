"""Reads responses as they arrive, within limits of size and time."""

import re
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

import urllib3

from kubevitals.errors import NotObserved
from kubevitals.source.deadlines import Deadline
from kubevitals.source.request import BODY_LIMIT, Answer, Request, answered

ANSWER_TIMEOUT = 300.0
"""Seconds until a response must be complete. The longest lists of an overloaded API server took 30."""

TEXT_LIMIT = 64 << 20
"""Bytes of any other response. A kubelet's figures for 500 pods have a few MiB."""

DATE_LENGTH = 40
"""Characters of a date in a header; RFC 9110 has 29."""

PIECE = 64 << 10
"""Bytes that are read at once. The API server sends pieces of 2 KiB, and each read takes time of its own."""

ERROR_LIMIT = 64 << 10
"""Bytes of a response that is no success; the rest is not read. A Status with all causes has a few KiB."""

PLAIN = Request("")


def received(response: urllib3.BaseHTTPResponse, request: Request = PLAIN) -> Answer:
    """Read a response as it arrives, and release its connection.

    Raises:
        NotObserved: it is too large, takes too long, or is not the list that was asked for.
    """
    with Deadline(ANSWER_TIMEOUT, response.shutdown) as deadline:
        body = _Body(response, request, deadline)
        try:
            answer = answered(request, response.status, body)
        except BaseException as error:
            response.close()
            if deadline.over:
                raise _incomplete() from error
            raise
    if body.is_cut:
        response.close()
    else:
        response.release_conn()
    return answer._replace(date=sent_at(response), size=body.size)


def sent_at(response: urllib3.BaseHTTPResponse) -> float:
    """Return when a response was sent, by its header Date, in seconds since 1970; 0 if it has none that is valid."""
    try:
        date = parsedate_to_datetime(response.headers.get("Date", "")[:DATE_LENGTH]).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return 0
    return max(date, 0)


def words(error: Exception) -> str:
    """Return why a request failed, without the prefixes that the HTTP libraries add."""
    return without_number(str(error.args[-1] if error.args else error).rpartition(": ")[2])


def without_number(error: str) -> str:
    """Return a system error's text without its number: ``[Errno 111] Connection refused``."""
    return re.sub(r"\[Errno -?\d+\] ", "", error)


class _Body:
    """The body of a response as it arrives.

    Attributes:
        size: the bytes that were read.
        is_cut: whether there are more, which are not needed.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse, request: Request, deadline: Deadline) -> None:
        self._response, self._deadline = response, deadline
        self.size, self.is_cut = 0, False
        self._enough = request.limit if 200 <= response.status < 300 else ERROR_LIMIT
        self._most = BODY_LIMIT if request.schema else TEXT_LIMIT

    def __iter__(self) -> Iterator[bytes]:
        while part := self._response.read(PIECE):
            if self._enough and self.size + len(part) > self._enough:
                self.is_cut = True
                part = part[: self._enough - self.size]
            self.size += len(part)
            yield part
            if self.is_cut:
                return
            if self.size > self._most:
                raise NotObserved(f"the answer is larger than {self._most:,} bytes")
        if self._deadline.over:
            raise _incomplete()


def _incomplete() -> NotObserved:
    return NotObserved(f"the answer was not complete after {ANSWER_TIMEOUT:g} s")
