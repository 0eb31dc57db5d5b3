"""What is asked of a source: lists, each fetched once, and other answers, several at a time and until it is stopped."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from google.protobuf.message import Message

from kubevitals.encoding.declared import Resource
from kubevitals.errors import NotObserved
from kubevitals.inventory.give_up import Patience
from kubevitals.inventory.listing import Listing, chosen_names, lists_of, whole_list
from kubevitals.probe.plan import Options, ProbePlan
from kubevitals.source.request import Answer, Request, Source
from kubevitals.source.scope import Scope

M = TypeVar("M", bound=Message | Resource)
T = TypeVar("T")
W = TypeVar("W")

STOPPED = "the run was interrupted before it was asked for, or had come"
"""Why something is not observed after an interrupt."""

PARALLEL = 8
"""Requests under way at once."""


class Fetching:
    """The part of a cluster that asks; what checks see of it is `kubevitals.inventory.cluster.Cluster`.

    Attributes:
        ask_kubelets: whether kubelets may be asked.
        remarks: what the user should know of what was done in the cluster.
    """

    def __init__(
        self,
        source: Source,
        scope: Scope | None = None,
        *,
        secret_names: bool = False,
        ask_kubelets: bool = True,
        probe: Options | None = None,
    ) -> None:
        self._source, self._probe = source, probe
        self.scope, self.secret_names, self.ask_kubelets = scope or Scope(), secret_names, ask_kubelets
        self.remarks = [] if self.scope.is_all else [f"namespaces looked at: {self.scope}"]
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="kubevitals")
        self._lists: dict[str, Future[tuple[Any, ...]]] = {}
        self._stopped = False

    @classmethod
    def listings(cls) -> list[Listing[Message]]:
        """Return all kinds that checks read: the one place that rights and requests are derived from."""
        return [value for value in vars(cls).values() if isinstance(value, Listing)]

    def prefetch(self) -> list[Future[tuple[Any, ...]]]:
        """Start fetching all lists that are needed, several at a time."""
        unneeded = set() if self.secret_names else {"secrets"}
        unneeded |= set() if self.scope.listed.chosen else {"node_events"}
        return [self._start(listing) for listing in self.listings() if listing.name not in unneeded]

    def fetch(self, listing: Listing[M]) -> tuple[M, ...]:
        """Return a list, fetching it unless that has begun."""
        if self._stopped and not _has_come(self._lists.get(listing.name)):
            raise NotObserved(STOPPED)
        return self._start(listing).result()

    def stop(self) -> None:
        """Ask for nothing and wait for nothing any more: what has not come by now is not observed."""
        self._stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for requests under way, unless they were stopped, and let go of the source."""
        self._pool.shutdown(wait=not self._stopped, cancel_futures=True)
        self._source.close()

    def _start(self, listing: Listing[M]) -> Future[tuple[M, ...]]:
        if listing.name not in self._lists:
            if chosen := listing.namespaced and self.scope.listed.chosen:
                self._start(self._namespaces())  # before who waits for it: nobody waits for himself
            self._lists[listing.name] = self._pool.submit(self._list, listing, chosen=bool(chosen))
        return self._lists[listing.name]

    def _namespaces(self) -> Listing[Any]:
        return next(listing for listing in self.listings() if listing.name == "namespaces")

    def _list(self, listing: Listing[M], *, chosen: bool) -> tuple[M, ...]:
        names = chosen_names(self.scope.listed, lambda: self.fetch(self._namespaces())) if chosen else []
        lists = lists_of(listing, self.scope, names)
        return tuple(item for asked in lists for item in whole_list(self._source, listing, asked))

    def check_scope(self) -> None:
        """Refuse a choice of namespaces that do not exist, where it can be seen.

        Raises:
            Unusable: there is no such namespace.
        """
        if self.scope.chosen:
            with suppress(NotObserved):
                self.scope.names(namespace.metadata.name for namespace in self.fetch(self._namespaces()))

    def ask(self, path: str) -> Answer:
        """Return the API server's answer on a path that is no list, whatever its status."""
        return self.get(Request(path))

    def get(self, request: Request) -> Answer:
        """Return the answer to a request for something that is no list."""
        if self._stopped:
            raise NotObserved(STOPPED)
        return self._source.get(request)

    def ask_probe(self, planned: Callable[[Options], ProbePlan]) -> bytes:
        """Return what the probe tells, after having it run as planned; it runs each time this is asked.

        Raises:
            NotObserved: no probe is allowed, or the lists that say whom to ask or the probe itself failed.
        """
        if self._probe:
            self.scope.need("kube-system")
        return self._source.probe(planned(self._probe) if self._probe else None)

    def ask_later(self, request: Request, patience: Patience | None = None) -> Future[Answer]:
        """Begin to ask for an answer that is no list."""
        if patience:
            return self._pool.submit(patience.ask, self._source.get, request)
        return self._pool.submit(self._source.get, request)


def answers(asked: Iterable[tuple[W, Future[Answer]]], read: Callable[[W, Answer], T]) -> Iterator[T]:
    """Yield what is read of each answer, of those who were asked at once.

    Raises:
        NotObserved: after the last one, if there was no answer of some, or none that can be read.
    """
    unseen: NotObserved | None = None
    for whom, answer in asked:
        try:
            yield read(whom, answer.result())
        except NotObserved as error:
            unseen = unseen or error
    if unseen:
        raise unseen


def _has_come(list_: Future[Any] | None) -> bool:
    return list_ is not None and list_.done() and not list_.cancelled()
