"""The interface of every source: the live cluster, a recording, and the recorder that wraps a source."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message
from msgspec.json import Decoder

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource, decode_resources, fields_of
from kubevitals.encoding.json_list import decode_json_list
from kubevitals.encoding.list_type import ListType
from kubevitals.encoding.protobuf import Page, decode_list, error_message
from kubevitals.errors import NotObserved
from kubevitals.probe.plan import ProbePlan

JSON = "application/json"
_ONLY_PROTOBUF = "application/vnd.kubernetes.protobuf"
PROTOBUF = f"{_ONLY_PROTOBUF},{JSON};q=0.9"
"""JSON is for servers that have no protobuf: gateways, and what serves a dump as an API."""

NAMES_ONLY = f"{_ONLY_PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Never JSON: a server that knows no PartialObjectMetadataList would send the contents of Secrets."""


PROBE_HINT = "--probe creates 2 pods per node for less than a minute"
"""What the user needs to know before giving ``--probe``."""


IN_CLUSTER = "in-cluster"
"""The name of a cluster whose own pod runs the checks."""


class Server(NamedTuple):
    """A host and a port. Its text fits into a URL, also for an IPv6 address."""

    host: str
    port: int

    @classmethod
    def at(cls, host: str, port: int) -> "Server | None":
        """Return the server at an address, or nothing if the address is empty."""
        return cls(host, port) if host else None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


ApiPath = str
"""A path that the API server answers itself, with its query."""


class Kubelet(NamedTuple):
    """An endpoint of a kubelet, reached over HTTPS with the user's credentials or through the API server's proxy.

    Attributes:
        node: the API path of its node.
        endpoint: the path on the kubelet, without a leading slash.
        server: where the kubelet listens; nothing if its node reports no internal address.
    """

    node: ApiPath
    endpoint: str
    server: Server | None = None

    @property
    def path(self) -> ApiPath:
        """The path through the API server's proxy."""
        return f"{self.node}/proxy/{self.endpoint}"


class PlainHttp(NamedTuple):
    """A port of a pod or node that answers everybody in plain HTTP, reached directly or through the API server's proxy.

    Attributes:
        of: the API path of the pod or node.
        port: the port, which CoreDNS uses for metrics, for example.
        endpoint: the path on that port, without a leading slash.
        host: the address of the pod or node; if it is empty, only the proxy can reach the port.
    """

    of: ApiPath
    port: int
    endpoint: str
    host: str = ""

    @property
    def path(self) -> ApiPath:
        """The path through the API server's proxy."""
        return f"{self.of}:{self.port}/proxy/{self.endpoint}"

    @property
    def server(self) -> Server | None:
        """Where the port is reached directly."""
        return Server.at(self.host, self.port)


class Handshake(NamedTuple):
    """The certificate that a server shows in a TLS handshake, as `kubevitals.source.certificates.Certificate` in JSON.

    Attributes:
        node: the API path of the node whose kubelet is the server; empty if the API server is.
        server: where the kubelet listens; nothing if its node reports no internal address.
    """

    node: ApiPath = ""
    server: Server | None = None

    @property
    def path(self) -> ApiPath:
        """The name of the answer in a recording: the API server has no such path."""
        return f"{self.node}/certificate"


class Request(NamedTuple):
    """A GET request.

    Attributes:
        target: what answers it.
        schema: the type of each item, if the answer is a list.
        accept: the media type to ask for.
        json: what is read of a JSON answer. Create it before several threads use it: creating it is not thread-safe.
        lines: a regular expression for the lines that are read of a text answer.
        wanted: which items of a list are kept; all if it is not given.
        limit: how many bytes are read of an answer that is no list; of a longer one, these are the answer.
        shared: whether pods may share what they have in common (`kubevitals.encoding.shared_pods`), which nothing can
            encode again.
    """

    target: ApiPath | Kubelet | PlainHttp | Handshake
    schema: type[Message] | type[Resource] | None = None
    accept: str = "*/*"
    json: Decoder[Any] | None = None
    lines: str = ""
    wanted: Callable[[Any], bool] | None = None
    limit: int = 0
    shared: bool = False

    @property
    def path(self) -> ApiPath:
        """The path that the API server is asked for, unless the target is reached directly."""
        return self.target if isinstance(self.target, str) else self.target.path

    @property
    def list_type(self) -> ListType:
        """What the list says that it is, if the API server answers."""
        if self.accept == NAMES_ONLY:
            return ListType("meta.k8s.io/v1", "PartialObjectMetadataList")
        _, root, *rest = self.path.split("/")
        version = rest[0] if root == "api" else "/".join(rest[:2])
        return ListType(version, f"{self.schema.__name__}List" if self.schema else "")

    @property
    def key(self) -> str:
        """The name of the answer in a recording: the path, and a hash of the fields that the schema declares."""
        if self.schema and issubclass(self.schema, Resource):
            return f"{self.path}#{fields_of(self.schema)}"
        return self.path


