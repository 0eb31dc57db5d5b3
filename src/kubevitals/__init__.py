"""A pytest-based health suite for Kubernetes clusters.

What is named here is the interface for checks of one's own: docs/own-checks.md shows how, docs/api.md describes all of
it. Within one version of it (`API_VERSION`) nothing of it goes or changes its meaning; names, optional arguments and
fields may be added. Every other module, and all that is not described there, is private and changes at any time.
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
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.objects import Ref, owner, ref
from kubevitals.schema_pb2 import Time
from kubevitals.text import duration
from kubevitals.threshold import Threshold
from kubevitals.version import __version__ as __version__

API_VERSION = 1
"""The version of this interface: it rises with a change that a check may have to follow."""

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
