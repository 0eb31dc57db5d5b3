"""Logs of the probe's pods."""

from kubevitals.probe.outcome import RanPod
from kubevitals.probe.parse import parse
from kubevitals.probe.report import (
    Lookup,
    ProbeReport,
    Reach,
)

TOKEN, RUN = "5ec2e7" * 5, "abc123"
DNS, NAME = "10.96.0.10", "kubernetes.default.svc.cluster.local"


def report(*lines: str, network: str = "pod") -> ProbeReport:
    """Return the report of a pod that printed these lines."""
    return parse(RanPod("worker", "host" if network == "host" else "pod", log="\n".join(lines)), RUN, TOKEN)


def reached(*lines: str) -> Reach:
    (only,) = report(*lines).reached
    return only


def looked_up(*lines: str) -> Lookup:
    (only,) = report(*lines).lookups
    return only
