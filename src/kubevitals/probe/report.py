"""What the probe's pods tell, parsed from their logs; checks judge nothing else."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

ProbeNetwork = Literal["pod", "host"]
"""Which network a probe pod looks from: the pods', or its node's own."""


class Target(StrEnum):
    """What is asked for an answer that only the right one can give."""

    PEER = "peer"
    """A probe pod on another node (or this one), at its pod IP: answers with the run's token."""
    LARGE = "large"
    """The same, an answer that takes several packets of full size: lost where the path's MTU is smaller."""
    SERVICE = "service"
    """The probe's own Service at its ClusterIP: answers with the run's token."""
    NODE_PORT = "node-port"
    """The probe's own Service at a node's address: answers with the run's token."""
    API_SERVICE = "api-service"
    """The Service `kubernetes` at its ClusterIP: answers as an API server does."""
    API_ENDPOINT = "api-endpoint"
    """The API server at an endpoint of that Service: answers as an API server does."""
    KUBE_PROXY = "kube-proxy"
    """kube-proxy's health port on its own node (host network only): HTTP 200."""


class Reach(Struct, frozen=True):
    """Attempts to have an answer from one address.

    Attributes:
        address: ``10.244.1.5:8080`` or ``[fd00::5]:8080``.
        node: the node that the address belongs to, where it belongs to one.
        tries: how often it was asked, and `answered` how often the right answer came.
        ms: milliseconds until the slowest right answer, else until the last failure.
        said: what came instead of the last wrong answer: an error's words, or the first characters of what was said.
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
    """Which way a lookup went."""

    SERVICE = "service"
    """The DNS Service's ClusterIP."""
    POD = "pod"
    """One DNS pod at its own address."""
    RESOLVER = "resolver"
    """A name server of the pod's resolv.conf; in the host network that is the node's."""


ABSENT = "kubevitals.invalid."
"""A name that exists nowhere (RFC 6761, section 6.4), looked up outside unless the user names another one.

Only a name server outside of the cluster can say so: NXDOMAIN is the right answer.
"""


class Lookup(Struct, frozen=True):
    """Attempts to look a name up at one name server.

    Attributes:
        name: what was asked for; `outside` whether it is a name outside the cluster.
        server: the name server's address.
        pod: ``namespace/name`` of the DNS pod that is asked, where one is.
        answered: how many of the tries brought an address, or of `ABSENT` that it does not exist.
        addresses: what the last right answer held.
        ms: milliseconds until the slowest answer, else until the last failure.
        said: what came instead: an error's words (``NXDOMAIN``, ``SERVFAIL``, ``timed out`` …).
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

    @property
    def ok(self) -> bool:
        """Whether the right answer came at least once."""
        return self.answered > 0


class Resolver(Struct, frozen=True):
    """A resolv.conf: of the pod network's probe a pod's, of the host network's the node's."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Conntrack(Struct, frozen=True):
    """One reading of the node's connection tracking: entries, their maximum, and what was lost since the boot.

    Attributes:
        dropped: packets that were dropped for want of an entry (`drop` of /proc/net/stat/nf_conntrack, all CPUs).
        failed: entries that could not be inserted (`insert_failed`, all CPUs).
        evicted: entries that were thrown out to make room (`early_drop`, all CPUs).
    """

    count: int
    maximum: int
    dropped: int = 0
    failed: int = 0
    evicted: int = 0


class Route(Struct, frozen=True):
    """A route of the node: ``10.244.1.0/24`` via an address (empty where directly connected) by a device."""

    network: str
    via: str
    device: str


class ProbeReport(Struct, frozen=True):
    """What one probe pod told.

    Attributes:
        node: the node's name.
        whole: whether the pod came to its end; of one that did not, only what it printed so far is known.
        conntrack: two readings, some seconds apart (host network only).
    """

    node: str
    network: ProbeNetwork
    whole: bool
    resolver: Resolver | None = None
    reached: tuple[Reach, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    conntrack: tuple[Conntrack, ...] = ()
    routes: tuple[Route, ...] = ()
