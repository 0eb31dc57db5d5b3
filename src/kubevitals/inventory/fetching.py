"""Fetches from a source: lists, each once, and single answers, several at a time and until the run is stopped."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from google.protobuf.message import Message

from kubevitals.encoding.declared import Resource
from kubevitals.errors import NotObserved
from kubevitals.inventory import bounds
from kubevitals.inventory.bounds import Account
from kubevitals.inventory.circuit_breaker import CircuitBreaker, NoLongerQueried, StartedRequest
from kubevitals.inventory.listing import NAMESPACES, Listing, chosen_names, lists_of, whole_list
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.request import Answer, Request, Source
from kubevitals.source.scope import Scope

M = TypeVar("M", bound=Message | Resource)
T = TypeVar("T")
W = TypeVar("W")

STOPPED = "the run was interrupted before this was fetched"
"""Why something is not observed after an interrupt."""

PARALLEL = 8
"""Requests at the same time."""


class _AtOnce(Executor):
    """Does what is submitted before it returns, for what is read from memory."""

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Return what the function returned or raised."""
        done: Future[T] = Future()
        try:
            done.set_result(function(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done


def _pool(source: Source) -> Executor:
    return ThreadPoolExecutor(PARALLEL, thread_name_prefix="kubevitals") if source.waits else _AtOnce()


class Fetcher:
    """Fetches what a cluster's checks read, within a scope."""

    def __init__(self, source: Source, scope: Scope) -> None:
        self._source, self._scope = source, scope
        self._pool = _pool(source)
        self._lists: dict[str, Future[tuple[Any, ...]]] = {}
        self._dates: dict[str, float] = {}
        self._stopped = False
        self._read = Account("all lists of this run", bounds.RUN)

    def list(self, listing: Listing[M]) -> tuple[M, ...]:
        """Return a list, fetched at the first call.

        Raises:
            NotApplicable: the kind is optional, and the cluster does not have it.
            NotObserved: it could not be fetched.
        """
        if self._stopped and not _is_complete(self._lists.get(listing.name)):
            raise NotObserved(STOPPED)
        return self.start(listing).result()

    def start(self, listing: Listing[M]) -> Future[tuple[M, ...]]:
        """Start fetching a list, unless that was done before."""
        if listing.name not in self._lists:
            choose = listing.namespaced and bool(self._scope.listed.chosen)
            if choose:
                self.start(NAMESPACES)  # first in the queue: no worker waits for a list that no worker can fetch
            self._lists[listing.name] = self._pool.submit(self._fetch, listing, choose=choose)
        return self._lists[listing.name]

    def _fetch(self, listing: Listing[M], *, choose: bool) -> tuple[M, ...]:
        namespaces = chosen_names(self._scope.listed, lambda: self.list(NAMESPACES)) if choose else []
        wanted = lists_of(listing, self._scope, namespaces)
        parts = [whole_list(self._source, listing, part, self._read) for part in wanted]
        self._dates[listing.name] = max((part.date for part in parts), default=0)
        return tuple(item for part in parts for item in part.items)

    def date(self, listing: Listing[M]) -> float:
        """Return when the API server sent a list, by its own clock, in seconds since 1970; 0 if that is not known.

        Raises:
            NotObserved: it could not be fetched.
        """
        self.list(listing)
        return self._dates[listing.name]

    @property
    def clock(self) -> str:
        """What the user should know about the source's time; empty if it is the API server's."""
        return self._source.clock

    def check_scope(self) -> Sequence[str]:
        """Refuse chosen namespaces that do not exist, if namespaces can be listed.

        Returns:
            A remark for each excluded namespace that does not exist.

        Raises:
            Unusable: there is no such namespace.
        """
        if self._scope.chosen or self._scope.excluded:
            with suppress(NotObserved):
                existing = [namespace.metadata.name for namespace in self.list(NAMESPACES)]
                self._scope.names(existing)
                return self._scope.unmatched(existing)
        return []

    def get(self, request: Request) -> Answer:
        """Return the answer to a request, whatever its status.

        Raises:
            NotObserved: there was no answer.
        """
        if self._stopped:
            raise NotObserved(STOPPED)
        return self._source.get(request)

    def submit(self, request: Request, breaker: CircuitBreaker | None = None) -> StartedRequest:
        """Start a request, through a circuit breaker if there is one."""
        if breaker:
            threads = breaker.threads if self._source.waits else self._pool
            return StartedRequest(threads.submit(breaker.get, self.get, request), breaker)
        return StartedRequest(self._pool.submit(self._source.get, request))

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Run the probe, or read its recorded result; each call runs it again.

        Raises:
            NotObserved: there is neither a plan nor a recorded result, or the probe could not run.
        """
        return self._source.probe(plan)

    def stop(self) -> None:
        """Start no more requests and wait for none: what has not arrived by now is not observed."""
        self._stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for running requests, unless they were stopped or are of a circuit breaker, and close the source."""
        self._pool.shutdown(wait=not self._stopped, cancel_futures=True)
        self._stopped = True
        self._source.close()

    def forget(self) -> None:
        """Keep no list."""
        self._lists.clear()


def answers(requested: Iterable[tuple[W, StartedRequest]], read: Callable[[W, Answer], T]) -> Iterator[T]:
    """Yield what `read` returns for each answer; the requests run at the same time.

    Raises:
        NotObserved: after the last answer, if some request had none, or one that `read` rejects: why the first had
            none, or why not all were queried.
    """
    unseen: NotObserved | None = None
    for endpoint, answer in requested:
        try:
            yield read(endpoint, answer.result())
        except NotObserved as error:
            if not unseen or (isinstance(error, NoLongerQueried) and not isinstance(unseen, NoLongerQueried)):
                unseen = error
    if unseen:
        raise unseen


def _is_complete(listed: Future[Any] | None) -> bool:
    return listed is not None and listed.done() and not listed.cancelled()
