"""A pytest-based health suite for Kubernetes clusters.

These names are the interface for your own checks: docs/own-checks.md shows how to use it, docs/api.md describes it.
Within one version of it (`API_VERSION`) nothing is removed and nothing changes its meaning; names, optional arguments
and fields may be added. Every other module, and everything that is not described there, is private and may change at
any time.
"""

from kubevitals import schema_pb2
from kubevitals.encoding.declared import Fields, Metadata, Resource
from kubevitals.errors import BadCheck, NotApplicable, NotObserved
from kubevitals.findings.declaration import Rule, check
from kubevitals.findings.evidence import container_lines, event_lines, pod_lines
from kubevitals.findings.explains import (
    CONCERNED,
    CONCERNS,
    EVERYWHERE,
    SAME_MISSING,
    SAME_NODE,
    SAME_OBJECT,
    SAME_OWNER,
    Explains,
)
from kubevitals.findings.finding import Finding, Replicas, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.objects import Ref, owner, ref
from kubevitals.schema_pb2 import Time
from kubevitals.text import duration
from kubevitals.threshold import Threshold
from kubevitals.version import __version__ as __version__

API_VERSION = 1
"""The version of this interface. It increases with every change that may require changes in checks."""

__all__ = [
    "API_VERSION",
    "CONCERNED",
    "CONCERNS",
    "EVERYWHERE",
    "SAME_MISSING",
    "SAME_NODE",
    "SAME_OBJECT",
    "SAME_OWNER",
    "BadCheck",
    "Cluster",
    "Explains",
    "Fields",
    "Finding",
    "Kind",
    "Metadata",
    "NotApplicable",
    "NotObserved",
    "Ref",
    "Replicas",
    "Resource",
    "Rule",
    "Severity",
    "Threshold",
    "Time",
    "check",
    "container_lines",
    "duration",
    "event_lines",
    "owner",
    "pod_finding",
    "pod_lines",
    "ref",
    "schema_pb2",
]
