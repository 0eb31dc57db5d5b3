"""One run of the probe: create its pods, give each its targets, read their logs, remove them.

It needs, in its own namespace only: create, delete and list DaemonSets and Services; list and patch Pods; get their
logs; list Events (for the reasons why a pod does not start). If the namespace does not exist yet, also create
Namespaces, and get and delete this one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, TypeVar

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.interrupts import Interrupts
from kubevitals.probe.outcome import Ran, RanPod
from kubevitals.probe.plan import ProbePlan, ProbePod, ProbeService, targets
from kubevitals.probe.report import ProbeNetwork
from kubevitals.source.probing.api import Api, Writer
from kubevitals.source.probing.cleanup import remove, remove_leftovers
from kubevitals.source.probing.manifests import MAIN, NETWORK, NETWORKS, RUN, TARGETS, VITALS, Made
from kubevitals.source.request import Request
from kubevitals.text import clean, plural

T = TypeVar("T")

MESSAGE_BYTES = 4096
"""The limit of a termination message (kubernetes/kubernetes pkg/kubelet/container/runtime.go)."""

POLL = 1.0
"""Seconds between two looks at the run's pods."""

QUIET = 15.0
"""Seconds without another pod that starts, after which the run goes on without the pods that are not running."""

READING = 8.0
"""Seconds of the run's time that are reserved for reading logs."""

SENDING = 3.0
"""Seconds that a kubelet may need to send a pod's status."""

LOG_BYTES, PARALLEL = 192 * 1024, 16
"""Bytes of a log that are read (most have about 15,000), and logs that are read at the same time."""


class _ServiceSpec(msgspec.Struct):
    clusterIPs: list[str]  # noqa: N815
    ports: list[dict[str, Any]]


class _Service(msgspec.Struct):
    spec: _ServiceSpec


def run(cluster: Writer, plan: ProbePlan) -> Ran:
    """Run the probe and remove it, whatever happens.

    Raises:
        NotObserved: it could not be started, or the API server stopped answering.
        KeyboardInterrupt: on Ctrl-C or SIGTERM; its text says what may be left behind.
    """
    api, made = Api(cluster, plan.options.namespace), Made.new(plan.options)
    interrupts = Interrupts()
    with interrupts.handled():
        exists = _namespace_exists(api, monotonic() + plan.options.timeout / 2)
        remarks = remove_leftovers(api) if exists else []
        try:
            if not exists:
                api.create_namespace(made.namespace)
            ran = _Run(api, plan, made).look()
            interrupts.raise_dropped()
        except BaseException as error:
            interrupts.hold()
            _add(error, remove(api, made))
            raise
        interrupts.hold()
        return msgspec.structs.replace(ran, remarks=(*remarks, *remove(api, made)))


def _add(error: BaseException, left: Iterable[str]) -> None:
    """Add to the error what may be left behind."""
    if isinstance(error, NotObserved):
        error.reason = "; ".join([error.reason, *left])
    else:
        error.args = ("; ".join([*map(str, error.args), *left]),)


def _namespace_exists(api: Api, until: float) -> bool:
    """Return whether the namespace exists, once it is not being deleted."""
    try:
        return _settled_namespace(api, until) is not None
    except NotObserved as error:
        if not error.right:
            raise
        return True  # reading it is forbidden: creating the first object shows whether it exists


def _settled_namespace(api: Api, until: float) -> Mapping[str, Any] | None:
    """Return the namespace once it is not being deleted."""
    while (namespace := api.get_namespace()) and namespace.get("deletionTimestamp"):
        if monotonic() > until:
            raise NotObserved(f"namespace {api.namespace} of an earlier run is still being deleted")
        sleep(POLL)
    return namespace


