"""What attachers and the attach/detach controller report about a volume that cannot be attached, and what helps."""

import re

from kubevitals.facts.volumes.mounting import HELD, REPLICAS

NO_ANSWER = "check that the driver's controller pods (csi-attacher) run, and what their log says about this volume"

ERROR = "fix what the driver reports; the log of its controller pods (csi-attacher) has more about this volume"

NOT_ON_THE_NODE = "check that the driver's node plugin, a DaemonSet, runs on these nodes: kubectl get csinodes -o yaml"

_ATTACH_ERRORS = (
    (
        r"code = DeadlineExceeded",
        "the driver has not answered its csi-attacher in time: check that the storage backend responds, and read the "
        "log of the driver's own container in its controller pods",
    ),
    (r"not ready for workloads", REPLICAS),
    (r"CSINode \S{1,253} does not contain driver", NOT_ON_THE_NODE),
    (
        r"FindAttachablePluginBySpec failed",
        "nothing attaches such a volume: check its PersistentVolume, and that its CSIDriver is as in the driver's "
        "manifest (attachRequired)",
    ),
    (
        r"code = ResourceExhausted",
        "the node has as many volumes as it can attach: move pods with volumes to other nodes, or use larger machines",
    ),
    (
        r"InvalidVolume\.NotFound|Volume \"\S{1,253}\" not found",
        "the cloud no longer has the volume: restore it from a snapshot, or delete the PVC and its pod, so that an "
        "empty one is created",
    ),
    (
        r"Instance \"\S{1,253}\" not found",
        "the cloud no longer has the node's machine: delete the Node, so that the pod gets another one",
    ),
    (
        r"not in (?:the same )?zone",
        "the volume is in another zone than the node: give its PersistentVolume a node affinity for its zone, or let "
        "the StorageClass be redundant between zones",
    ),
    (r"multi-attach|already", HELD),
)
"""The first match counts. Sources: kubernetes/kubernetes pkg/volume/util/operationexecutor/operation_generator.go,
spec.md of the CSI specification (ControllerPublishVolume), kubernetes-sigs/aws-ebs-csi-driver
pkg/driver/controller.go, learn.microsoft.com/troubleshoot/azure/azure-kubernetes (fail-to-mount-azure-disk-volume)."""


def attach_remedy(error: str, otherwise: str) -> str:
    """Return what helps against an error, or what is given for others."""
    return next((fix for text, fix in _ATTACH_ERRORS if re.search(text, error, re.IGNORECASE)), otherwise)
