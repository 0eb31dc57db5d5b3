"""Conditions by which agents on a node report problems that its kubelet does not know."""

from kubevitals import schema_pb2 as pb

TRUE_IS_BAD = frozenset(
    {
        "ContainerRuntimeProblem",
        "ContainerRuntimeUnhealthy",
        "CorruptDockerOverlay2",
        "FilesystemCorruptionProblem",
        "FrequentContainerdRestart",
        "FrequentDockerRestart",
        "FrequentKubeletRestart",
        "FrequentUnregisterNetDevice",
        "KernelDeadlock",
        "KubeletProblem",
        "KubeletUnhealthy",
        "ReadonlyFilesystem",
        "XfsShutdown",
    }
)
"""Conditions of node-problem-detector (kubernetes/node-problem-detector config/), and of AKS, which has more of them
(learn.microsoft.com/azure/aks: Node Problem Detector). Conditions about planned maintenance are left out."""

FALSE_IS_BAD = frozenset(
    {"AcceleratedHardwareReady", "ContainerRuntimeReady", "KernelReady", "NetworkingReady", "StorageReady"}
)
"""Conditions of the EKS node monitoring agent (docs.aws.amazon.com/eks: Detect node health issues)."""


def is_problem(condition: pb.NodeCondition) -> bool:
    """Return whether an agent reports a problem by this condition."""
    bad = {"True": TRUE_IS_BAD, "False": FALSE_IS_BAD}
    return condition.type in bad.get(condition.status, ())
