"""Recordings: all answers of a run in one file, written while a cluster is checked and replayed without one."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from io import BufferedWriter, BytesIO
from pathlib import Path
from threading import Lock

import msgspec
from google.protobuf import proto
from google.protobuf.message import DecodeError, Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource, encode_resources
from kubevitals.encoding.protobuf import encode_list
from kubevitals.encoding.stream import varint
from kubevitals.errors import NotObserved, NotRecorded, Unusable
from kubevitals.probe.outcome import Ran
from kubevitals.probe.plan import ProbePlan
from kubevitals.redaction import redacting
from kubevitals.source.reduced import reduced
from kubevitals.source.request import Answer, Handshake, Kubelet, PlainHttp, Request, Source, answered
from kubevitals.source.scope import Scope
from kubevitals.text import clean
from kubevitals.version import __version__

FORMAT = 1
"""The format that is written. Newer ones are refused."""

SIZE_LIMIT = 1 << 30
"""Bytes of an unpacked recording; one of 30,000 pods has about a twentieth."""

EXCHANGES = 1_000_000
"""Answers in a recording. A run has two for each kubelet and a few hundred more."""

DEMOS = {name: Path(__file__).with_name(f"{name}.recording") for name in ("demo", "demo-all")}
"""The bundled recordings of real three-node kind clusters: an incident in a shop, and several dozen faults at once."""

PROBE, KUBELET, SECRET_NAMES = "--probe", "--kubelet", "--secret-names"
"""Options that let a run observe more; a recording lists those that its run did not use."""

_MAGIC = b"kubevitals recording\n"
_NO_ANSWER = 0
_BODY = varint(pb.Exchange.BODY_FIELD_NUMBER << 3 | 2)
_PROBE = Request("probe")


class Recording:
    """Forwards requests to another source and records the answers, redacted and reduced to what checks read.

    The run itself sees exactly what is recorded, so that a replay sees the same.
    """

    def __init__(self, source: Source, path: Path, scope: Scope | None = None, left_out: Iterable[str] = ()) -> None:
        """Start a recording beside `path`; it gets that name when it is complete.

        `left_out` are the options that would have let the run observe more.

        Raises:
            Unusable: the file cannot be written.
        """
        self._source, self._path, self._lock = source, path.resolve(), Lock()
        if path.exists() and not path.is_file():
            raise Unusable(f"the recording cannot be written to {path}: it is not a regular file")
        self.context, self.waits = source.context, source.waits
        try:
            handle, self._part = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._path.parent)
        except OSError as error:
            raise Unusable(f"the recording cannot be written to {path}: {error.strerror}") from error
        self._raw, self._is_closed = os.fdopen(handle, "wb"), False
        self._unwritten: OSError | None = None
        packed = gzip.GzipFile(fileobj=self._raw, filename="", mode="wb", compresslevel=3, mtime=0)
        self._file = BufferedWriter(packed, 1 << 20)
        self._file.write(_MAGIC)
        self._write_message(
            pb.RecordingHeader(
                format=FORMAT,
                kubevitals=__version__,
                context=clean(source.context),
                taken=source.now.timestamp(),
                namespaces=scope.chosen if scope else (),
                excludedNamespaces=scope.excluded if scope else (),
                namespacedOnly=scope is not None and scope.namespaced_only,
                leftOut=left_out,
                unredacted=not redacting(),
                incompleteNamespaces=scope.incomplete if scope else (),
                clock=source.clock,
            )
        )

    @property
    def now(self) -> datetime:
        """The source's time."""
        return self._source.now

    @property
    def clock(self) -> str:
        """What the user should know about the source's time."""
        return self._source.clock

    def get(self, request: Request) -> Answer:
        """Return the source's answer as it was recorded."""
        try:
            answer = reduced(request, self._source.get(request._replace(shared=False)))
        except NotObserved as error:
            self._write(request, Answer(_NO_ANSWER, error.reason.encode()), error)
            raise
        self._write(request, answer)
        return answer

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Return the result of the source's probe as it was recorded; the absence of a plan is not recorded."""
        try:
            ran = msgspec.json.decode(self._source.probe(plan), type=Ran)
        except NotObserved as error:
            if plan is not None:
                self._write(_PROBE, Answer(_NO_ANSWER, error.reason.encode()))
            raise
        body = msgspec.json.encode(ran.redacted())
        self._write(_PROBE, Answer(200, body))
        return body

    def _write(self, request: Request, answer: Answer, error: NotObserved | None = None) -> None:
        body = _body(request, answer)
        size = sum(map(len, body))
        exchange = pb.Exchange(
            request=request.key,
            status=answer.status,
            unasked=error is not None and error.unasked,
            date=answer.date,
            unrecorded=isinstance(error, NotRecorded),
        )
        head = exchange.SerializeToString() + _BODY + varint(size)
        with self._lock:
            if self._unwritten:
                return
            try:
                self._file.write(varint(len(head) + size) + head)
                self._file.writelines(body)
            except OSError as full:  # the run itself goes on
                self._unwritten = full

    def _write_message(self, message: Message) -> None:
        buffer = BytesIO()
        proto.serialize_length_prefixed(message, buffer)
        self._file.write(buffer.getvalue())

    def close(self) -> None:
        """Complete the recording and give the file its name; nothing happens if that was done before.

        Raises:
            OSError: it could not be written; what was there before is still there.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._complete()
        finally:
            Path(self._part).unlink(missing_ok=True)
            self._source.close()

    def _complete(self) -> None:
        with self._lock:
            for file in (self._file, self._raw):
                try:
                    file.close()
                except OSError as error:
                    self._unwritten = self._unwritten or error
        if self._unwritten:
            raise self._unwritten
        Path(self._part).replace(self._path)


def _body(request: Request, answer: Answer) -> list[bytes]:
    if not request.schema or answer.status != 200:
        return [answer.body]
    if issubclass(request.schema, Resource):
        return [encode_resources(*answer.page)]
    return encode_list(answer.page)


class Snapshot:
    """Replays a recording. What was not recorded is not observed."""

    def __init__(self, path: Path, later: timedelta = timedelta()) -> None:
        """Read a recording, to be replayed as if the duration `later` had passed since it was taken.

        Raises:
            Unusable: the file is not a recording, truncated, too large, or written by a newer kubevitals.
        """
        stream = BytesIO(_unpacked(path))
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise Unusable(f"{path} is not a kubevitals recording: give a file that --record wrote")
        try:
            self.header = _header(stream, path)
            self._answers = {exchange.request: exchange for exchange in _exchanges(stream)}
            taken = datetime.fromtimestamp(self.header.taken, UTC)
        except (DecodeError, EOFError, ValueError, OverflowError, OSError) as error:
            raise Unusable(f"{path} is damaged: {clean(str(error))}; record it again") from error
        self.context, self.waits = f"{clean(self.header.context)} (recording)", False
        self.clock = clean(self.header.clock)
        chosen, excluded = self.header.namespaces, self.header.excludedNamespaces
        self.scope = Scope(
            chosen,
            excluded,
            namespaced_only=self.header.namespacedOnly,
            incomplete=self.header.incompleteNamespaces,
        )
        try:
            self.now = taken + later
        except OverflowError as error:
            raise Unusable(
                f"{path} was taken on {taken:%Y-%m-%d}: {later.days} days later is beyond the calendar"
            ) from error

    @property
    def paths(self) -> list[str]:
        """The paths that the recorded run requested, with their queries."""
        return list(self._answers)

    def get(self, request: Request) -> Answer:
        """Return the recorded answer."""
        exchange = self._answers.get(request.key)
        if exchange is None:
            fields = "" if request.key == request.path else " with the fields that the check declares"
            raise self._missing(f"the recording has no answer to {request.path}{fields}", _option(request))
        if exchange.status == _NO_ANSWER:
            kind = NotRecorded if exchange.unrecorded else NotObserved
            raise kind(exchange.body.decode("utf-8", "replace"), unasked=exchange.unasked)
        return answered(request, exchange.status, [exchange.body], recorded=True)._replace(date=exchange.date)

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Return the recorded result of the probe."""
        del plan
        if _PROBE.path not in self._answers:
            raise self._missing("the recorded run had no probe", PROBE)
        return self.get(_PROBE).body

    def _missing(self, reason: str, option: str) -> NotObserved:
        """Return why an answer is missing: the recorded run may not have used the option that it needs."""
        if option in self.header.leftOut:
            return NotRecorded(f"{reason}: it was recorded without {option}", unasked=True)
        return NotRecorded(reason)

    def close(self) -> None:
        """Do nothing: the file is closed after reading."""


