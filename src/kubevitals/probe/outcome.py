"""The result of a run of the probe, as sources pass it on and recordings keep it."""

from msgspec import Struct
from msgspec.structs import replace

from kubevitals.probe.report import ProbeNetwork
from kubevitals.redaction import redact


class RanPod(Struct, frozen=True):
    """A probe pod, and its log.

    Attributes:
        name: empty if there is no pod.
        ip: its first address.
        log: its log, complete or so far.
        reason: why there is no log.
        vitals: its vital readings, as its termination message has them, if there is no log.
    """

    node: str
    network: ProbeNetwork
    name: str = ""
    ip: str = ""
    log: str = ""
    reason: str = ""
    vitals: str = ""

    def redacted(self) -> "RanPod":
        """Return the same without what looks like a credential."""
        log, reason, vitals = map(redact, (self.log, self.reason, self.vitals))
        return replace(self, log=log, reason=reason, vitals=vitals)


class Ran(Struct, frozen=True):
    """One run of the probe.

    Attributes:
        run: its id, which is on all its objects.
        token: the answer of its pods; useless once the run is over.
        domain: the cluster domain of the names that were looked up.
        cluster_ips: the addresses of its Service; `node_port` is that Service's port on the nodes.
        remarks: what the user should know, such as objects that could not be deleted.
    """

    run: str
    token: str
    domain: str
    cluster_ips: tuple[str, ...]
    node_port: int
    pods: tuple[RanPod, ...] = ()
    remarks: tuple[str, ...] = ()

    def redacted(self) -> "Ran":
        """Return the same without what looks like a credential."""
        return Ran(
            self.run,
            self.token,
            self.domain,
            self.cluster_ips,
            self.node_port,
            tuple(pod.redacted() for pod in self.pods),
            tuple(redact(remark) for remark in self.remarks),
        )
