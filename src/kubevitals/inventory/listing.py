"""Lists of one kind of object: how they are requested, page by page and for all or some namespaces."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast, overload
from urllib.parse import urlencode

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource, fields_of, prepare
from kubevitals.errors import BadCheck, NotApplicable, NotObserved, Unusable
from kubevitals.inventory import bounds
from kubevitals.inventory.bounds import Account
from kubevitals.source.request import JSON, PROTOBUF, Answer, Request, Source
from kubevitals.source.scope import LISTED, Scope

M = TypeVar("M", bound=Message | Resource)
R = TypeVar("R", bound=Resource)

PAGE = 1000
"""Objects of one page. The API server does not page a list from its watch cache; smaller pages are read from etcd."""

PAGES = 1000
"""Pages of one list: a million objects. A server that sends more is faulty."""

_LIST_PATH = re.compile(r"/(?:api/v1|apis/[a-z0-9.-]{1,253}/v[a-z0-9]{1,60})/[a-z][a-z0-9-]{0,62}")

PAGE_RESTARTS = 3
"""How often a paged list is restarted after its continue token has expired."""


class _Fetcher(Protocol):
    def list(self, listing: "Listing[M]") -> tuple[M, ...]: ...


class _Cluster(Protocol):
    @property
    def fetcher(self) -> _Fetcher: ...


class Listing(Generic[M]):
    """A kind of object that checks read: `Cluster.pods` is the tuple of all pods, fetched at the first access."""

    def __init__(
        self,
        path: str,
        schema: type[M],
        accept: str = PROTOBUF,
        *,
        namespaced: bool = False,
        selector: str = "",
        wanted: Callable[[M], bool] | None = None,
        optional: bool = False,
        page: int = PAGE,
    ) -> None:
        self.page = page
        self.path, self.schema, self.accept = path, schema, accept
        self.namespaced, self.selector, self.wanted, self.optional = namespaced, selector, wanted, optional
        self.name = self.resource

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, cluster: None, owner: type) -> "Listing[M]": ...
    @overload
    def __get__(self, cluster: _Cluster, owner: type) -> tuple[M, ...]: ...
    def __get__(self, cluster: _Cluster | None, owner: type) -> "Listing[M] | tuple[M, ...]":
        return cluster.fetcher.list(self) if cluster else self

    @property
    def resource(self) -> str:
        """The resource as in RBAC messages: ``pods``, ``deployments.apps``."""
        group = self.path.split("/")[2] if self.path.startswith("/apis/") else ""
        return ".".join(filter(None, (self.path.rpartition("/")[2], group)))

    def path_in(self, namespace: str) -> str:
        """Return the path of one namespace's list."""
        place, _, kind = self.path.rpartition("/")
        return f"{place}/namespaces/{namespace}/{kind}"


NAMESPACES = Listing("/api/v1/namespaces", pb.Namespace)


class Kind(Listing[R]):
    """A kind of object that a check declares itself: `Cluster.objects` returns its objects.

    Without the right to list them, checks that read them are not observed.
    """

    def __init__(
        self, path: str, schema: type[R], *, namespaced: bool, optional: bool = False, page: int = PAGE
    ) -> None:
        """Declare a kind.

        Args:
            path: the path of the list in all namespaces: ``/apis/networking.k8s.io/v1/ingresses``.
            schema: the class that declares the fields to read; its name is the kind.
            namespaced: whether its objects are in namespaces.
            optional: whether some clusters do not have the kind: checks that read it are not applicable there.
            page: how many objects one answer has, which is in memory as a whole; fewer if they are large.

        Raises:
            BadCheck: the path or the class is not valid, or the kind is Secret, whose contents are never read.
        """
        if not _LIST_PATH.fullmatch(path):
            raise BadCheck(f"{path!r} is not the path of a list, such as /apis/networking.k8s.io/v1/ingresses")
        if path == "/api/v1/secrets":
            raise BadCheck("the contents of Secrets are never requested; cluster.secrets has their names")
        if not (isinstance(schema, type) and issubclass(schema, Resource)):
            raise BadCheck(f"{schema!r:.80} is not a class derived from kubevitals.Resource")
        try:
            prepare(schema)
        except TypeError as error:
            raise BadCheck(f"the fields of {path} cannot be decoded: {error}") from error
        super().__init__(path, schema, JSON, namespaced=namespaced, optional=optional, page=page)
        self.name = f"{path}#{fields_of(schema)}"