def _option(request: Request) -> str:
    """Return the option that a request needs, or an empty text."""
    if isinstance(request.target, Kubelet | PlainHttp) or (
        isinstance(request.target, Handshake) and request.target.node
    ):
        return KUBELET
    return SECRET_NAMES if request.schema is pb.Secret else ""


def _header(stream: BytesIO, path: Path) -> pb.RecordingHeader:
    header = proto.parse_length_prefixed(pb.RecordingHeader, stream)
    if header is None or header.format < 1:
        raise Unusable(f"{path} is truncated: record it again")
    if header.format > FORMAT:
        raise Unusable(
            f"{path} was written by kubevitals {clean(header.kubevitals)}: install that version or a newer one"
        )
    return header


def _exchanges(stream: BytesIO) -> Iterator[pb.Exchange]:
    for _ in range(EXCHANGES):
        exchange = proto.parse_length_prefixed(pb.Exchange, stream)
        if exchange is None:
            return
        if not exchange.request:
            raise DecodeError("an answer without a request")
        yield exchange
    raise DecodeError(f"more than {EXCHANGES:,} answers")


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(SIZE_LIMIT + 1)
    except EOFError as error:
        raise Unusable(f"{path} is truncated: record it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Unusable(f"{path} is not a kubevitals recording: give a file that --record wrote") from error
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > SIZE_LIMIT:
        raise Unusable(f"{path} unpacks to more than {SIZE_LIMIT:,} bytes: it cannot be a recording of a cluster")
    return content
