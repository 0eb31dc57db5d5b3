"""The reports of the probe's pods, parsed from their logs."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

ProbeNetwork = Literal["pod", "host"]
"""The network that a probe pod is in: the pod network, or its node's own."""


class Target(StrEnum):
    """A kind of target. The expected answer is one that only the right target can give."""

    PEER = "peer"
    """A probe pod on another node (or on this one), at its pod IP: answers with the run's token."""
    LARGE = "large"
    """The same, with an answer of several full-size packets, which are lost if the MTU of the path is smaller."""
    SERVICE = "service"
    """The probe's own Service at its ClusterIP: answers with the run's token."""
    NODE_PORT = "node-port"
    """The probe's own Service at a node's address: answers with the run's token."""
    API_SERVICE = "api-service"
    """The Service `kubernetes` at its ClusterIP: answers as an API server does."""
    API_ENDPOINT = "api-endpoint"
    """The API server at an endpoint of that Service: answers as an API server does."""
    OPEN_SERVICE = "open-service"
    """A Service of the cluster at its ClusterIP: accepts a TCP connection."""
    OPEN_ENDPOINT = "open-endpoint"
    """An endpoint of such a Service: accepts a TCP connection."""
    KUBE_PROXY = "kube-proxy"
    """kube-proxy's health port on its own node (host network only): HTTP 200."""


class Reach(Struct, frozen=True):
    """Attempts to get an answer from one address.

    Attributes:
        address: ``10.244.1.5:8080`` or ``[fd00::5]:8080``.
        node: the node that the address belongs to, or nothing.
        tries: how many attempts were made; `answered` is how many got the right answer.
        ms: milliseconds until the slowest right answer, or else until the last failure.
        said: what the last failed attempt got: the text of an error, or the first characters of a wrong answer.
    """

    kind: Target
    address: str
    node: str
    tries: int
    answered: int
    ms: int
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether the right answer came at least once."""
        return self.answered > 0


class Through(StrEnum):
    """The name server that a lookup used."""

    SERVICE = "service"
    """The DNS Service's ClusterIP."""
    POD = "pod"
    """One DNS pod at its own address."""
    RESOLVER = "resolver"
    """A name server of the pod's resolv.conf; in the host network that is the node's."""
    OWN = "own"
    """A name server that some pods on the node list themselves (dnsConfig)."""


ABSENT = "kubevitals.invalid."
"""A name that exists nowhere (RFC 6761, section 6.4). It is looked up as an outside name unless the user gives one.

Only a name server outside of the cluster can say so: NXDOMAIN is the right answer.
"""


class Lookup(Struct, frozen=True):
    """Attempts to look up a name at one name server.

    Attributes:
        name: the name; `outside` is whether it is a name outside the cluster.
        server: the name server's address.
        pod: ``namespace/name`` of the DNS pod that was queried, or nothing.
        answered: how many attempts got an address, or, for `ABSENT`, the answer that it does not exist.
        addresses: the addresses in the last right answer.
        ms: milliseconds until the slowest answer, or else until the last failure.
        said: what the last failed attempt got: ``NXDOMAIN``, ``SERVFAIL``, ``timed out`` or another text.
        sample: whether the name is that of a Service, looked up to compare the answer with its addresses.
    """

    name: str
    outside: bool
    through: Through
    server: str
    pod: str
    tries: int
    answered: int
    ms: int
    addresses: tuple[str, ...] = ()
    said: str = ""
    sample: bool = False

    @property
    def ok(self) -> bool:
        """Whether the right answer came at least once."""
        return self.answered > 0


class Resolver(Struct, frozen=True):
    """A resolv.conf: a pod's, if the probe pod is in the pod network, or the node's."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Conntrack(Struct, frozen=True):
    """One reading of the node's connection tracking: the entries, their maximum, and the losses since boot.

    Attributes:
        dropped: packets dropped because the table was full (`drop` of /proc/net/stat/nf_conntrack, all CPUs).
        failed: entries that could not be inserted (`insert_failed`, all CPUs).
        evicted: entries evicted to make room (`early_drop`, all CPUs).
    """

    count: int
    maximum: int
    dropped: int = 0
    failed: int = 0
    evicted: int = 0


class Tracking(Struct, frozen=True):
    """The settings of the node's connection tracking; None if one cannot be read.

    Attributes:
        established: seconds until an idle connection is forgotten (`nf_conntrack_tcp_timeout_established`).
        close_wait: the same for one that is half closed (`nf_conntrack_tcp_timeout_close_wait`).
        loose: whether connections that are already open are picked up (`nf_conntrack_tcp_loose`).
        liberal: whether packets outside of the TCP window are let through (`nf_conntrack_tcp_be_liberal`).
    """

    established: int | None = None
    close_wait: int | None = None
    loose: int | None = None
    liberal: int | None = None


class KernelLimits(Struct, frozen=True):
    """What the node's kernel counts, and the most that it allows; None if it cannot be read.

    Attributes:
        files: open files of all processes, and `files_max` (both in fs.file-nr).
        threads: processes with their threads (/proc/loadavg); each needs an ID below `pid_max` (kernel.pid_max).
        threads_max: the most threads that the kernel creates (kernel.threads-max).
    """

    files: int | None = None
    files_max: int | None = None
    threads: int | None = None
    pid_max: int | None = None
    threads_max: int | None = None


class Route(Struct, frozen=True):
    """A route of the node: ``10.244.1.0/24`` via an address (empty if directly connected) by a device."""

    network: str
    via: str
    device: str


class ProbeReport(Struct, frozen=True):
    """The report of one probe pod.

    Attributes:
        node: the node's name.
        whole: whether the pod finished; if not, the report has only what it printed so far.
        conntrack: two readings, some seconds apart (host network only).
        default_routes: the address families, IPv4 and IPv6, for which the node has a default route; None if that was
            not read (host network only).
        tracking: the settings of connection tracking (host network only).
        limits: the kernel's limits (host network only); nothing if an earlier version of the probe did not read them.
        unread: why the pod's log could not be read: then the report has only the vital readings.
    """

    node: str
    network: ProbeNetwork
    whole: bool
    resolver: Resolver | None = None
    reached: tuple[Reach, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    conntrack: tuple[Conntrack, ...] = ()
    routes: tuple[Route, ...] = ()
    default_routes: tuple[str, ...] | None = None
    tracking: Tracking | None = None
    limits: KernelLimits | None = None
    unread: str = ""
