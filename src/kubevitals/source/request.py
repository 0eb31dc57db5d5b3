"""What every source of data about a cluster answers: a cluster, a recording of one, or a recorder between."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message
from msgspec.json import Decoder

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource, decode_resources, fields_of
from kubevitals.encoding.protobuf import Page, decode_list, error_message
from kubevitals.errors import NotObserved
from kubevitals.probe.plan import ProbePlan

JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
NAMES_ONLY = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Server(NamedTuple):
    """Where something listens: its text is fit for a URL."""

    host: str
    port: int

    @classmethod
    def at(cls, host: str, port: int) -> "Server | None":
        """Return the server at an address, if there is one."""
        return cls(host, port) if host else None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


PROBE_HINT = "(--probe creates 2 pods a node for under a minute)"
"""What ends the reason of everything that is not observed for want of the probe."""


class Request(NamedTuple):
    """A GET on an API path.

    Attributes:
        path: the path with its query.
        schema: what each item of a list is.
        accept: the media type asked for.
        json: what is read of an answer that is JSON, made before it is used by several threads: making it is not safe.
        kubelet: the one to ask itself, where the path has the API server's proxy ask (``/api/v1/nodes/NAME/proxy/…``).
        open: who else to ask itself, likewise: it answers anybody in plain HTTP.
        lines: a regular expression of the lines that are read of an answer that is text.
        wanted: which items of a list are kept; all where nothing is given.
        proxied: whether the path has the API server's proxy ask somebody else, which takes more than a right to read.
    """

    path: str
    schema: type[Message] | type[Resource] | None = None
    accept: str = "*/*"
    json: Decoder[Any] | None = None
    kubelet: Server | None = None
    open: Server | None = None
    lines: str = ""
    wanted: Callable[[Any], bool] | None = None
    proxied: bool = False

    @property
    def behind(self) -> str:
        """What the API server's proxy would ask for: the path from there on; a node may be called proxy, too."""
        return f"/{self.path.rpartition('/proxy/')[2]}"

    @property
    def key(self) -> str:
        """What the answer is recorded under: of one path, answers hold only the fields that whoever asked reads."""
        if self.schema and issubclass(self.schema, Resource):
            return f"{self.path}#{fields_of(self.schema)}"
        return self.path


class Answer(NamedTuple):
    """An HTTP status and what came with it: the items of a list that was asked for, or else a body."""

    status: int
    body: bytes = b""
    page: Page = Page(pb.ListMeta(), ())

    def expect(self, right: str, *also: int) -> "Answer":
        """Return the answer, if its status is 200 or one of these.

        Raises:
            NotObserved: it is another one, and this right may be missing.
        """
        if self.status not in (200, *also):
            raise refusal(self, right)
        return self


def refusal(answer: Answer, right: str) -> NotObserved:
    """Return what an answer that is none means, and which right would change it."""
    words = error_message(answer.body)
    if answer.status == 401:
        return NotObserved("the API server refuses the credentials (401): they are wrong or have expired; log in again")
    if answer.status == 403:
        return NotObserved(words if "forbidden" in words else f"forbidden: {words}", right)
    return NotObserved(f"{right} answers HTTP {answer.status}: {words}")


def answered(request: Request, status: int, chunks: Iterable[bytes]) -> Answer:
    """Return an answer, read as it arrives: of a list only the items are held, reduced to what checks read.

    Raises:
        NotObserved: it should be a list, and is none.
    """
    if request.schema and status == 200:
        return Answer(status, page=_page(request.schema, chunks, request.wanted))
    return Answer(status, b"".join(chunks))


def _page(
    schema: type[Message] | type[Resource], chunks: Iterable[bytes], wanted: Callable[[Any], bool] | None
) -> Page:
    if issubclass(schema, Resource):
        return Page(*decode_resources(b"".join(chunks), schema, wanted))
    return Page(*decode_list(chunks, schema, wanted))


class Source(Protocol):
    """Answers requests about one cluster.

    Attributes:
        context: what the cluster is called, for people.
    """

    context: str

    @property
    def now(self) -> datetime:
        """The time from which all ages are counted: the API server's, or a recording's."""

    def get(self, request: Request) -> Answer:
        """Return the cluster's answer, refusals included.

        Raises:
            NotObserved: there was no answer.
        """

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Return what the probe tells, as JSON of `kubevitals.probe.outcome.Ran`; a cluster has it run by the plan.

        Raises:
            NotObserved: there is no plan and nothing recorded, or the probe could not be run.
        """

    def close(self) -> None:
        """Let go of connections and files; what was recorded so far becomes a complete recording."""