class _Run:
    def __init__(self, api: Api, plan: ProbePlan, made: Made) -> None:
        self._api, self._plan, self._made = api, plan, made
        self._end = monotonic() + plan.options.timeout
        self._expected = {(node, network) for node in plan.nodes for network in NETWORKS}
        self._pods: dict[tuple[str, ProbeNetwork], pb.Pod] = {}
        self._failed: dict[str, str] = {}

    def look(self) -> Ran:
        """Return the result of the run."""
        service = self._create()
        self._await_start()
        running = [_probe_pod(key, pod) for key, pod in self._pods.items() if _runs(pod)]
        lines = targets(self._plan, service, running)
        started = self._each(lambda name: self._api.annotate(name, TARGETS, lines[name]), lines, "it got no targets")
        self._await(
            lambda: all(_is_ready(pod) for pod in self._pods.values() if pod.metadata.name in started),
            self._end - READING,
        )
        logs = self._each(self._log, started, "its log cannot be read")
        vitals = self._vitals(started.keys() - logs.keys())
        reasons = self._reasons(logs)
        return Ran(
            self._made.run,
            self._made.token,
            self._plan.options.domain,
            service.cluster_ips,
            service.node_port,
            tuple(self._ran(key, logs, reasons, vitals) for key in sorted(self._expected)),
        )

    def _create(self) -> ProbeService:
        body = self._api.create(pb.Service, self._made.service)
        for network in NETWORKS:
            self._api.create(pb.DaemonSet, self._made.daemon_set(network))
        try:
            spec = msgspec.json.decode(body, type=_Service).spec
            return ProbeService(tuple(ip for ip in spec.clusterIPs if ip != "None"), int(spec.ports[0]["nodePort"]))
        except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError, ValueError) as error:
            raise NotObserved("the probe's Service was created without an address or a port") from error

    def _await_start(self) -> None:
        """Wait until every expected pod is running, or no other pod has started for a while."""
        running, since = -1, monotonic()

        def settled() -> bool:
            nonlocal running, since
            now_running = sum(_runs(pod) for pod in self._pods.values())
            if now_running != running:
                running, since = now_running, monotonic()
            return running == len(self._expected) or (monotonic() - since > QUIET and running > 0)

        self._await(settled, self._end - READING - (self._end - monotonic()) / 2)

    def _await(self, condition: Callable[[], bool], until: float) -> None:
        """List the run's pods repeatedly until the condition is met, or the time is over."""
        while True:
            pods = self._api.list(pb.Pod, labelSelector=f"{RUN}={self._made.run}")
            by_key = ((_key(pod), pod) for pod in sorted(pods, key=_runs))
            self._pods = {key: pod for key, pod in by_key if key in self._expected}
            running = sum(map(_runs, self._pods.values()))
            self._plan.options.progress(f"probe: {running} of {plural(len(self._expected), 'pod')} run")
            if condition() or monotonic() > until:
                return
            sleep(POLL)

    def _each(self, action: Callable[[str], T], pods: Iterable[str], failure: str) -> dict[str, T]:
        """Do something for each pod, several at a time, and keep the failures."""
        done = {}
        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="probe")
        try:
            futures = {name: pool.submit(self._in_time, action, name) for name in pods}
            for name, future in futures.items():
                try:
                    done[name] = future.result()
                except NotObserved as error:
                    self._failed[name] = f"{failure}: {error}"
        finally:
            pool.shutdown(cancel_futures=True)
        return done

    def _in_time(self, action: Callable[[str], T], name: str) -> T:
        if monotonic() > self._end:
            raise NotObserved("the probe's time is over")
        return action(name)

    def _log(self, name: str) -> str:
        """Return a pod's log; its last line may arrive a moment later."""
        for _ in range(3):
            log = self._log_so_far(name)
            if log.rstrip().endswith(f"end {self._made.run}") or monotonic() > self._end:
                break
            sleep(POLL / 2)
        return log

    def _log_so_far(self, name: str) -> str:
        answer = self._api.cluster.get(
            Request(f"{self._api.path(pb.Pod, name)}/log?container={MAIN}&limitBytes={LOG_BYTES}", limit=LOG_BYTES)
        )
        log = answer.expect(f"get pods/log in namespace {self._api.namespace}").body
        return log.decode("utf-8", "replace")

    def _vitals(self, unread: Collection[str]) -> Mapping[str, str]:
        """Return the vital readings of the pods whose log could not be read; they come with the pods' status."""

        def found() -> dict[str, str]:
            messages = ((pod.metadata.name, _termination_message(pod)) for pod in self._pods.values())
            return {name: message for name, message in messages if name in unread and message}

        if unread:
            with suppress(NotObserved):
                self._await(lambda: len(found()) == len(unread), min(self._end, monotonic() + SENDING))
        return found()

    def _reasons(self, logs: Mapping[str, str]) -> Mapping[str, str]:
        """Return the latest warnings about the run's objects, by name, if some pod has no log."""
        if len(logs) == len(self._expected):
            return {}
        try:
            events = self._api.list(pb.Event, limit="5000")
        except NotObserved as error:
            return {self._made.daemon_set_name(network): f"events not observed: {error}" for network in NETWORKS}
        return main_warnings(events)

    def _ran(
        self,
        key: tuple[str, ProbeNetwork],
        logs: Mapping[str, str],
        reasons: Mapping[str, str],
        vitals: Mapping[str, str],
    ) -> RanPod:
        node, network = key
        pod = self._pods.get(key)
        if pod is None:
            why = reasons.get(self._made.daemon_set_name(network), "its DaemonSet created none in time")
            return RanPod(node, network, reason=clean(f"no pod: {why}"))
        name = pod.metadata.name
        if name in logs:
            return RanPod(node, network, name, pod.status.podIP, logs[name], "" if logs[name] else "its log is empty")
        reason = self._failed.get(name) or ": ".join(filter(None, (_state(pod), reasons.get(name))))
        return RanPod(node, network, name, pod.status.podIP, reason=clean(reason), vitals=vitals.get(name, ""))


