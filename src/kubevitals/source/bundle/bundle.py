"""A bundle as a source: answers the requests of a run from what the bundle holds."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource, decode_resources
from kubevitals.encoding.protobuf import Page
from kubevitals.errors import NotRecorded, Unusable
from kubevitals.objects import statuses
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.bundle.clock import Taken, estimated
from kubevitals.source.bundle.extent import Extent, extent_of
from kubevitals.source.bundle.kinds import Kind, Kinds, group_of
from kubevitals.source.bundle.layouts import ALL
from kubevitals.source.bundle.reading import Read, read
from kubevitals.source.request import Answer, Kubelet, Request
from kubevitals.source.scope import Scope
from kubevitals.text import clean

REMARKS = 20
"""Lines about a bundle that are shown."""

_LOG = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/log")
_LIST = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+))?/([^/]+)")


class Bundle:
    """Answers requests from a dump of a cluster. What it does not hold is not observed, by name.

    Attributes:
        extent: how much of the cluster it holds.
        remarks: what the user should know of it.
    """

    def __init__(
        self, path: Path, kinds: Iterable[Kind], now: datetime | None = None, later: timedelta = timedelta()
    ) -> None:
        """Read a bundle, to be judged as if it were `now`, or as if the duration `later` had passed since it was taken.

        Raises:
            Unusable: it cannot be read, holds no objects or those of several clusters, or its time is not known.
        """
        self.context, self.waits, self.clock = f"{clean(path.resolve().name)} (bundle)", False, ""
        self._kinds = Kinds(kinds)
        self.read = read(path, self._kinds)
        self._contents = self.read.contents
        if self._contents.is_empty:
            raise Unusable(f"{path} holds no objects of Kubernetes in JSON or YAML: is it a dump of a cluster?")
        self._contents.refuse_mixed()
        taken = _taken(self.read, now)
        if taken is None:
            raise Unusable(f"{path} does not say when it was taken: give --now, such as --now 2026-03-01T12:00:00Z")
        self.extent: Extent = extent_of(
            self._contents, omits_empty=self.read.omits_empty, is_cut=bool(self.read.files.cut)
        )
        self.now = _later(taken.time, later)
        self.remarks = [f"the time is {taken.how}", *self.read.remarks()][:REMARKS]

    def scope(self, chosen: Sequence[str], excluded: Sequence[str], *, namespaced_only: bool) -> Scope:
        """Return the scope of a run: the chosen namespaces that the bundle holds.

        Raises:
            Unusable: a name is not valid, or the bundle holds none of these namespaces.
        """
        incomplete = self.extent.incomplete
        wanted = Scope(chosen, excluded, namespaced_only=namespaced_only, incomplete=incomplete)
        if self.extent.is_all or not self.extent.namespaces:
            return wanted
        names = wanted.names(self.extent.namespaces)
        return Scope(names, namespaced_only=namespaced_only, incomplete=incomplete)

    def get(self, request: Request) -> Answer:
        """Return the answer that the bundle holds."""
        if not isinstance(request.target, str):
            return self._answer_of(request)
        url = urlsplit(request.path)
        if request.schema and issubclass(request.schema, Resource):
            return self._declared(request, url.path)
        if request.schema:
            return self._list(request, url.path, parse_qs(url.query))
        if match := _LOG.fullmatch(url.path):
            return self._log(unquote(match[1]), unquote(match[2]), parse_qs(url.query))
        if url.path in self.read.answers:
            return Answer(200, self.read.answers[url.path])
        raise NotRecorded(f"the bundle has no answer to {request.path}", unasked=True)

    def _answer_of(self, request: Request) -> Answer:
        """Return what a kubelet answered; no tool collects what nodes and pods answer, nor certificates."""
        if body := self.read.answers.get(request.path):
            return Answer(200, body)
        what = "answers of kubelets" if isinstance(request.target, Kubelet) else "answers of pods, and no certificates"
        raise NotRecorded(f"the bundle has no {what}", unasked=True)

    def _list(self, request: Request, path: str, query: dict[str, list[str]]) -> Answer:
        match = _LIST.fullmatch(path)
        kind = self._kinds.at(f"{match[1]}/{match[3]}") if match else None
        if not match or not kind or not self._contents.has(kind):
            raise NotRecorded(f"the bundle has no {match[3] if match else path}")
        namespace = match[2] or ""
        self._need(kind, namespace)
        items = [obj for obj in self._contents.objects(kind) if not namespace or obj.metadata.namespace == namespace]
        if query.get("fieldSelector") == ["involvedObject.namespace="]:
            items = [event for event in items if not event.involvedObject.namespace]
        return Answer(
            200, page=Page(pb.ListMeta(), [obj for obj in items if not request.wanted or request.wanted(obj)])
        )

    def _need(self, kind: Kind, namespace: str) -> None:
        """Require that the objects of a kind may stand for all of them.

        Raises:
            NotRecorded: some are missing, where nothing else says so.
        """
        complete = self._contents.completed(kind)
        if kind.schema is pb.Namespace and not complete:
            complete = self._namespaces_if_all()
        if not kind.namespaced and "" not in complete:
            raise NotRecorded(f"the bundle has only some of the {kind.plural}")
        if kind.schema is pb.Lease and not complete & {namespace, ALL}:
            raise NotRecorded(f"the bundle has no list of the {kind.plural} in {namespace}")

    def _namespaces_if_all(self) -> set[str]:
        """Return the mark of a complete list if each namespace that the bundle holds has its own object."""
        kinds = [kind for kind in self._kinds if kind.schema is pb.Namespace]
        names = {namespace.metadata.name for kind in kinds for namespace in self._contents.objects(kind)}
        return {""} if self.extent.namespaces <= names else set()

    def _declared(self, request: Request, path: str) -> Answer:
        """Return the objects of a kind that a check declares."""
        match, schema = _LIST.fullmatch(path), request.schema
        if not match or not schema or not issubclass(schema, Resource):
            raise NotRecorded(f"the bundle has no {path}")
        group = group_of(path)
        held = self._contents.others(group, match[1].rpartition("/")[2], schema.__name__)
        if held is None:
            name = f"{match[3]}.{group}"
            if self._contents.definitions is not None and name not in self._contents.definitions:
                return Answer(404)
            raise NotRecorded(f"the bundle has no {name}")
        items = [item for (namespace, _), item in held.items() if match[2] in (None, namespace)]
        body = b'{"metadata":{},"items":[%s]}' % b",".join(items)
        return Answer(200, page=Page(*decode_resources(body, schema, request.wanted)))

    def _log(self, namespace: str, pod: str, query: dict[str, list[str]]) -> Answer:
        container = query.get("container", [""])[0]
        lines, size = (int(query.get(name, ["20"])[0]) for name in ("tailLines", "limitBytes"))
        previous = "previous" in query
        body = self.read.logs.tail(namespace, pod, container, lines, size, previous=previous)
        if body is None and previous and (namespace, pod, container) in self._restarting:
            body = self.read.logs.tail(namespace, pod, container, lines, size, previous=False)
        if body is None:
            what = "previous log" if previous else "log"
            return Answer(404, msgspec.json.encode({"message": f"the bundle has no {what} of container {container}"}))
        return Answer(200, body)

    @cached_property
    def _restarting(self) -> set[tuple[str, str, str]]:
        """The containers that wait for their restart: `kubectl logs` shows the previous instance's log until then."""
        return {
            (pod.metadata.namespace, pod.metadata.name, status.name)
            for kind in self._kinds
            if kind.schema is pb.Pod
            for pod in self._contents.objects(kind)
            for status in statuses(pod)
            if status.state.HasField("waiting") and status.lastState.HasField("terminated")
        }

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Raise NotObserved: no tool that writes bundles probes the network."""
        del plan
        raise NotRecorded("a bundle has no results of a probe", unasked=True)

    def close(self) -> None:
        """Do nothing: all files are closed after reading."""


def _taken(read: Read, now: datetime | None) -> Taken | None:
    if now:
        return Taken(now, "that of --now")
    if read.stamp:
        return read.stamp
    return estimated(read.contents)


def _later(time: datetime, later: timedelta) -> datetime:
    try:
        return time + later
    except OverflowError as error:
        raise Unusable(f"--later: {later.days} days after {time:%Y-%m-%d} is beyond the calendar") from error
