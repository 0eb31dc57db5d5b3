"""What the logs of DNS pods say about their configuration."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.dns import service as dns
from kubevitals.facts.dns.no_endpoints import LASTING
from kubevitals.facts.pods.states import is_down
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, owner, ref, statuses


class LogLine(NamedTuple):
    """A text that DNS servers log, and what it means.

    Attributes:
        text: a regular expression.
        remedy: what to do; ``{edit}`` stands for the command that edits the Corefile.
        source: the project and the file where the text stands.
    """

    text: str
    means: str
    remedy: str
    source: str


LOOP = LogLine(
    r"plugin/loop: Loop .{0,80} detected",
    "its Corefile forwards queries to itself: CoreDNS detects the loop and exits",
    "let `forward` in the Corefile point at real name servers: often it takes the /etc/resolv.conf of a node that "
    "lists a loopback address (systemd-resolved: give the kubelet --resolv-conf /run/systemd/resolve/resolv.conf)",
    "coredns/coredns plugin/loop/loop.go",
)

LOG_LINES = (
    LOOP,
    LogLine(
        r"Corefile:\d{1,6} - |Error during parsing|[Ss]yntax error: ",
        "its Corefile has an error",
        "correct the Corefile in its ConfigMap: {edit}",
        "coredns/caddy caddyfile/dispenser.go",
    ),
    LogLine(
        r"plugin/forward: no valid upstream addresses found",
        "the file that its Corefile forwards to has no name server",
        "let /etc/resolv.conf of the nodes name one, or name servers after `forward .` in the Corefile: {edit}",
        "coredns/coredns plugin/forward/setup.go, coredns/coredns#5764",
    ),
    LogLine(
        r"^(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )?plugin/[\w-]{1,40}: ",
        "a plugin refuses its part of the Corefile",
        "correct the block of this plugin in the Corefile: {edit}",
        "coredns/coredns plugin/errors.go (plugin.Error), coremain/run.go",
    ),
    LogLine(
        r"(?:Still waiting on|Plugins not ready): .{0,40}kubernetes",
        "it waits for the API server and knows no Service yet",
        "check whether pods on its node reach the ClusterIP of the API server, and whether it may list Services",
        "coredns/coredns plugin/ready/ready.go",
    ),
    LogLine(
        r"listen (?:tcp|udp) \S{0,60}: bind: ",
        "it cannot listen on its port",
        "find out what else listens on this port, or whether the pod may open low ports (NET_BIND_SERVICE)",
        "golang/go src/net/net.go",
    ),
)


class LogFault(NamedTuple):
    """What the pods of one owner log about their configuration.

    Attributes:
        owner: the owner of the pods, or the only pod.
        line: the line of the log that matches `known`.
    """

    owner: Ref
    pods: list[pb.Pod]
    known: LogLine
    line: str

    @property
    def concerned(self) -> tuple[Ref, ...]:
        """The pods, and the nodes that they are on."""
        nodes = dict.fromkeys(Ref("Node", "", pod.spec.nodeName) for pod in self.pods)
        return (*map(ref, self.pods), *nodes)


def explain_log(lines: tuple[str, ...]) -> tuple[LogLine, str] | None:
    """Return the meaning of a DNS pod's log, with the line that says so, or nothing."""
    for known in LOG_LINES:
        for line in reversed(lines):
            if re.search(known.text, line):
                return known, line
    return None


def log_faults(cluster: Cluster) -> Iterator[LogFault]:
    """Yield what DNS pods that crash or are not ready log about their configuration, once for each owner.

    Raises:
        NotObserved: after the last fault, if a log could not be read.
    """
    faults: dict[tuple[Ref, str], LogFault] = {}
    unread: dict[Ref, NotObserved] = {}
    for pod in dns.likely_pods(cluster):
        group = owner(pod) or ref(pod)
        for status in statuses(pod) if is_down(pod, cluster, LASTING) else ():
            try:
                explained = _explained(pod, status, cluster)
            except NotObserved as error:
                unread[group] = error
                continue
            if explained:
                known, line = explained
                faults.setdefault((group, known.means), LogFault(group, [], known, line)).pods.append(pod)
    yield from faults.values()
    for group in unread.keys() - {group for group, _ in faults}:
        raise unread[group]


def _explained(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> tuple[LogLine, str] | None:
    """Return the meaning of a container's log, or of the log of the one before it; either may have the reason.

    Raises:
        NotObserved: neither can be read.
    """
    has_started = status.state.HasField("running") or status.state.HasField("terminated")
    if not has_started and not status.lastState.HasField("terminated"):
        return None  # it was never started
    unread: list[NotObserved] = []
    for previous in (not has_started, has_started):
        try:
            if explained := explain_log(cluster.log(pod, status.name, previous=previous)):
                return explained
        except NotObserved as error:
            unread.append(error)
    if len(unread) > 1:
        raise unread[0]
    return None