class ListRequest(Generic[M]):
    """One list to request: its path, a field selector, and which items are wanted."""

    def __init__(self, path: str, selector: str = "", wanted: Callable[[M], bool] | None = None) -> None:
        self.path, self.selector, self.wanted = path, selector, wanted


def chosen_names(scope: Scope, namespaces: Callable[[], Sequence[pb.Namespace]]) -> list[str]:
    """Return the namespaces that a scope chooses.

    Raises:
        NotObserved: it has patterns and namespaces cannot be listed, or there is no such namespace.
    """
    try:
        return scope.names(namespace.metadata.name for namespace in namespaces())
    except NotObserved:
        if scope.exact is None:
            raise
        return scope.exact
    except Unusable as error:
        raise NotObserved(str(error)) from error


def lists_of(listing: Listing[M], scope: Scope, chosen: Sequence[str]) -> list[ListRequest[M]]:
    """Return the lists with all objects of a kind in the scope; `chosen` are its namespaces, if it chooses some.

    Raises:
        NotObserved: the kind is cluster-scoped, and the scope is namespaced only.
    """
    if scope.namespaced_only and not listing.namespaced:
        reason = f"{listing.resource} are cluster-scoped, and this run is --namespaced-only"
        raise NotObserved(reason, unasked=True)
    if listing.selector:
        return [ListRequest(listing.path, listing.selector)]
    wanted = _wanted(listing, scope) if listing.namespaced and not scope.is_all else listing.wanted
    if listing.namespaced and chosen and (len(chosen) <= LISTED or scope.listed.namespaced_only):
        return [ListRequest(listing.path_in(name), wanted=wanted) for name in chosen]
    return [ListRequest(listing.path, scope.listed.selector(listing.schema) if listing.namespaced else "", wanted)]


def _wanted(listing: Listing[M], scope: Scope) -> Callable[[M], bool]:
    """Return which items of a listing in the scope are kept."""
    wanted = listing.wanted
    return (lambda item: wanted(item) and scope.wants(item)) if wanted else scope.wants


class Listed(NamedTuple, Generic[M]):
    """The items of a list.

    Attributes:
        date: when the last of them were sent, by the API server's clock, in seconds since 1970; 0 if not known.
    """

    items: Sequence[M]
    date: float


def whole_list(source: Source, listing: Listing[M], list_: ListRequest[M], total: Account) -> Listed[M]:
    """Return all items of a list.

    Raises:
        NotApplicable: the kind is optional, and the cluster does not have it.
        NotObserved: it is refused, incomplete, or not a list.
    """
    for _ in range(PAGE_RESTARTS):
        items: list[M] = []
        date = 0.0
        for number, answer in enumerate(_pages(source, listing, list_, total)):
            if answer.status == 410 and number:
                break
            if answer.status == 404 and listing.optional:
                raise NotApplicable(f"the cluster has no {listing.resource}")
            items += cast("Sequence[M]", answer.expect(f"list {listing.resource}").page.items)
            date = answer.date
        else:
            return Listed(items, date)
    raise NotObserved(f"the pages of {listing.resource} expired {PAGE_RESTARTS} times before the list was complete")


def _pages(source: Source, listing: Listing[M], list_: ListRequest[M], total: Account) -> Iterator[Answer]:
    selected = {"fieldSelector": list_.selector} if list_.selector else {}
    query: Mapping[str, str] = {"limit": str(listing.page)}
    if listing.page == PAGE:
        query = {**query, "resourceVersion": "0"}
    tokens: set[str] = set()
    account = Account(f"the list of {listing.resource}", bounds.LIST, total)
    for _ in range(PAGES):
        path = f"{list_.path}?{urlencode({**query, **selected})}"
        began, shared = monotonic(), listing.schema is pb.Pod
        answer = source.get(
            Request(path, cast("Any", listing.schema), listing.accept, wanted=list_.wanted, shared=shared)
        )
        account.add(len(answer.page.items), answer.size, monotonic() - began)
        yield answer
        metadata = answer.page.metadata
        if not (token := getattr(metadata, "continue")):
            if left := metadata.remainingItemCount:
                raise NotObserved(f"the list of {listing.resource} ends, and {left:,} of its objects remain")
            return
        if token in tokens:
            raise NotObserved(f"the list of {listing.resource} repeats a continue token")
        tokens.add(token)
        query = {"limit": str(listing.page), "continue": token}
    raise NotObserved(f"the list of {listing.resource} does not end after {PAGES:,} pages")