def main_warnings(events: Iterable[pb.Event]) -> dict[str, str]:
    """Return the latest warning about each object, by its name; that a pull secret is missing explains all others."""
    warnings = [event for event in events if event.type == "Warning"]
    warnings.sort(key=lambda e: (e.reason == "FailedToRetrieveImagePullSecret", e.metadata.creationTimestamp.seconds))
    return {event.involvedObject.name: event.message for event in warnings}


def _key(pod: pb.Pod) -> tuple[str, ProbeNetwork]:
    return pod.spec.nodeName, "host" if pod.metadata.labels.get(NETWORK) == "host" else "pod"


def _probe_pod(key: tuple[str, ProbeNetwork], pod: pb.Pod) -> ProbePod:
    ips = tuple(address.ip for address in pod.status.podIPs) or (pod.status.podIP,)
    return ProbePod(pod.metadata.name, *key, ips)


def _runs(pod: pb.Pod) -> bool:
    return bool(pod.status.podIP) and any(
        status.name == MAIN and status.state.HasField("running") for status in pod.status.containerStatuses
    )


def _is_ready(pod: pb.Pod) -> bool:
    return any(status.ready for status in pod.status.containerStatuses if status.name == MAIN)


def _termination_message(pod: pb.Pod) -> str:
    """Return the vital readings that the pod's container has sent, or nothing."""
    statuses = [status for status in pod.status.containerStatuses if status.name == VITALS]
    messages = (end.message for status in statuses for end in (status.state.terminated, status.lastState.terminated))
    return next(filter(None, messages), "")[:MESSAGE_BYTES]


def _state(pod: pb.Pod) -> str:
    """Return why a pod was not running in time, in Kubernetes' words."""
    if _runs(pod):
        return "it started too late to get its targets"
    for status in pod.status.containerStatuses:
        for state in (status.state.waiting, status.state.terminated):
            if state.reason:
                return ": ".join(filter(None, (state.reason, state.message)))
    for condition in pod.status.conditions:
        if condition.status == "False" and condition.message:
            return ": ".join(filter(None, (condition.reason, condition.message)))
    return f"the pod is {pod.status.phase or 'not yet created'}"