class Answer(NamedTuple):
    """An HTTP status with the items of a list, or with a body.

    Attributes:
        date: when it was sent, by the clock of the server that sent it, in seconds since 1970; 0 if that is not known.
        size: bytes that came, unpacked; 0 if it did not come over a network.
    """

    status: int
    body: bytes = b""
    page: Page = Page(pb.ListMeta(), ())
    date: float = 0
    size: int = 0

    def expect(self, right: str, *also: int) -> "Answer":
        """Return the answer if its status is 200 or one of `also`.

        Raises:
            NotObserved: the status is another one; the right is named if the answer is 403.
        """
        if self.status not in (200, *also):
            raise refusal(self, right)
        return self


BODY_LIMIT = 2 << 30
"""Bytes of one list. A list of 20,000 pods has about 0.1 GiB."""

NEVER_ASKED_FOR = ("get nodes/proxy", "get pods/proxy")
"""Rights that are used where a user has them, and that no report advises: with the first, commands run in every pod."""

WITHOUT_PROXY = "--kubelet=direct queries kubelets and pods without it, --kubelet=none does not query them"


def refusal(answer: Answer, right: str) -> NotObserved:
    """Return why a request was refused, with the right that would allow it if the answer is 403."""
    words = error_message(answer.body)
    if answer.status == 401:
        return NotObserved("the API server rejects the credentials (401): they are wrong or have expired; log in again")
    if answer.status == 403 and right in NEVER_ASKED_FOR:
        return NotObserved(f"the API server's {right.removeprefix('get ')} is refused: {WITHOUT_PROXY}")
    if answer.status == 403:
        return NotObserved(words if "forbidden" in words else f"forbidden: {words}", right)
    return NotObserved(f"{right}: HTTP {answer.status}: {words}")


def answered(request: Request, status: int, chunks: Iterable[bytes], *, recorded: bool = False) -> Answer:
    """Read an answer as it arrives; list items are reduced to the fields that checks read.

    A recorded list does not say that it is one, and of what.

    Raises:
        NotObserved: a list was asked for, and the answer is not one, or one of something else.
    """
    if request.schema and status == 200:
        expected = None if recorded else request.list_type
        return Answer(status, page=_page(request.schema, chunks, request.wanted, expected, shared=request.shared))
    return Answer(status, b"".join(chunks))


def _page(
    schema: type[Message] | type[Resource],
    chunks: Iterable[bytes],
    wanted: Callable[[Any], bool] | None,
    expected: ListType | None,
    *,
    shared: bool,
) -> Page:
    if issubclass(schema, Resource):
        return Page(*decode_resources(b"".join(chunks), schema, wanted, expected))
    pieces = iter(chunks)
    first = next(pieces, b"")
    if first.lstrip()[:1] == b"{":
        return Page(*decode_json_list(chain([first], pieces), schema, wanted, expected))
    return Page(*decode_list(chain([first], pieces), schema, wanted, expected, shared=shared))


class Source(Protocol):
    """Answers requests about one cluster.

    Attributes:
        context: the cluster's name for people: the kubeconfig context.
        waits: whether answers take time to arrive, so that it is worth to ask for several at once.
    """

    context: str
    waits: bool

    @property
    def clock(self) -> str:
        """What the user should know about the time; empty if it is the API server's."""

    @property
    def now(self) -> datetime:
        """The time that all ages are counted from: the API server's clock, or the time of the recording."""

    def get(self, request: Request) -> Answer:
        """Return the answer, also if it is a refusal.

        Raises:
            NotObserved: there was no answer.
        """

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Run the probe as planned, or read its recorded result; return `kubevitals.probe.outcome.Ran` as JSON.

        Raises:
            NotObserved: there is neither a plan nor a recorded result, or the probe could not run.
        """

    def close(self) -> None:
        """Close connections and files. A recorder completes its recording."""
